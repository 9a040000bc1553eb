import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { judged, refusedBy } from '../oracle/judged.js';
import { expectCli } from '../support/cli.js';
import { corpusDisk } from '../support/corpus-disks.js';
import { cutOut, type Guest } from '../support/guests.js';
import { corpus, rootJudge, run } from '../support/judges.js';
import { hashFile, listVolume } from '../support/mounts.js';
import { freeClusters, UNUSED_JUDGES } from '../support/unused.js';
import { changedLines, JUDGES, judgeNtfs, readTable } from '../support/verdicts.js';
import { SECTOR, type Volume } from '../support/volumes.js';
import { Workbench } from '../support/workbench.js';

const FILES = corpus();
const bench = new Workbench();
afterAll(() => bench.remove());

type Disk = Pick<Guest, 'folder' | 'disk'>;

/** One disk of the corpus in a folder of its own; holes stay holes. */
function unpack(name: string, archive: string): Disk {
  const folder = bench.newFolder();
  const disk = join(folder, name);
  run('cp', ['--sparse=always', corpusDisk(archive), disk]);
  return { folder, disk };
}

/** The first partition of a disk as a block device: some of these disks are too large to cut volumes out. */
function withVolume<T>(disk: string, use: (device: string, start: number, sizeBytes: number) => T): T {
  const [first] = readTable(disk);
  if (first === undefined) throw new Error(`${disk} has no partition`);
  const place = ['--offset', `${first.start * SECTOR}`, '--sizelimit', `${first.size * SECTOR}`];
  const device = run('losetup', ['--find', '--show', ...place, disk]).trim();
  try {
    return use(device, first.start, first.size * SECTOR);
  } finally {
    run('losetup', ['--detach', device]);
  }
}

interface RunDocument {
  readonly bytesCopied: number;
  readonly before: { readonly partitions: { readonly filesystem: { usedBytes: number } }[] };
}

/** Runs the command and judges: the place, both boot sectors, the volume as a whole, every file and stream. */
async function moved(
  { disk }: Disk,
  image: string,
  start: number,
  ...command: string[]
): Promise<RunDocument> {
  const listing = withVolume(image, (device) => listVolume('ntfs', device));
  const { ino } = statSync(image);
  const { stdout } = await expectCli(0, ...command, disk, '-y', '--json');
  withVolume(image, (device, found, sizeBytes) => {
    expect(found).toBe(start);
    expect(listVolume('ntfs', device)).toBe(listing);
    judgeNtfs(device, start, sizeBytes);
  });
  expect(run('sfdisk', ['--verify', image])).toContain('No errors detected');
  expect(statSync(image).ino).toBe(ino);
  return JSON.parse(stdout) as RunDocument;
}

describe.skipIf(FILES === undefined || !rootJudge(...JUDGES))('real Windows disks', () => {
  it('a compressed stream: from LBA 128 to 1 MiB', async () => {
    const guest = unpack('disk.img', 'ntfs/win10-compressed-stream.raw.gz');
    await moved(guest, guest.disk, 2048, 'align', '--boundary', '1M');
  });

  it('free clusters filled with PTRN: they are not copied', async () => {
    const guest = unpack('disk.img', 'ntfs/win10-ptrn-free-space.raw.gz');
    const { bytesCopied, before } = await moved(guest, guest.disk, 2048, 'align', '--boundary', '1M');
    const used = before.partitions[0]?.filesystem.usedBytes ?? 0;
    expect(used).toBeGreaterThan(1 << 20);
    // Gaps up to 256 KiB are copied along; the volume has a few dozen stretches.
    expect(bytesCopied).toBeLessThan(used + (16 << 20));
  });

  it('clusters of 2 MiB: to a boundary of their own size', async () => {
    const guest = unpack('disk.img', 'ntfs/win10-2mib-clusters.raw.gz');
    await moved(guest, guest.disk, 4096, 'align', '--boundary', '1M');
    await moved(guest, guest.disk, 63, 'move-extents', '--to', '1=63');
  });

  it('64 GiB with two shadow copies: to the right, then to the left', async () => {
    const guest = unpack('disk.img', 'ntfs/win10-64gib-two-shadow-copies.tgz');
    await moved(guest, guest.disk, 4096, 'align', '--boundary', '2M');
    await moved(guest, guest.disk, 63, 'move-extents', '--to', '1=63');
    const allocated = statSync(guest.disk).blocks * SECTOR;
    expect(allocated).toBeLessThan(300 << 20);
  });

  it('an attribute list with extension records: from 63 to 1 MiB', async () => {
    const { disk: path } = unpack('volume', 'ntfs/win10-attribute-list.partition.gz');
    const volume: Volume = {
      kind: 'ntfs',
      path,
      sectors: statSync(path).size / SECTOR,
      listing: listVolume('ntfs', path),
    };
    const guest = bench.guest({
      name: 'disk',
      sectors: 90_000,
      table: 'mbr',
      partitions: [{ number: 1, start: 63, volume }],
    });
    await judged(guest, { 1: 2048 }, 'align', '--boundary', '1M');
  });
});

