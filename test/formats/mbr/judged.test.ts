import { afterEach, describe, expect, it } from 'vitest';
import { editMbr, type MbrChange, type MbrTable, readMbr } from '../../../src/formats/mbr/index.js';
import { judge, run } from '../../support/judges.js';
import { DiskFile } from './disk-file.js';

const MIB = 1 << 20;
const GEOMETRY = { heads: 255, sectorsPerTrack: 63 };

interface SfdiskTable {
  readonly id: string;
  readonly partitions?: { node: string; start: number; size: number; type: string; bootable?: boolean }[];
}

const disks: DiskFile[] = [];

function makeDisk(sizeBytes: number, script: string): DiskFile {
  const disk = new DiskFile(sizeBytes);
  disks.push(disk);
  run('sfdisk', ['--quiet', disk.path], { input: script });
  return disk;
}

afterEach(() => {
  for (const disk of disks.splice(0)) disk.close();
});

function sfdiskView(disk: DiskFile): { id: string; partitions: unknown[] } {
  const output = run('sfdisk', ['--json', disk.path]); // warnings may follow the document
  const { partitiontable } = JSON.parse(output.slice(0, output.lastIndexOf('}') + 1)) as {
    partitiontable: SfdiskTable;
  };
  const partitions = (partitiontable.partitions ?? []).map(({ node, start, size, type, bootable }) => ({
    number: Number(node.slice(disk.path.length)),
    startLba: start,
    sectorCount: size,
    type: Number.parseInt(type, 16),
    active: bootable === true,
  }));
  return { id: partitiontable.id, partitions };
}

function ourView(table: MbrTable): { id: string; partitions: unknown[] } {
  const partitions = table.partitions.map(({ number, startLba, sectorCount, type, active }) => ({
    number,
    startLba,
    sectorCount,
    type,
    active,
  }));
  return { id: `0x${table.signature.toString(16).padStart(8, '0')}`, partitions };
}

async function read(disk: DiskFile): Promise<MbrTable> {
  const table = await readMbr(disk, 512);
  if (table === null) throw new Error('no table');
  return table;
}

/** The change that leaves all as it is, but for the given partitions; an EBR keeps its distance. */
function change(
  table: MbrTable,
  places: Record<number, readonly [start: number, count: number]>,
  diskSectors = table.diskSectors,
): MbrChange {
  const partitions = new Map(
    table.partitions.map(({ number, startLba, sectorCount }) => {
      const [start, count] = places[number] ?? [startLba, sectorCount];
      return [number, { startLba: start, sectorCount: count }];
    }),
  );
  const logicals = table.partitions.filter(({ kind }) => kind === 'logical');
  const ebrs = new Map(
    logicals.map(({ number, startLba, ebrLba }) => {
      const start = places[number]?.[0] ?? startLba;
      return [number, start - (startLba - (ebrLba ?? 0))];
    }),
  );
  return { geometry: GEOMETRY, diskSectors, partitions, ebrs };
}

const LOGICALS_IN_ODD_ORDER = `label: dos
label-id: 0x1234abcd
start=63, size=401562, type=7, bootable
p3: start=1000000, size=4000000, type=f
start=1000063, size=100000, type=83
start=3000000, size=500000, type=82
start=2000000, size=500000, type=83
`;

const SCRIPTS: readonly (readonly [name: string, size: number, script: string])[] = [
  ['no partition', 64 * MIB, 'label: dos\nlabel-id: 0xcafe0001\n'],
  [
    'slots 1 and 3',
    1024 * MIB,
    'label: dos\nstart=2048, size=204800, type=7\np3: start=300000, size=65536, type=c, bootable\n',
  ],
  ['logicals in odd order', 3072 * MIB, LOGICALS_IN_ODD_ORDER],
  [
    'type 5 in slot 1',
    1024 * MIB,
    'label: dos\nstart=2048, size=2000000, type=5\np5: start=4096, size=8192, type=7\nstart=16384, size=8192, type=b\nstart=32768, size=1000, type=83\n',
  ],
  [
    'type 85',
    1024 * MIB,
    'label: dos\nstart=2048, size=4096, type=83\nstart=8192, size=2000000, type=85\nstart=10240, size=8192, type=fd\n',
  ],
  ['an empty extended partition', 256 * MIB, 'label: dos\nstart=2048, size=200000, type=f\n'],
  ['2 TiB', 2048 * 1024 * MIB, 'label: dos\nstart=2048, size=4294963200, type=7\n'],
];

