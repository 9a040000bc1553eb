import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VmreclaimError } from '../../../src/core/errors.js';
import { rangeEnd } from '../../../src/core/range.js';
import { headerChecksum } from '../../../src/formats/gpt/decode.js';
import {
  editGpt,
  type GptTable,
  gptSectorSize,
  gptTypeName,
  readGpt,
  tableSectorsOfGpt,
} from '../../../src/formats/gpt/index.js';
import type { SparseDisk } from '../mbr/disk-file.js';
import { BASIC_DATA, filler, gptDisk, type TestGpt } from './table-bytes.js';

const SECTORS = 100_000;

async function read(disk: SparseDisk): Promise<GptTable> {
  const table = await readGpt(disk, 512);
  if (table === null) throw new Error('no table');
  return table;
}

const unchanged = (table: GptTable): Map<number, { startLba: number; sectorCount: number }> =>
  new Map(table.partitions.map(({ number, startLba, sectorCount }) => [number, { startLba, sectorCount }]));

describe('GPT edits', () => {
  const room = fc.tuple(fc.nat(500), fc.integer({ min: 1, max: 3000 }));
  const layouts = fc.record({
    rooms: fc.uniqueArray(fc.tuple(fc.integer({ min: 1, max: 128 }), room, room), {
      selector: ([number]) => number,
      maxLength: 12,
    }),
    entrySize: fc.constantFrom(128, 256, 512),
    headerSize: fc.constantFrom(92, 96, 512),
    newSectors: fc.integer({ min: 60_000, max: 200_000 }),
  });

  function layOut(rooms: readonly (readonly [number, readonly [number, number]])[]): TestGpt['entries'] {
    let at = 200;
    return rooms.map(([number, [gap, count]]) => {
      const first = at + gap;
      at = first + count;
      return { number, first, last: at - 1 };
    });
  }

  it('give the table that was wished for, and keep every other byte', async () => {
    const property = fc.asyncProperty(layouts, async ({ rooms, entrySize, headerSize, newSectors }) => {
      const before = layOut(rooms.map(([number, room]) => [number, room]));
      const after = layOut(rooms.map(([number, , room]) => [number, room]));
      const base = { entrySize, headerSize, firstUsable: 200 };
      const table = await read(gptDisk({ ...base, diskSectors: SECTORS, entries: before }));
      expect(table).toMatchObject({ primaryState: 'good', backupState: 'good', problems: [] });
      const partitions = new Map(
        after.map(({ number, first, last }) => [number, { startLba: first, sectorCount: last - first + 1 }]),
      );
      const writes = editGpt(table, { diskSectors: newSectors, partitions }).flat();
      const disk = gptDisk({ ...base, diskSectors: SECTORS, entries: before }).with(writes, newSectors * 512);
      const wanted = gptDisk({ ...base, diskSectors: newSectors, entries: after });
      for (const { at, length } of tableSectorsOfGpt(table, newSectors)) {
        const [is, shallBe] = [await disk.readAt(at, length), await wanted.readAt(at, length)];
        expect(Buffer.compare(is, shallBe), `bytes at ${at}`).toBe(0);
      }
    });
    await fc.assert(property, { numRuns: 100 });
  });

  it('keep bytes of entries and headers that nobody knows', async () => {
    const disk = gptDisk({
      diskSectors: SECTORS,
      entrySize: 256,
      headerSize: 128,
      entries: [{ number: 2, first: 300, last: 400 }],
    });
    const table = await read(disk);
    const place = { startLba: 512, sectorCount: 101 };
    const after = await read(
      disk.with(editGpt(table, { diskSectors: SECTORS, partitions: new Map([[2, place]]) }).flat()),
    );
    expect(after.partitions).toMatchObject([{ number: 2, ...place, name: 'p2', attributes: 1n << 60n }]);
    expect(after.primary?.entrySectors[256 + 200]).toBe(filler(200));
    expect(after.primary?.headerSector[300]).toBe(filler(300));
    expect(after.backup?.headerSector[100]).toBe(filler(100));
  });

  it('refuse a disk that leaves no room, and call contradictions a bug', async () => {
    const entries = [
      { number: 1, first: 300, last: 400 },
      { number: 2, first: 500, last: 900 },
    ];
    const table = await read(gptDisk({ diskSectors: SECTORS, entries }));
    const same = unchanged(table);
    const edit =
      (diskSectors: number, partitions = same) =>
      () =>
        editGpt(table, { diskSectors, partitions });
    expect(edit(933)).toThrow(expect.objectContaining({ family: 'refused', code: 'gpt-usable' }));
    expect(edit(20)).toThrow(expect.objectContaining({ family: 'refused', code: 'gpt-usable' }));
    expect(edit(934)).not.toThrow();
    const overlap = new Map(same).set(1, { startLba: 450, sectorCount: 51 });
    expect(edit(SECTORS, overlap)).toThrow(expect.objectContaining({ family: 'internal' }));
    const inTable = new Map(same).set(1, { startLba: 33, sectorCount: 51 });
    expect(edit(SECTORS, inTable)).toThrow(expect.objectContaining({ family: 'internal' }));
    expect(edit(SECTORS, new Map())).toThrow(expect.objectContaining({ family: 'internal' }));
  });
});