describe.skipIf(FILES === undefined || !rootJudge(...JUDGES, ...UNUSED_JUDGES))(
  'real Windows disks, cleared',
  () => {
    it('free clusters filled with PTRN: all of them are zeros and holes afterwards, every file is what it was', async () => {
      const guest = unpack('disk.img', 'ntfs/win10-ptrn-free-space.raw.gz');
      const free = withVolume(guest.disk, (device, start) =>
        freeClusters(device).map(({ at, length }) => ({ at: start * SECTOR + at, length })),
      );
      const differing = (from: string): number =>
        free.filter(({ at, length }) => {
          const place = ['-n', `${length}`, '-i', `${at}:0`];
          return spawnSync('cmp', ['-s', ...place, guest.disk, from]).status !== 0;
        }).length;
      expect(differing('/dev/zero')).toBe(free.length);
      const bytes = free.reduce((sum, { length }) => sum + length, 0);
      const before = statSync(guest.disk).blocks * SECTOR;
      await moved(guest, guest.disk, 128, 'zero');
      expect(differing('/dev/zero')).toBe(0);
      expect(before - statSync(guest.disk).blocks * SECTOR).toBeGreaterThan(0.99 * bytes);
    });

    it('64 GiB with two shadow copies: refused, for they may need what is free', async () => {
      const guest = unpack('disk.img', 'ntfs/win10-64gib-two-shadow-copies.tgz');
      const { mtimeMs } = statSync(guest.disk);
      const { stderr } = await expectCli(4, 'zero', guest.disk, '-y', '--json');
      expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'ntfs-shadow-copies' } });
      expect(statSync(guest.disk).mtimeMs).toBe(mtimeMs);
      await expectCli(0, 'zero', guest.disk, '-y', '--gaps-only');
    }, 240_000);
  },
);

describe.skipIf(FILES === undefined || !rootJudge(...JUDGES))(
  'real Windows disks, shrunk and enlarged',
  () => {
    it.each([
      ['win10-compressed-stream.raw.gz', 2048],
      ['win10-ptrn-free-space.raw.gz', 2048],
      ['win10-2mib-clusters.raw.gz', 4096],
    ])(
      '%s: to the minimum, aligned, the disk cut, and back',
      async (name, start) => {
        const guest = unpack('disk.img', `ntfs/${name}`);
        const [before] = readTable(guest.disk);
        const { size } = statSync(guest.disk);
        await moved(guest, guest.disk, start, 'shrink', '--min', '--boundary', '1M');
        const cut = statSync(guest.disk).size;
        expect(cut).toBeLessThan(size / 2);
        const [small] = readTable(guest.disk);
        expect(cut - (start + (small?.size ?? 0)) * SECTOR).toBeLessThan(1 << 20);
        await moved(guest, guest.disk, start, 'enlarge', '--size', `1=${before?.size}s`);
        expect(readTable(guest.disk)[0]?.size).toBe(before?.size);
      },
      240_000,
    );

    it('64 GiB with two shadow copies: refused when files must move, unless they may be lost', async () => {
      const guest = unpack('disk.img', 'ntfs/win10-64gib-two-shadow-copies.tgz');
      const command = ['shrink', '--size', '1=2G'];
      // Hashing 64 GiB would take minutes: the time of the last write tells as much.
      const { mtimeMs } = statSync(guest.disk);
      const { stderr } = await expectCli(4, ...command, guest.disk, '-y', '--json');
      expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'ntfs-shadow-copies' } });
      expect(statSync(guest.disk).mtimeMs).toBe(mtimeMs);
      await moved(guest, guest.disk, 2048, ...command, '--drop-shadow-copies');
      expect(statSync(guest.disk).size).toBe(2049 * 2 ** 20);
    }, 240_000);

    it.each([
      ['monolithicFlat', 'monolithicFlat-flat.vmdk'],
      ['twoGbMaxExtentFlat', 'twoGbMaxExtentFlat-f001.vmdk'],
    ])('%s of VMware: 2 MiB smaller, and its descriptor says so', async (name, extent) => {
      const folder = bench.newFolder();
      const copy = 'cp "$1"/"$3"* "$2"; chmod u+w "$2"/*; gunzip "$2"/*.gz';
      run('bash', ['-euc', copy, 'copy', join(FILES ?? '', 'vmdk'), folder, name]);
      const disk = join(folder, `${name}.vmdk`);
      const before = readFileSync(disk, 'latin1');
      await moved({ folder, disk }, join(folder, extent), 128, 'shrink', '--size', '1=7M');
      const changed = changedLines(before, readFileSync(disk, 'latin1'));
      expect(changed.map((line) => line.replace(/ ?[=0-9].*/, ''))).toEqual([
        'CID',
        'RW',
        'ddb.geometry.cylinders',
        'ddb.longContentID',
      ]);
      expect(run('qemu-img', ['info', disk])).toContain(`(${8 << 20} bytes)`);
    });
  },
);

