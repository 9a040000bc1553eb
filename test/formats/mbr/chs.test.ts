import { describe, expect, it } from 'vitest';
import { editMbr, type Geometry, readMbr } from '../../../src/formats/mbr/index.js';
import { SparseDisk } from './disk-file.js';
import { bootRecord, type TestEntry } from './table-bytes.js';

const DISK_SECTORS = 40_000_000;
const FALLBACK: Geometry = { heads: 16, sectorsPerTrack: 63 };

async function tableOf(entry: Omit<TestEntry, 'slot' | 'type'>, more: readonly TestEntry[] = []) {
  const bytes = bootRecord([{ slot: 1, type: 7, ...entry }, ...more]);
  const table = await readMbr(new SparseDisk(DISK_SECTORS * 512).with([{ at: 0, bytes }]), 512);
  if (table === null) throw new Error('no table');
  return table;
}

async function chsAfter(
  entry: Omit<TestEntry, 'slot' | 'type'>,
  place: { startLba: number; sectorCount: number },
): Promise<[number[], number[]]> {
  const table = await tableOf(entry);
  const partitions = new Map([[1, place]]);
  const [write] = editMbr(table, {
    geometry: FALLBACK,
    diskSectors: DISK_SECTORS,
    partitions,
    ebrs: new Map(),
  });
  const bytes = [...(write?.bytes ?? [])];
  return [bytes.slice(0x1bf, 0x1c2), bytes.slice(0x1c3, 0x1c6)];
}

const OVERFLOW = [0xfe, 0xff, 0xff];
const ODD_OVERFLOW = [0xff, 0xff, 0xff];
const ZERO = [0, 0, 0];

describe('CHS addresses', () => {
  it.each<[string, number, number, number[], number[], Geometry | null]>([
    [
      'sfdisk, end on a cylinder',
      63,
      401_562,
      [1, 1, 0],
      [0xfe, 0x3f, 0x18],
      { heads: 255, sectorsPerTrack: 63 },
    ],
    [
      'Windows, end rounded down to a cylinder',
      128,
      2_091_008,
      [2, 3, 0],
      [0xfe, 0x3f, 0x81],
      { heads: 255, sectorsPerTrack: 63 },
    ],
    [
      'Windows, 32 heads, end out of reach',
      128,
      2_091_008,
      [2, 3, 0],
      [0x1f, 0xff, 0xff],
      { heads: 32, sectorsPerTrack: 63 },
    ],
    ['ESXi, end not on a cylinder', 2048, 2048, [4, 1, 4], [7, 2, 8], { heads: 255, sectorsPerTrack: 2 }],
    ['a large disk', 2048, 30_000_000, [0x20, 0x21, 0], OVERFLOW, { heads: 255, sectorsPerTrack: 63 }],
    ['LBA only', 2048, 4096, OVERFLOW, OVERFLOW, null],
    ['nothing', 2048, 4096, ZERO, ZERO, null],
  ])('tell the geometry: %s', async (_name, start, count, first, last, geometry) => {
    expect((await tableOf({ start, count, chs: [first, last] })).geometry).toEqual(geometry);
  });

  it('keeps the marker of each entry for what CHS cannot reach', async () => {
    const entry = { start: 30_000_000, count: 4096, chs: [ODD_OVERFLOW, ODD_OVERFLOW] } as const;
    expect((await tableOf(entry)).chsOverflow.get(1)).toEqual({ cylinder: 1023, head: 255, sector: 63 });
    expect(await chsAfter(entry, { startLba: 31_000_000, sectorCount: 4096 })).toEqual([
      ODD_OVERFLOW,
      ODD_OVERFLOW,
    ]);
  });

  it('calculates an address that comes within reach', async () => {
    const entry = { start: 30_000_000, count: 4096, chs: [OVERFLOW, OVERFLOW] } as const;
    expect(await chsAfter(entry, { startLba: 63, sectorCount: 16_002 })).toEqual([
      [1, 1, 0],
      [0xfe, 0x3f, 0],
    ]);
  });

  it('leaves zeros and markers of a table that knows LBA only', async () => {
    for (const bytes of [ZERO, OVERFLOW]) {
      const entry = { start: 2048, count: 4096, chs: [bytes, bytes] } as const;
      expect(await chsAfter(entry, { startLba: 4096, sectorCount: 4096 })).toEqual([bytes, bytes]);
    }
  });

  it('leaves the address of an end that does not change', async () => {
    const strange = [9, 9, 9];
    const entry = { start: 63, count: 1000, chs: [[1, 1, 0], strange] } as const;
    const [, last] = await chsAfter(entry, { startLba: 64, sectorCount: 999 });
    expect(last).toEqual(strange);
  });

  it('rounds ends where the table rounds them', async () => {
    const entry = {
      start: 128,
      count: 2_091_008,
      chs: [
        [2, 3, 0],
        [0xfe, 0x3f, 0x81],
      ],
    } as const;
    expect(await chsAfter(entry, { startLba: 2048, sectorCount: 2_091_008 })).toEqual([
      [0x20, 0x21, 0],
      [0xfe, 0x3f, 0x81],
    ]);
    const [, last] = await chsAfter(entry, { startLba: 128, sectorCount: 1_000_000 });
    expect(last).toEqual([0xfe, 0x3f, 61]);
  });
});
