import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectCli } from '../support/cli.js';
import { cutOut, type DiskForm, type Guest } from '../support/guests.js';
import {
  buildHive,
  deviceElement,
  type HiveForm,
  judgedValue,
  mountedVolume,
  type TestKey,
  volumeName,
} from '../support/hives.js';
import { rootJudge, run } from '../support/judges.js';
import { listVolume } from '../support/mounts.js';
import { extractFile, ntfsWith } from '../support/ntfs-files.js';
import { changedLines, JUDGES, judgeNtfs, readTable } from '../support/verdicts.js';
import { SECTOR, type Volume } from '../support/volumes.js';
import { printOf, Workbench } from '../support/workbench.js';

const bench = new Workbench();
afterAll(() => bench.remove());

/** What the builder of guests puts into the MBR. */
const SIGNATURE = 0x5e1f0a1d;
const BOOT = 63;
const WINDOWS = 65_663;
const SECTORS = 65_536;

const bytesAt = (lba: number): number => lba * SECTOR;
const HIVE = 'Windows/System32/config/SYSTEM';

const system = (): TestKey => ({
  name: 'ROOT',
  keys: [
    {
      name: 'MountedDevices',
      values: [
        { name: '\\DosDevices\\C:', type: 3, data: mountedVolume(SIGNATURE, bytesAt(WINDOWS)) },
        { name: '\\DosDevices\\S:', type: 3, data: mountedVolume(SIGNATURE, bytesAt(BOOT)) },
        {
          name: volumeName(SIGNATURE, bytesAt(BOOT)),
          type: 3,
          data: mountedVolume(SIGNATURE, bytesAt(BOOT)),
        },
      ],
    },
  ],
});
const software: TestKey = {
  name: 'ROOT',
  keys: [
    {
      name: 'Microsoft',
      keys: [
        {
          name: 'Windows NT',
          keys: [
            {
              name: 'CurrentVersion',
              values: [
                { name: 'ProductName', type: 1, data: Buffer.from('Windows 7 Ultimate\0', 'utf16le') },
                { name: 'CurrentVersion', type: 1, data: Buffer.from('6.1\0', 'utf16le') },
                { name: 'CurrentBuild', type: 1, data: Buffer.from('7601\0', 'utf16le') },
              ],
            },
          ],
        },
      ],
    },
  ],
};
const element = (type: string, lba: number): TestKey => ({
  name: type,
  values: [{ name: 'Element', type: 3, data: deviceElement(SIGNATURE, bytesAt(lba)) }],
});
const OBJECT = '{9dea862c-5cdd-4e70-acc1-f32b344d4795}';
const store: TestKey = {
  name: 'NewStoreRoot',
  keys: [
    {
      name: 'Objects',
      keys: [
        {
          name: OBJECT,
          keys: [{ name: 'Elements', keys: [element('11000001', BOOT), element('21000001', WINDOWS)] }],
        },
      ],
    },
  ],
};

let count = 0;
function windowsGuest(hive: HiveForm = {}, form: DiskForm = 'raw'): Guest {
  const folder = bench.newFolder();
  const volumeOf = (start: number, files: Readonly<Record<string, Uint8Array>>): Volume => ({
    kind: 'ntfs',
    path: ntfsWith(folder, `volume-${start}`, files, { sectors: SECTORS, start }),
    sectors: SECTORS,
    listing: '',
  });
  const files = {
    [HIVE]: buildHive(system(), hive),
    'Windows/System32/config/SOFTWARE': buildHive(software),
  };
  return bench.guest({
    name: `windows-${++count}`,
    sectors: 262_144,
    table: 'mbr',
    form,
    partitions: [
      { number: 1, start: BOOT, volume: volumeOf(BOOT, { 'Boot/BCD': buildHive(store) }) },
      { number: 2, start: WINDOWS, volume: volumeOf(WINDOWS, files) },
    ],
  });
}

function cutPartition(guest: Guest, number: number): { path: string; start: number } {
  const entry = readTable(guest.disk).find((each) => each.number === number);
  if (entry === undefined) throw new Error(`partition ${number} is gone`);
  return {
    path: cutOut(guest.disk, entry.start, entry.size, join(bench.newFolder(), 'cut')),
    start: entry.start,
  };
}

