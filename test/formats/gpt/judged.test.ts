import { afterEach, describe, expect, it } from 'vitest';
import {
  editGpt,
  type GptChange,
  type GptTable,
  gptSectorSize,
  readGpt,
} from '../../../src/formats/gpt/index.js';
import type { MetadataWrite } from '../../../src/formats/types.js';
import { judge, rootJudge, run } from '../../support/judges.js';
import { DiskFile } from '../mbr/disk-file.js';

const MIB = 1 << 20;
const TIB = 2 ** 40;
const ESP = 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b';
const BASIC = 'ebd0a0a2-b9e5-4433-87c0-68b6b72699c7';

interface SfdiskTable {
  readonly id: string;
  readonly firstlba: number;
  readonly lastlba: number;
  readonly partitions?: {
    node: string;
    start: number;
    size: number;
    type: string;
    uuid: string;
    name?: string;
  }[];
}

const disks: DiskFile[] = [];
const SLOTS_1_AND_3 = [
  '-a',
  '1',
  '-n',
  '1:63:204862',
  '-t',
  '1:ef00',
  '-c',
  '1:EFI b\u00fcro',
  '-n',
  '3:300000:500000',
  '-c',
  '3:data',
  '-A',
  '3:set:2',
];

/** Tables that were made before: sgdisk takes a second for each. */
const made = new Map<string, readonly MetadataWrite[]>();
const TABLE_BYTES = 128 * 1024;

async function makeDisk(sizeBytes: number, args: readonly string[]): Promise<DiskFile> {
  const disk = new DiskFile(sizeBytes);
  disks.push(disk);
  const key = JSON.stringify([sizeBytes, args]);
  const known = made.get(key);
  if (known !== undefined) {
    disk.apply(known);
    return disk;
  }
  run('sgdisk', [...args, disk.path]);
  const places = [0, sizeBytes - TABLE_BYTES];
  const writes = places.map(async (at) => ({ at, bytes: await disk.readAt(at, TABLE_BYTES), why: 'made' }));
  made.set(key, await Promise.all(writes));
  return disk;
}

afterEach(() => {
  for (const disk of disks.splice(0)) disk.close();
});

function sfdiskView(disk: DiskFile, device = disk.path): Record<string, unknown> {
  const output = run('sfdisk', ['--json', device]);
  const json = JSON.parse(output.slice(output.indexOf('{'), output.lastIndexOf('}') + 1));
  const table = (json as { partitiontable: SfdiskTable }).partitiontable;
  const separator = /\d$/.test(device) ? 'p' : '';
  const partitions = (table.partitions ?? []).map(({ node, start, size, type, uuid, name }) => ({
    number: Number(node.slice(device.length + separator.length)),
    startLba: start,
    sectorCount: size,
    typeGuid: type.toLowerCase(),
    uniqueGuid: uuid.toLowerCase(),
    name: name ?? '',
  }));
  const { id, firstlba, lastlba } = table;
  return { diskGuid: id.toLowerCase(), firstUsable: firstlba, lastUsable: lastlba, partitions };
}

function ourView(table: GptTable): Record<string, unknown> {
  const { diskGuid, firstUsable, lastUsable } = table;
  const partitions = table.partitions.map((p) => ({
    number: p.number,
    startLba: p.startLba,
    sectorCount: p.sectorCount,
    typeGuid: p.typeGuid,
    uniqueGuid: p.uniqueGuid,
    name: p.name,
  }));
  return { diskGuid, firstUsable, lastUsable, partitions };
}

async function read(disk: DiskFile, sectorSize = 512): Promise<GptTable> {
  const table = await readGpt(disk, sectorSize);
  if (table === null) throw new Error('no table');
  return table;
}

function change(
  table: GptTable,
  places: Record<number, readonly [start: number, count: number]>,
  diskSectors = table.diskSectors,
): GptChange {
  const partitions = new Map(
    table.partitions.map(({ number, startLba, sectorCount }) => {
      const [start, count] = places[number] ?? [startLba, sectorCount];
      return [number, { startLba: start, sectorCount: count }];
    }),
  );
  return { diskSectors, partitions };
}

/** sgdisk --verify exits 0 whatever it finds: its words tell. Cautions about alignment are not ours to heed. */
function expectContent(disk: DiskFile, device = disk.path): void {
  const verdict = run('sgdisk', ['--verify', device]);
  expect(verdict).toContain('No problems found');
  expect(verdict).not.toMatch(/warning|invalid|corrupt|problem:/i);
}