describe('GPT problems', () => {
  it.each<[string, Partial<TestGpt>]>([
    [
      'partition-overlap',
      {
        entries: [
          { number: 1, first: 300, last: 400 },
          { number: 2, first: 400, last: 500 },
        ],
      },
    ],
    ['partition-bounds', { entries: [{ number: 1, first: 300, last: 200 }] }],
    ['partition-outside-usable', { entries: [{ number: 1, first: 33, last: 200 }] }],
    ['partition-beyond-disk', { entries: [{ number: 1, first: 300, last: SECTORS }] }],
    ['gpt-usable', { entries: [], lastUsable: SECTORS - 5 }],
    ['gpt-usable', { entries: [], firstUsable: 20 }],
  ])('%s', async (code, part) => {
    const table = await read(gptDisk({ diskSectors: SECTORS, entries: [], ...part }));
    expect(table.problems).toMatchObject([{ code }]);
    expect(editGpt(table, { diskSectors: SECTORS, partitions: unchanged(table) })).toEqual([]);
  });

  it('sizes nobody uses are not supported', async () => {
    for (const odd of [
      { entryCount: 1025 },
      { entrySize: 192 },
      { entrySize: 64 },
      { entrySize: 8192 },
      { entryCount: 0 },
    ]) {
      const disk = gptDisk({ diskSectors: SECTORS, entries: [], ...odd, firstUsable: 40_000 });
      await expect(readGpt(disk, 512)).rejects.toMatchObject({ family: 'unsupported', code: 'gpt-entries' });
    }
  });
});

describe('tableSectorsOfGpt', () => {
  it('names every sector of the table in order, and only those the disk has', async () => {
    const table = await read(gptDisk({ diskSectors: SECTORS, entries: [] }));
    const sectors = tableSectorsOfGpt(table, SECTORS).map(({ at, length }) => [at / 512, length / 512]);
    expect(sectors).toEqual([
      [0, 1],
      [1, 1],
      [2, 32],
      [SECTORS - 33, 32],
      [SECTORS - 1, 1],
    ]);
    for (const { at, length } of tableSectorsOfGpt(table, 10)) {
      expect(at).toBeGreaterThanOrEqual(0);
      expect(rangeEnd({ at, length })).toBeLessThanOrEqual(5120);
    }
  });
});

describe('hostile GPTs', () => {
  const entries = [
    { number: 1, first: 300, last: 400 },
    { number: 3, first: 500, last: 900 },
  ];
  const disk = gptDisk({ diskSectors: 2000, entries });

  async function readOrFail(hostile: SparseDisk): Promise<void> {
    try {
      await gptSectorSize(hostile);
      const table = await readGpt(hostile, 512);
      await readGpt(hostile, 4096);
      if (table !== null) tableSectorsOfGpt(table, table.diskSectors);
    } catch (error) {
      expect(error).toBeInstanceOf(VmreclaimError);
      expect(['damaged', 'unsupported']).toContain((error as VmreclaimError).family);
    }
  }

  it('cut off at any length give a table, null or an error of ours', async () => {
    for (let length = 0; length < 20_000; length += 101) await readOrFail(disk.with([], length));
    for (const length of [511, 512, 513, 1023, 1024, 1999 * 512, 2000 * 512 - 1])
      await readOrFail(disk.with([], length));
  });

  it('with flipped bytes, checksums repaired or not, give a table, null or an error of ours', async () => {
    const flips = fc.array(fc.tuple(fc.boolean(), fc.nat(1023), fc.nat(255)), { minLength: 1, maxLength: 5 });
    const property = fc.asyncProperty(flips, fc.boolean(), async (list, repaired) => {
      const patched = await Promise.all(
        [1, 1999].map(async (sector, index) => {
          const bytes = await disk.readAt(sector * 512, 512);
          for (const [isBackup, at, value] of list) {
            if (isBackup === (index === 1)) bytes[8 + (at % 84)] = value;
          }
          return { at: sector * 512, bytes: repaired ? sealed(bytes) : bytes };
        }),
      );
      await readOrFail(disk.with(patched));
    });
    await fc.assert(property, { numRuns: 500 });
  });

  function sealed(bytes: Uint8Array): Uint8Array {
    bytes.set([92, 0, 0, 0], 12);
    new DataView(bytes.buffer).setUint32(16, headerChecksum(bytes, 92), true);
    return bytes;
  }
});

describe('gptTypeName', () => {
  it('names the common types in any case and shows the others', () => {
    expect(gptTypeName(BASIC_DATA.toUpperCase())).toBe('Microsoft basic data');
    expect(gptTypeName('c12a7328-f81f-11d2-ba4b-00a0c93ec93b')).toBe('EFI system');
    expect(gptTypeName('12345678-f81f-11d2-ba4b-00a0c93ec93b')).toBe('12345678-f81f-11d2-ba4b-00a0c93ec93b');
  });
});