/** Every value names the places the partitions have now, as hivex and the NTFS driver read them. */
function judgeWindows(guest: Guest): readonly number[] {
  const [boot, windows] = [cutPartition(guest, 1), cutPartition(guest, 2)];
  judgeNtfs(boot.path, boot.start);
  judgeNtfs(windows.path, windows.start);
  const hive = extractFile(windows.path, HIVE, join(bench.newFolder(), 'SYSTEM'));
  const device = (name: string): Buffer => judgedValue(hive, ['MountedDevices'], name);
  const place = (lba: number): Buffer => Buffer.from(mountedVolume(SIGNATURE, bytesAt(lba)));
  expect(device('\\DosDevices\\C:')).toEqual(place(windows.start));
  expect(device('\\DosDevices\\S:')).toEqual(place(boot.start));
  expect(device(volumeName(SIGNATURE, bytesAt(boot.start)))).toEqual(place(boot.start));
  const bcd = extractFile(boot.path, 'Boot/BCD', join(bench.newFolder(), 'BCD'));
  const stored = (type: string): Buffer => judgedValue(bcd, ['Objects', OBJECT, 'Elements', type], 'Element');
  expect(stored('11000001')).toEqual(Buffer.from(deviceElement(SIGNATURE, bytesAt(boot.start))));
  expect(stored('21000001')).toEqual(Buffer.from(deviceElement(SIGNATURE, bytesAt(windows.start))));
  return [boot.start, windows.start];
}

interface RunDocument {
  readonly fixups: readonly { readonly kind: string; readonly partition?: number }[];
  readonly warnings: readonly { readonly code: string }[];
}

describe.skipIf(!rootJudge(...JUDGES, 'hivexsh'))('a Windows on an MBR disk', () => {
  let pristine: Guest;
  beforeAll(() => {
    pristine = windowsGuest();
  });

  it('is seen by scan; plan and align say what follows; and it follows', async () => {
    const guest = bench.clone(pristine);
    const scan = JSON.parse((await expectCli(0, 'scan', guest.disk, '--json')).stdout);
    const found = { os: 'windows', name: 'Windows 7 Ultimate', version: '6.1.7601', partition: 2 };
    expect(scan.disks[0].guest).toEqual(found);
    expect(scan.disks[0].bootFixups).toMatchObject([
      { kind: 'bcd', partition: 1, obstacle: null },
      { kind: 'mounted-devices', partition: 2, obstacle: null },
    ]);
    const shown = (await expectCli(0, 'scan', guest.disk)).stdout.replace(/\s+/g, ' ');
    expect(shown).toMatch(
      /a move adapts: boot configuration.* on partition 1, MountedDevices.* on partition 2/,
    );
    const plan = JSON.parse((await expectCli(0, 'plan', guest.disk, '--json')).stdout) as RunDocument;
    const boot = ({ fixups }: RunDocument) =>
      fixups.flatMap(({ kind, partition }) => (/bcd|mounted/.test(kind) ? [[kind, partition]] : []));
    expect(boot(plan)).toEqual([
      ['bcd', 1],
      ['mounted-devices', 2],
    ]);
    const before = [1, 2].map((number) => listVolume('ntfs', cutPartition(guest, number).path));
    const done = JSON.parse((await expectCli(0, 'align', guest.disk, '-y', '--json')).stdout) as RunDocument;
    expect(boot(done)).toEqual(boot(plan));
    expect(done.warnings).toEqual([]);
    expect(judgeWindows(guest)).toEqual([128, 65_664]);
    // No other file was touched, and of these no other byte.
    const after = [1, 2].map((number) => listVolume('ntfs', cutPartition(guest, number).path));
    const changed = before.flatMap((text, index) => changedLines(text, after[index] ?? ''));
    expect(changed.map((line) => line.slice(64).trim())).toEqual(['./Boot/BCD', `./${HIVE}`]);
    const places: readonly (readonly [number, number])[] = [
      [BOOT, 128],
      [WINDOWS, 65_664],
    ];
    for (const [number, file, built] of [
      [1, 'Boot/BCD', buildHive(store)],
      [2, HIVE, buildHive(system())],
    ] as const) {
      const now = extractFile(cutPartition(guest, number).path, file, join(bench.newFolder(), 'file'));
      expect(readFileSync(now).equals(moved(Buffer.from(built), places))).toBe(true);
    }
  });

  it('follows where a partition moves to the old place of another', async () => {
    const guest = bench.clone(pristine);
    await expectCli(0, 'move-extents', guest.disk, '--to', `1=${WINDOWS}`, '--to', '2=131264', '-y');
    expect(judgeWindows(guest)).toEqual([WINDOWS, 131_264]);
  });

  it('follows a shrink, which also moves files', async () => {
    const guest = bench.clone(pristine);
    await expectCli(0, 'shrink', guest.disk, '--size', '1=16M', '--size', '2=20M', '-y');
    const [, windows = WINDOWS] = judgeWindows(guest);
    expect(windows).toBeLessThan(WINDOWS);
  });

  it('with a dirty hive is refused and untouched, or left as it is by name', async () => {
    const guest = windowsGuest({ sequences: [206, 205] });
    const scan = JSON.parse((await expectCli(0, 'scan', guest.disk, '--json')).stdout);
    expect(scan.disks[0].bootFixups).toMatchObject([
      { kind: 'bcd', obstacle: null },
      { kind: 'mounted-devices', obstacle: { code: 'regf-dirty' } },
    ]);
    const print = printOf(guest.folder);
    for (const command of [['plan'], ['align', '-n'], ['align', '-y']]) {
      const { stderr } = await expectCli(4, ...command, guest.disk, '--json');
      expect(JSON.parse(stderr).error).toMatchObject({ code: 'regf-dirty' });
    }
    expect(printOf(guest.folder)).toBe(print);
    const skip = ['--skip-boot-fixups', 'mounted-devices'];
    const { stdout } = await expectCli(0, 'align', guest.disk, '-y', '--json', ...skip);
    expect((JSON.parse(stdout) as RunDocument).warnings.map(({ code }) => code)).toEqual([
      'boot-fixup-skipped',
    ]);
    const { path } = cutPartition(guest, 2);
    const hive = extractFile(path, HIVE, join(bench.newFolder(), 'SYSTEM'));
    expect(readFileSync(hive).equals(buildHive(system(), { sequences: [206, 205] }))).toBe(true);
  });

  it('next to a Windows on another disk of the machine: the plan says so', async () => {
    const guest = windowsGuest({}, 'flat');
    run('bash', ['-c', 'cd "$1" && printf "%s\\n" "$2" > vm.vmx', 'vmx', guest.folder, vmx(guest)]);
    const { stdout } = await expectCli(0, 'plan', guest.disk, '--json');
    const [warning] = (JSON.parse(stdout) as { warnings: { code: string; message: string }[] }).warnings;
    expect(warning).toMatchObject({
      code: 'windows-on-other-disk',
      message: expect.stringContaining('data.vmdk'),
    });
  });

  it('does not exist, but LILO does: refused', async () => {
    const guest = bench.clone(pristine);
    const fd = openSync(guest.disk, 'r+');
    writeSync(fd, 'LILO', 6, 'latin1');
    closeSync(fd);
    const { stderr } = await expectCli(4, 'align', guest.disk, '-y', '--json');
    expect(JSON.parse(stderr).error).toMatchObject({ code: 'lilo' });
    await expectCli(0, 'align', guest.disk, '-y', '--skip-boot-fixups', 'lilo,bcd', '--dry-run');
    await expectCli(2, 'align', guest.disk, '-y', '--skip-boot-fixups', 'nothing');
  });
});