describe.skipIf(!judge('sfdisk', 'sgdisk'))('GPT against sfdisk and sgdisk', () => {
  it.each<[string, number, readonly string[]]>([
    ['no partition', 64 * MIB, ['-o']],
    ['slots 1 and 3, a name beyond ASCII', 1024 * MIB, SLOTS_1_AND_3],
    ['3 TiB', 3 * TIB, ['-n', '1:2048:+100M', '-n', '2:0:0', '-t', '2:0700']],
    ['the last slot', 64 * MIB, ['-n', '128:2048:4095']],
    ['a table of 256 entries', 64 * MIB, ['-S', '256', '-n', '200:4096:8191']],
  ])('reads what sfdisk reads: %s', async (_name, size, args) => {
    const disk = await makeDisk(size, args);
    const table = await read(disk);
    expect(ourView(table)).toEqual(sfdiskView(disk));
    expect(table).toMatchObject({ primaryState: 'good', backupState: 'good', problems: [], hybrid: [] });
    expect(await gptSectorSize(disk)).toBe(512);
    expect(editGpt(table, change(table, {}))).toEqual([]);
  });

  it('moves partitions and keeps numbers, GUIDs, names and attributes', async () => {
    const disk = await makeDisk(1024 * MIB, SLOTS_1_AND_3);
    const before = sfdiskView(disk);
    const table = await read(disk);
    expect(table.partitions.map((p) => [p.number, p.typeGuid, p.name, p.attributes])).toEqual([
      [1, ESP, 'EFI b\u00fcro', 0n],
      [3, '0fc63daf-8483-4772-8e79-3d69d8477de4', 'data', 4n],
    ]);
    const places = { 1: [128, 204800], 3: [206848, 250000] } as const;
    const groups = editGpt(table, change(table, places));
    expect(groups.map((group) => group.map(({ at, why }) => [at / 512, why]))).toEqual([
      [[2097119, 'backup GPT entries']],
      [[2097151, 'backup GPT header']],
      [[2, 'primary GPT entries']],
      [[1, 'primary GPT header']],
    ]);
    disk.apply(groups.flat());
    expectContent(disk);
    const wanted = (before.partitions as { number: 1 | 3 }[]).map((partition) => {
      const [startLba, sectorCount] = places[partition.number];
      return { ...partition, startLba, sectorCount };
    });
    expect(sfdiskView(disk)).toEqual({ ...before, partitions: wanted });
    expect(run('sgdisk', ['--info=3', disk.path])).toContain('Attribute flags: 0000000000000004');
    const after = await read(disk);
    expect(after).toMatchObject({ primaryState: 'good', backupState: 'good', problems: [] });
    expect(editGpt(after, change(after, {}))).toEqual([]);
  });

  it.each<[string, number, number]>([
    ['larger', 1024 * MIB, 1536 * MIB],
    ['smaller', 1024 * MIB, 300 * MIB],
    ['smaller by less than the backup', 1024 * MIB, 1024 * MIB - 8 * 512],
    ['larger than 2 TiB', 1024 * MIB, 3 * TIB],
    ['smaller than 2 TiB', 3 * TIB, 1024 * MIB],
  ])('follows a disk that becomes %s', async (_name, from, to) => {
    const disk = await makeDisk(from, SLOTS_1_AND_3);
    const table = await read(disk);
    const groups = editGpt(table, change(table, {}, to / 512));
    if (to > from) disk.resize(to);
    disk.apply(groups.flat());
    disk.resize(to);
    expectContent(disk);
    const after = await read(disk);
    expect(after).toMatchObject({ primaryState: 'good', backupState: 'good', problems: [] });
    expect(after.lastUsable).toBe(to / 512 - 34);
    expect(after.partitions).toEqual(table.partitions);
    const view = new DataView(after.protectiveMbr.buffer);
    expect(view.getUint32(0x1be + 12, true)).toBe(Math.min(to / 512 - 1, 0xffffffff));
  });

  it('writes a backup that was lost or left behind at the end of the disk', async () => {
    for (const [state, spoil] of [
      ['missing', (d: DiskFile) => d.apply([{ at: d.sizeBytes - 512, bytes: new Uint8Array(512), why: '' }])],
      [
        'bad-crc',
        (d: DiskFile) => d.apply([{ at: d.sizeBytes - 512 + 60, bytes: new Uint8Array(4), why: '' }]),
      ],
      [
        'bad-crc',
        (d: DiskFile) => d.apply([{ at: d.sizeBytes - 33 * 512, bytes: new Uint8Array(4), why: '' }]),
      ],
      ['misplaced', (d: DiskFile) => d.resize(d.sizeBytes + MIB)],
      ['missing', (d: DiskFile) => d.resize(d.sizeBytes - MIB)],
    ] as const) {
      const disk = await makeDisk(1024 * MIB, SLOTS_1_AND_3);
      spoil(disk);
      const table = await read(disk);
      expect(table).toMatchObject({ primaryState: 'good', backupState: state, problems: [] });
      expect(editGpt(table, change(table, {}))).toEqual([]);
      const groups = editGpt(table, change(table, { 1: [128, 204800] }));
      expect(groups[1]?.[0]?.why).toMatch(/moved to the end|written anew/);
      disk.apply(groups.flat());
      expectContent(disk);
      expect(await read(disk)).toMatchObject({ backupState: 'good', problems: [] });
    }
  });

  it('reads the backup when the primary is lost, and refuses to change anything', async () => {
    const disk = await makeDisk(1024 * MIB, SLOTS_1_AND_3);
    const { partitions } = await read(disk);
    for (const [at, state] of [
      [512 + 70, 'bad-crc'],
      [512, 'missing'],
    ] as const) {
      disk.apply([{ at, bytes: new Uint8Array(8), why: '' }]);
      const table = await read(disk);
      expect(table).toMatchObject({ primaryState: state, backupState: 'good', partitions });
      expect(table.problems).toMatchObject([{ code: 'gpt-primary-lost' }]);
      expect(() => editGpt(table, change(table, { 1: [128, 100] }))).toThrow(
        expect.objectContaining({ code: 'gpt-problems' }),
      );
    }
    disk.apply([{ at: disk.sizeBytes - 512, bytes: new Uint8Array(8), why: '' }]);
    expect(await readGpt(disk, 512)).toBeNull();
    disk.apply([{ at: 512, bytes: new TextEncoder().encode('EFI PART'), why: '' }]);
    await expect(readGpt(disk, 512)).rejects.toMatchObject({ family: 'damaged', code: 'gpt' });
  });

  it('notices copies that disagree', async () => {
    const disk = await makeDisk(1024 * MIB, SLOTS_1_AND_3);
    const table = await read(disk);
    const [entries = [], header = []] = editGpt(table, change(table, { 1: [128, 204800] }));
    disk.apply([...entries, ...header]);
    const torn = await read(disk);
    expect(torn).toMatchObject({
      primaryState: 'good',
      backupState: 'disagrees',
      partitions: table.partitions,
    });
    expect(torn.problems).toMatchObject([{ code: 'gpt-copies-disagree' }]);
  });

  it.each([0, 100])('has a whole copy after every write, cut by %s sectors or not', async (cut) => {
    const disk = await makeDisk(1024 * MIB, SLOTS_1_AND_3);
    const table = await read(disk);
    const wish = change(table, { 1: [128, 204800] }, table.diskSectors - cut);
    const starts: (number | undefined)[] = [];
    for (const group of editGpt(table, wish)) {
      disk.apply(group);
      starts.push((await read(disk)).partitions[0]?.startLba);
    }
    // The primary counts until its entries change; a backup at the new end is found when the disk is cut.
    expect(starts.slice(0, 2)).toEqual([63, 63]);
    expect([63, 128]).toContain(starts[2]);
    expect(starts.slice(3).every((start) => start === 128)).toBe(true);
  });

  it('names the partitions of a hybrid MBR and moves only the others', async () => {
    const disk = await makeDisk(1024 * MIB, [...SLOTS_1_AND_3]);
    run('sgdisk', ['-h', '3', disk.path]);
    const table = await read(disk);
    expect(table).toMatchObject({ hybrid: [3], problems: [] });
    const listed = change(table, { 3: [300032, 1000] });
    expect(() => editGpt(table, listed)).toThrow(
      expect.objectContaining({ family: 'refused', code: 'hybrid-mbr' }),
    );
    const groups = editGpt(table, change(table, { 1: [128, 2048] }));
    expect(groups.flat().some(({ at }) => at === 0)).toBe(false);
  });

  it('reads a left-over GPT as one that is not announced', async () => {
    const disk = await makeDisk(64 * MIB, ['-n', '1:2048:4095']);
    const mbr = await disk.readAt(0, 512);
    mbr[0x1be + 4] = 7;
    disk.apply([{ at: 0, bytes: mbr, why: '' }]);
    expect((await read(disk)).problems).toMatchObject([{ code: 'gpt-not-announced' }]);
    expect(await gptSectorSize(disk)).toBeNull();
    disk.apply([{ at: 512, bytes: new Uint8Array(512), why: '' }]);
    expect(await readGpt(disk, 512)).toBeNull();
  });

  it('leaves the count of a protective MBR that means everything', async () => {
    const disk = await makeDisk(64 * MIB, ['-n', '1:2048:4095', '-t', `1:${BASIC}`]);
    disk.apply([{ at: 0x1be + 12, bytes: new Uint8Array(4).fill(0xff), why: '' }]);
    const table = await read(disk);
    const groups = editGpt(table, change(table, {}, table.diskSectors - 2048));
    expect(groups.flat().some(({ at }) => at === 0)).toBe(false);
  });
});

describe.skipIf(!rootJudge('sgdisk', 'sfdisk', 'losetup'))('GPT on 4096-byte sectors', () => {
  it('reads and moves as sgdisk sees it', async () => {
    const disk = new DiskFile(256 * MIB);
    disks.push(disk);
    const device = run('losetup', ['--find', '--show', '--sector-size', '4096', disk.path]).trim();
    try {
      run('sgdisk', ['-a', '1', '-n', '1:300:1023', '-n', '3:2048:4095', device]);
      run('sync', [device]);
      expect(await gptSectorSize(disk)).toBe(4096);
      const table = await read(disk, 4096);
      expect(ourView(table)).toEqual(sfdiskView(disk, device));
      expect(table).toMatchObject({
        firstUsable: 6,
        primaryState: 'good',
        backupState: 'good',
        problems: [],
      });
      disk.apply(editGpt(table, change(table, { 1: [512, 724] })).flat());
      run('blockdev', ['--flushbufs', device]);
      expectContent(disk, device);
      expect(sfdiskView(disk, device)).toEqual(ourView(await read(disk, 4096)));
    } finally {
      run('losetup', ['--detach', device]);
    }
  });
});