describe.skipIf(!judge('sfdisk'))('MBR against sfdisk', () => {
  it.each(SCRIPTS)('reads what sfdisk reads: %s', async (_name, size, script) => {
    const disk = makeDisk(size, script);
    const table = await read(disk);
    expect(ourView(table)).toEqual(sfdiskView(disk));
    expect(table.problems).toEqual([]);
    expect(editMbr(table, change(table, {}))).toEqual([]);
  });

  it('finds the geometry sfdisk uses', async () => {
    const table = await read(makeDisk(3072 * MIB, LOGICALS_IN_ODD_ORDER));
    expect(table.geometry).toEqual(GEOMETRY);
  });

  const EDITS: readonly (readonly [name: string, places: Record<number, readonly [number, number]>])[] = [
    ['a primary', { 1: [128, 401562] }],
    ['a logical in the middle of the chain', { 6: [3001344, 500000] }],
    [
      'the first logical, its container and the last',
      {
        3: [1000448, 3998720],
        5: [1000511, 100000],
        7: [2100224, 500000],
      },
    ],
    ['the end of a logical', { 7: [2000000, 500480] }],
    ['two logicals past each other', { 6: [1200000, 500000], 7: [2500000, 500000] }],
    ['beyond 1023 cylinders', { 3: [1000000, 19000000], 6: [18000000, 500000] }],
  ];

  it.each(EDITS)('moves %s, and sfdisk sees exactly that', async (_name, places) => {
    const disk = makeDisk(10240 * MIB, LOGICALS_IN_ODD_ORDER);
    const before = sfdiskView(disk);
    const table = await read(disk);
    const wish = change(table, places);
    disk.apply(editMbr(table, wish));
    const wanted = before.partitions.map((partition) => {
      const { number } = partition as { number: number };
      return { ...(partition as object), ...wish.partitions.get(number) };
    });
    expect(sfdiskView(disk)).toEqual({ id: before.id, partitions: wanted });
    expect(run('sfdisk', ['--verify', disk.path])).not.toMatch(/overlap|outside|invalid|wrong/i);
    const after = await read(disk);
    expect(after.problems).toEqual([]);
    expect(after.geometry).toEqual(GEOMETRY);
    expect(new Map(after.partitions.map((p) => [p.number, p.ebrLba])).get(6)).toBe(wish.ebrs.get(6));
    expect(editMbr(after, change(after, {}))).toEqual([]);
  });

  it('writes the bytes sfdisk writes for the same places', async () => {
    const places = { 1: [128, 401600], 3: [1000448, 3999552] } as const;
    const disk = makeDisk(
      3072 * MIB,
      'label: dos\nlabel-id: 0x7\nstart=63, size=401600, type=7\np3: start=1000000, size=4000000, type=f\n',
    );
    const wanted = makeDisk(
      3072 * MIB,
      'label: dos\nlabel-id: 0x7\nstart=128, size=401600, type=7\np3: start=1000448, size=3999552, type=f\n',
    );
    const table = await read(disk);
    disk.apply(editMbr(table, change(table, places)));
    expect(await disk.readAt(0, 512)).toEqual(await wanted.readAt(0, 512));
  });

  it('gives EBRs the bytes sfdisk gives them', async () => {
    const script = (start: number): string =>
      `label: dos\nlabel-id: 0x7\nstart=2048, size=4000000, type=f\nstart=4096, size=4096, type=83\nstart=${start}, size=4096, type=82\n`;
    const disk = makeDisk(3072 * MIB, script(40960));
    const wanted = makeDisk(3072 * MIB, script(81920));
    const table = await read(disk);
    disk.apply(editMbr(table, change(table, { 6: [81920, 4096] })));
    for (const at of tableSectors(await read(wanted))) {
      expect(await disk.readAt(at * 512, 512)).toEqual(await wanted.readAt(at * 512, 512));
    }
  });
});

const tableSectors = (table: MbrTable): number[] => [0, ...table.ebrs.map(({ lba }) => lba)];