const vmx = ({ name }: Guest): string =>
  [
    'displayName = "two disks"',
    'guestOS = "windows7-64"',
    ...[`${name}.vmdk`, 'data.vmdk'].flatMap((file, index) => [
      `scsi0:${index}.present = "TRUE"`,
      `scsi0:${index}.fileName = "${file}"`,
    ]),
  ].join('\n');

/** What the run should have done to a hive: every offset of a partition, with the signature before or behind it. */
function moved(volume: Buffer, moves: readonly (readonly [number, number])[]): Buffer {
  const found: [number, number][] = [];
  for (const [from, to] of moves) {
    for (const [pattern, offset] of [
      [Buffer.from(mountedVolume(SIGNATURE, bytesAt(from))), 4],
      [Buffer.from(deviceElement(SIGNATURE, bytesAt(from))), 0x20],
    ] as const) {
      for (let at = volume.indexOf(pattern); at >= 0; at = volume.indexOf(pattern, at + 1))
        found.push([at + offset, to]);
    }
    const name = Buffer.from(volumeName(SIGNATURE, bytesAt(from)), 'latin1');
    for (let at = volume.indexOf(name); at >= 0; at = volume.indexOf(name, at + 1)) {
      volume.write(volumeName(SIGNATURE, bytesAt(to)), at, 'latin1');
    }
  }
  for (const [at, to] of found) volume.writeBigUInt64LE(BigInt(bytesAt(to)), at);
  return volume;
}
