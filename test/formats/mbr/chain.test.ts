import { describe, expect, it } from 'vitest';
import {
  editMbr,
  type MbrChange,
  type MbrTable,
  readMbr,
  tableSectorsOfMbr,
} from '../../../src/formats/mbr/index.js';
import { SparseDisk } from './disk-file.js';
import { bootRecord, type TestEntry } from './table-bytes.js';

const SECTORS = 100_000;
const CONTAINER: TestEntry = { slot: 1, type: 0x0f, start: 1000, count: 50_000 };

function diskOf(
  ebrs: Record<number, readonly TestEntry[]>,
  mbr: readonly TestEntry[] = [CONTAINER],
): SparseDisk {
  const records = Object.entries(ebrs).map(([lba, entries]) => ({
    at: Number(lba) * 512,
    bytes: bootRecord(entries),
  }));
  return new SparseDisk(SECTORS * 512).with([{ at: 0, bytes: bootRecord(mbr, 0xfeedbeef) }, ...records]);
}

async function read(disk: SparseDisk): Promise<MbrTable> {
  const table = await readMbr(disk, 512);
  if (table === null) throw new Error('no table');
  return table;
}

type Places = Record<number, { start: number; count: number; ebr?: number }>;

function wish(table: MbrTable, places: Places): MbrChange {
  const partitions = new Map(
    table.partitions.map((p) => [
      p.number,
      {
        startLba: places[p.number]?.start ?? p.startLba,
        sectorCount: places[p.number]?.count ?? p.sectorCount,
      },
    ]),
  );
  const logicals = table.partitions.filter(({ ebrLba }) => ebrLba !== null);
  const ebrs = new Map(logicals.map((p) => [p.number, places[p.number]?.ebr ?? p.ebrLba ?? 0]));
  return { geometry: { heads: 255, sectorsPerTrack: 63 }, diskSectors: SECTORS, partitions, ebrs };
}

const data = (slot: number, start: number, count: number): TestEntry => ({ slot, type: 7, start, count });
const link = (slot: number, start: number, count: number): TestEntry => ({ slot, type: 5, start, count });
const places = (table: MbrTable): unknown[] =>
  table.partitions.map((p) => [p.number, p.startLba, p.sectorCount, p.ebrLba]);