describe.skipIf(FILES === undefined || !rootJudge(...JUDGES))('VMDKs made by VMware', () => {
  function vmwareFolder(): string {
    const folder = bench.newFolder();
    run('bash', [
      '-euc',
      'cp "$1"/* "$2"; chmod u+w "$2"/*; gunzip "$2"/*.gz',
      'copy',
      join(FILES ?? '', 'vmdk'),
      folder,
    ]);
    return folder;
  }

  it('are all recognised, with what stands against a change', async () => {
    const { stdout } = await expectCli(0, 'scan', vmwareFolder(), '--json');
    const { disks } = JSON.parse(stdout) as {
      disks: { path: string; createType: string; state: string; reasons: { code: string }[] }[];
    };
    const found = disks.map(
      ({ path, createType, state, reasons }) =>
        `${basename(path)} ${createType} ${state} ${reasons[0]?.code ?? ''}`,
    );
    expect(found).toEqual([
      'monolithicFlat.vmdk monolithicFlat ready ',
      'monolithicSparse.vmdk monolithicSparse refused create-type',
      'streamOptimized.vmdk streamOptimized refused create-type',
      'twoGbMaxExtentFlat.vmdk twoGbMaxExtentFlat ready ',
      'twoGbMaxExtentSparse.vmdk twoGbMaxExtentSparse refused create-type',
      'vmfs_thick-000001.vmdk vmfsSparse refused create-type',
      'vmfs_thick.vmdk vmfs refused snapshots',
    ]);
  });

  it.each([
    ['monolithicFlat', 'monolithicFlat-flat.vmdk'],
    ['twoGbMaxExtentFlat', 'twoGbMaxExtentFlat-f001.vmdk'],
  ])('%s: from LBA 128 to 1 MiB', async (name, extent) => {
    const folder = vmwareFolder();
    const disk = join(folder, `${name}.vmdk`);
    const before = readFileSync(disk, 'latin1');
    await moved({ folder, disk }, join(folder, extent), 2048, 'align', '--boundary', '1M');
    const changed = changedLines(before, readFileSync(disk, 'latin1'));
    expect(changed.map((line) => line.replace(/ ?=.*/, ''))).toEqual(['CID', 'ddb.longContentID']);
    run('qemu-img', ['info', disk]);
  });

  it.each(['monolithicSparse', 'streamOptimized', 'twoGbMaxExtentSparse', 'vmfs_thick-000001'])(
    '%s is refused',
    async (name) => {
      const folder = vmwareFolder();
      await refusedBy({ folder, disk: join(folder, `${name}.vmdk`) }, 4, 'create-type', 'align');
    },
  );

  it('vmfs_thick is refused because of its snapshot, and moves without it', async () => {
    const folder = vmwareFolder();
    const disk = join(folder, 'vmfs_thick.vmdk');
    const command = ['move-extents', '--to', '1=1024'];
    await refusedBy({ folder, disk }, 4, 'snapshots', ...command);
    rmSync(join(folder, 'vmfs_thick-000001.vmdk'));
    const flat = join(folder, 'vmfs_thick-flat.vmdk');
    const volume = hashFile(cutOut(flat, 2048, 2048, join(bench.newFolder(), 'before')));
    await expectCli(0, ...command, disk, '-y');
    expect(readTable(flat)).toMatchObject([{ start: 1024, size: 2048 }]);
    expect(hashFile(cutOut(flat, 1024, 2048, join(bench.newFolder(), 'after')))).toBe(volume);
  });
});
