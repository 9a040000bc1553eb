import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { expectCli } from '../support/cli.js';
import { cutOut, putVolume } from '../support/guests.js';
import { rootJudge, run } from '../support/judges.js';
import { inMount, listVolume } from '../support/mounts.js';
import { JUDGES } from '../support/verdicts.js';
import { Workbench } from '../support/workbench.js';

const bench = new Workbench();
afterAll(() => bench.remove());

const SECTOR = 4096;
/** Sectors of 512 bytes, which the helpers count in. */
const small = (sectors: number): number => sectors * 8;
const [NTFS, EXT] = [
  { start: 17, sectors: 15_024 },
  { start: 15_050, sectors: 8_000 },
];
const FILES = `mkdir a; for i in $(seq 120); do head -c 9000 /dev/urandom > a/$i; done; head -c 6M /dev/urandom > first
  rm a/*5; head -c 3M /dev/urandom > pieces; rm first; head -c 300 /dev/urandom > resident; echo stream > pieces:named`;

/** A disk with sectors of 4096 bytes as a block device: outside tools believe a file's sectors to be of 512. */
function asDevice<T>(disk: string, use: (device: string) => T): T {
  const device = run('losetup', ['--find', '--show', '--sector-size', `${SECTOR}`, disk]).trim();
  try {
    return use(device);
  } finally {
    run('losetup', ['--detach', device]);
  }
}

/** NTFS on such sectors has FILE records of 4096 bytes. */
function makeDisk(): { disk: string; ntfs: string; ext: string } {
  const folder = bench.newFolder();
  const [disk, ntfs, ext] = ['disk.img', 'ntfs', 'ext'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  for (const [path, sectors] of [
    [disk, 30_000],
    [ntfs, NTFS.sectors],
    [ext, EXT.sectors],
  ] as const) {
    writeFileSync(path, '');
    truncateSync(path, sectors * SECTOR);
  }
  run('mkntfs', [
    '-F',
    '-Q',
    '-q',
    '-s',
    `${SECTOR}`,
    '-c',
    '4096',
    '-p',
    `${NTFS.start}`,
    '-H',
    '255',
    '-S',
    '63',
    ntfs,
  ]);
  inMount('ntfs', ntfs, 'rw', FILES);
  run('mke2fs', ['-q', '-F', '-t', 'ext4', '-b', '4096', ext]);
  inMount('ext', ext, 'rw', 'head -c 5M /dev/urandom > data');
  asDevice(disk, (device) => {
    const input = `label: gpt\nfirst-lba: 6\nunit: sectors\nstart=${NTFS.start}, size=${NTFS.sectors}\nstart=${EXT.start}, size=${EXT.sectors}\n`;
    run('sfdisk', ['-q', '--no-reread', device], { input });
  });
  putVolume(disk, small(NTFS.start), ntfs);
  putVolume(disk, small(EXT.start), ext);
  return { disk, ntfs, ext };
}

/** What the judges say of the disk: its table, both volumes and every file in them. */
function judge(disk: string, files: { readonly ntfs: string; readonly ext: string }) {
  const places = asDevice(disk, (device) => {
    expect(run('sgdisk', ['--verify', device])).toContain('No problems found');
    expect(run('sfdisk', ['--verify', device])).toContain('No errors detected');
    const { partitiontable } = JSON.parse(run('sfdisk', ['--json', device]));
    return partitiontable.partitions as { start: number; size: number }[];
  });
  const [ntfs, ext] = places.map(({ start, size }, index) =>
    cutOut(disk, small(start), small(size), `${disk}.${index}`),
  ) as [string, string];
  run('ntfsresize', ['--info', '--force', '--no-progress-bar', ntfs]);
  expect(run('ntfsfix', ['-n', ntfs])).toContain('processed successfully');
  run('ntfs-3g.probe', ['--readwrite', ntfs]);
  run('e2fsck', ['-fn', ext]);
  expect(listVolume('ntfs', ntfs)).toBe(files.ntfs);
  expect(listVolume('ext', ext)).toBe(files.ext);
  return places.map(({ start, size }) => ({ start, size }));
}

describe.skipIf(!rootJudge(...JUDGES, 'losetup'))('a disk with sectors of 4096 bytes', () => {
  it('is aligned, shrunk and enlarged like any other, FILE records of 4096 bytes included', async () => {
    const { disk, ntfs, ext } = makeDisk();
    const files = { ntfs: listVolume('ntfs', ntfs), ext: listVolume('ext', ext) };
    const { stdout } = await expectCli(0, 'scan', disk, '--json');
    expect(JSON.parse(stdout).disks[0]).toMatchObject({ sectorSize: SECTOR, state: 'ready' });
    await expectCli(0, 'align', disk, '-y');
    expect(judge(disk, files)).toEqual([
      { start: 32, size: NTFS.sectors },
      { start: 15_056, size: EXT.sectors },
    ]);
    await expectCli(0, 'shrink', disk, '--size', '1=24M', '-y');
    expect(judge(disk, files)).toEqual([
      { start: 32, size: 6144 },
      { start: 6176, size: EXT.sectors },
    ]);
    await expectCli(0, 'enlarge', disk, '--size', '1=80M', '-y');
    expect(judge(disk, files)).toEqual([
      { start: 32, size: 20_480 },
      { start: 20_512, size: EXT.sectors },
    ]);
    await expectCli(0, 'scan', disk, '--deep');
  });
});