describe('EBR chains', () => {
  it('takes entries in any order and numbers logicals along the chain', async () => {
    const table = await read(
      diskOf({
        1000: [link(1, 20_000, 5063), data(2, 63, 1000)],
        21000: [data(1, 63, 5000), link(2, 5000, 2063)],
        6000: [data(1, 63, 2000)],
      }),
    );
    expect(places(table)).toEqual([
      [1, 1000, 50_000, null],
      [5, 1063, 1000, 1000],
      [6, 21_063, 5000, 21_000],
      [7, 6063, 2000, 6000],
    ]);
    expect(table.problems).toEqual([]);
    expect(tableSectorsOfMbr(table)).toEqual([0, 1000, 21_000, 6000]);
    expect(table.ebrs[0]).toMatchObject({ linkSlot: 1, data: [{ slot: 2, number: 5 }] });
  });

  it('edits entries where they are, and writes the MBR last', async () => {
    const disk = diskOf({
      1000: [link(1, 20_000, 5063), data(2, 63, 1000)],
      21000: [data(1, 63, 5000)],
    });
    const table = await read(disk);
    const change = wish(table, {
      1: { start: 2000, count: 49_000 },
      5: { start: 2063, count: 1000, ebr: 2000 },
      6: { start: 22_063, count: 5000, ebr: 22_000 },
    });
    const writes = editMbr(table, change);
    expect(writes.map(({ at }) => at / 512)).toEqual([22_000, 2000, 0]);
    const after = await read(disk.with(writes));
    expect(places(after)).toEqual([
      [1, 2000, 49_000, null],
      [5, 2063, 1000, 2000],
      [6, 22_063, 5000, 22_000],
    ]);
    // Only the MBR entry changes: both links count from the container, both data entries from their EBR.
    expect(after.ebrs.map(({ sector }) => sector)).toEqual(table.ebrs.map(({ sector }) => sector));
    expect(after.sector.subarray(0, 0x1be)).toEqual(table.sector.subarray(0, 0x1be));
  });

  it('re-bases the links when only the start of the container moves', async () => {
    const disk = diskOf({ 1000: [link(2, 20_000, 5063)], 21000: [data(1, 63, 5000)] });
    const table = await read(disk);
    const writes = editMbr(table, wish(table, { 1: { start: 1128, count: 49_872 } }));
    const after = await read(disk.with(writes));
    expect(places(after)).toEqual([
      [1, 1128, 49_872, null],
      [5, 21_063, 5000, 21_000],
    ]);
    expect(after.ebrs.map(({ lba }) => lba)).toEqual([1128, 21_000]);
  });

  it('spans a link from the next EBR through the end of its logical', async () => {
    const disk = diskOf({ 1000: [data(1, 63, 100), link(2, 20_000, 9999)], 21000: [data(1, 63, 5000)] });
    const table = await read(disk);
    const [write] = editMbr(table, wish(table, { 6: { start: 21_063, count: 6000 } })).filter(
      ({ at }) => at === 512_000,
    );
    expect(new DataView((write?.bytes ?? new Uint8Array(512)).buffer).getUint32(0x1be + 16 + 12, true)).toBe(
      6063,
    );
    const other = editMbr(table, wish(table, { 5: { start: 1063, count: 200 } }));
    expect(
      new DataView((other[0]?.bytes ?? new Uint8Array(512)).buffer).getUint32(0x1be + 16 + 12, true),
    ).toBe(9999);
  });

  it('reads an EBR with two logicals and a link, and moves both together only', async () => {
    const disk = diskOf({
      1000: [data(1, 63, 100), data(2, 200, 100), link(3, 20_000, 163)],
      21000: [data(1, 63, 100)],
    });
    const table = await read(disk);
    expect(places(table).slice(1)).toEqual([
      [5, 1063, 100, 1000],
      [6, 1200, 100, 1000],
      [7, 21_063, 100, 21_000],
    ]);
    const moved = wish(table, { 6: { start: 1300, count: 100 } });
    expect(places(await read(disk.with(editMbr(table, moved))))[2]).toEqual([6, 1300, 100, 1000]);
    const torn = wish(table, { 6: { start: 3000, count: 100, ebr: 2900 } });
    expect(() => editMbr(table, torn)).toThrow(
      expect.objectContaining({ family: 'refused', code: 'ebr-layout' }),
    );
  });

  it('leaves an empty EBR where it is, or refuses', async () => {
    const disk = diskOf({
      1000: [data(1, 63, 100), link(2, 10_000, 63)],
      11000: [link(2, 20_000, 163)],
      21000: [data(1, 63, 100)],
    });
    const table = await read(disk);
    const free = wish(table, { 6: { start: 22_063, count: 100, ebr: 22_000 } });
    const after = await read(disk.with(editMbr(table, free)));
    expect(after.ebrs.map(({ lba }) => lba)).toEqual([1000, 11_000, 22_000]);
    const covering = wish(table, { 6: { start: 10_063, count: 2000, ebr: 10_000 } });
    expect(() => editMbr(table, covering)).toThrow(expect.objectContaining({ code: 'ebr-layout' }));
  });

  it('refuses a first EBR that is not at the start of the container', async () => {
    const table = await read(diskOf({ 1000: [data(1, 63, 100)] }));
    const change = wish(table, { 5: { start: 2063, count: 100, ebr: 2000 } });
    expect(() => editMbr(table, change)).toThrow(expect.objectContaining({ code: 'ebr-layout' }));
  });

  it('takes the third and fourth entry only when they stay inside', async () => {
    const inside = await read(diskOf({ 1000: [data(1, 63, 100), data(3, 500, 100)] }));
    expect(places(inside)).toHaveLength(3);
    const garbage = await read(diskOf({ 1000: [data(1, 63, 100), data(4, 0x66666666, 0x20202020)] }));
    expect(places(garbage)).toHaveLength(2);
    expect(garbage.problems).toEqual([]);
  });

  it.each<[string, Record<number, readonly TestEntry[]>]>([
    ['a loop', { 1000: [data(1, 63, 100), link(2, 5000, 163)], 6000: [data(1, 63, 100), link(2, 0, 163)] }],
    ['a link to itself', { 1000: [data(1, 63, 100), link(2, 0, 163)] }],
    ['a link out of the container', { 1000: [data(1, 63, 100), link(2, 50_000, 163)] }],
    ['a link far away', { 1000: [data(1, 63, 100), link(2, 0xffffffff, 163)] }],
    ['a link to something else', { 1000: [data(1, 63, 100), link(2, 5000, 163)] }],
  ])('calls %s damage', async (_name, ebrs) => {
    await expect(readMbr(diskOf(ebrs), 512)).rejects.toMatchObject({ family: 'damaged', code: 'ebr-chain' });
  });

  it('gives up on an endless chain', async () => {
    const chain = Object.fromEntries(
      Array.from({ length: 200 }, (_, i) => [1000 + i * 100, [data(1, 1, 10), link(2, (i + 1) * 100, 11)]]),
    );
    await expect(readMbr(diskOf(chain), 512)).rejects.toMatchObject({ code: 'ebr-chain' });
  });

  it('reports an extended partition that does not begin with an EBR, unless it is blank', async () => {
    expect((await read(diskOf({}))).problems).toEqual([]);
    const disk = diskOf({}).with([{ at: 512_000, bytes: new Uint8Array(512).fill(3) }]);
    expect((await read(disk)).problems).toMatchObject([{ code: 'ebr-missing' }]);
  });

  it.each<[string, readonly TestEntry[], Record<number, readonly TestEntry[]>]>([
    ['partition-overlap', [data(1, 100, 1000), data(2, 1099, 50)], {}],
    ['partition-beyond-disk', [data(1, 100, SECTORS - 99)], {}],
    ['partition-covers-table', [data(1, 0, 50), data(2, 100, 50)], {}],
    ['two-extended', [CONTAINER, link(2, 60_000, 100)], { 1000: [data(1, 63, 10)] }],
    ['logical-outside-extended', [CONTAINER], { 1000: [data(1, 63, 50_000)] }],
    [
      'ebr-overlap',
      [CONTAINER],
      { 1000: [data(1, 63, 6000), link(2, 5000, 1163)], 6000: [data(1, 1100, 63)] },
    ],
  ])('reports %s and changes nothing', async (code, mbr, ebrs) => {
    const table = await read(diskOf(ebrs, mbr));
    expect(table.problems).toMatchObject([{ code }]);
    expect(editMbr(table, wish(table, {}))).toEqual([]);
    const number = table.partitions[0]?.number ?? 0;
    const change = wish(table, { [number]: { start: 40, count: 20 } });
    expect(() => editMbr(table, change)).toThrow(expect.objectContaining({ code: 'mbr-problems' }));
  });

  it('refuses what an MBR cannot express and what belongs to a GPT', async () => {
    const table = await read(diskOf({}, [data(1, 100, 1000)]));
    const far = { ...wish(table, { 1: { start: 2 ** 32, count: 10 } }), diskSectors: 2 ** 33 };
    expect(() => editMbr(table, far)).toThrow(expect.objectContaining({ code: 'mbr-limit' }));
    const hybrid = await read(
      diskOf({}, [{ slot: 1, type: 0xee, start: 1, count: 0xffffffff }, data(2, 100, 1000)]),
    );
    expect(hybrid.problems).toEqual([]);
    const change = wish(hybrid, { 2: { start: 200, count: 1000 } });
    expect(() => editMbr(hybrid, change)).toThrow(expect.objectContaining({ code: 'hybrid-mbr' }));
  });

  it('calls a wish that contradicts itself a bug', async () => {
    const table = await read(diskOf({}, [data(1, 100, 1000), data(2, 2000, 1000)]));
    const overlap = wish(table, { 1: { start: 1500, count: 1000 } });
    expect(() => editMbr(table, overlap)).toThrow(expect.objectContaining({ family: 'internal' }));
    const missing = { ...overlap, partitions: new Map() };
    expect(() => editMbr(table, missing)).toThrow(expect.objectContaining({ family: 'internal' }));
  });
});
