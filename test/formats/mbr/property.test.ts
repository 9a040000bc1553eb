import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VmreclaimError } from '../../../src/core/errors.js';
import { editMbr, type MbrTable, readMbr } from '../../../src/formats/mbr/index.js';
import { SparseDisk } from './disk-file.js';
import { bootRecord, type TestEntry } from './table-bytes.js';

const DISK_SECTORS = 2_000_000;

interface Piece {
  readonly start: number;
  readonly count: number;
}
interface Layout {
  readonly primaries: readonly Piece[];
  readonly container: Piece;
  /** In chain order, each with its EBR. */
  readonly logicals: readonly (Piece & { readonly ebr: number })[];
}

const room = fc.record({
  gap: fc.nat(2000),
  ebrGap: fc.integer({ min: 1, max: 2048 }),
  count: fc.integer({ min: 1, max: 9000 }),
});
type Room = typeof room extends fc.Arbitrary<infer T> ? T : never;

/** Lays rooms out one behind the other; `chain` gives the order in which EBRs link. */
function layOut(rooms: readonly Room[], primaries: number, chain: readonly number[]): Layout {
  let at = 1;
  const place = ({ gap, count }: Room): Piece => {
    const start = at + gap;
    at = start + count;
    return { start, count };
  };
  const laid = rooms.slice(0, primaries).map(place);
  const containerStart = at + (rooms[primaries]?.gap ?? 0);
  at = containerStart;
  const byDisk = rooms.slice(primaries + 1).map(({ gap, ebrGap, count }, index) => {
    const ebr = index === 0 ? at : at + gap;
    const start = ebr + ebrGap;
    at = start + count;
    return { ebr, start, count };
  });
  // The first EBR begins the container, whatever the order of the others.
  const rest = byDisk.slice(1).map((logical, index) => ({ logical, rank: chain[index] ?? 0 }));
  rest.sort((a, b) => a.rank - b.rank);
  const logicals = [...byDisk.slice(0, 1), ...rest.map(({ logical }) => logical)];
  return { primaries: laid, container: { start: containerStart, count: at - containerStart + 1 }, logicals };
}

function encode({ primaries, container, logicals }: Layout, swapped: boolean): SparseDisk {
  const outer = [
    ...primaries.map((p, i) => ({ slot: i + 1, type: 7, ...p })),
    { slot: 4, type: 15, ...container },
  ];
  const records = logicals.map(({ ebr, start, count }, index) => {
    const next = logicals[index + 1];
    const entries: TestEntry[] = [{ slot: swapped ? 2 : 1, type: 7, start: start - ebr, count }];
    if (next !== undefined) {
      const span = next.start + next.count - next.ebr;
      entries.push({ slot: swapped ? 1 : 2, type: 5, start: next.ebr - container.start, count: span });
    }
    return { at: ebr * 512, bytes: bootRecord(entries) };
  });
  return new SparseDisk(DISK_SECTORS * 512).with([
    { at: 0, bytes: bootRecord(outer, 0xabad1dea) },
    ...records,
  ]);
}

const view = (table: MbrTable): unknown =>
  table.partitions.map((p) => [p.number, p.startLba, p.sectorCount, p.ebrLba, p.type]);

const layouts = fc.record({
  primaries: fc.integer({ min: 0, max: 3 }),
  swapped: fc.boolean(),
  pairs: fc.array(fc.tuple(room, room), { minLength: 4, maxLength: 10 }),
  chain: fc.array(fc.nat(1000), { minLength: 10, maxLength: 10 }),
});

describe('MBR edits', () => {
  it('give the table that was wished for, from any table to any other', async () => {
    const property = fc.asyncProperty(layouts, async ({ primaries, swapped, pairs, chain }) => {
      const before = layOut(
        pairs.map(([room]) => room),
        primaries,
        chain,
      );
      const after = layOut(
        pairs.map(([, room]) => room),
        primaries,
        chain,
      );
      const disk = encode(before, swapped);
      const table = await readMbr(disk, 512);
      expect(table?.problems).toEqual([]);
      if (table === null) throw new Error('no table');
      const numbered: [number, Piece][] = [
        ...after.primaries.map((piece, index): [number, Piece] => [index + 1, piece]),
        [4, after.container],
        ...after.logicals.map((piece, index): [number, Piece] => [index + 5, piece]),
      ];
      const writes = editMbr(table, {
        geometry: { heads: 64, sectorsPerTrack: 32 },
        diskSectors: DISK_SECTORS,
        partitions: new Map(
          numbered.map(([n, { start, count }]) => [n, { startLba: start, sectorCount: count }]),
        ),
        ebrs: new Map(after.logicals.map(({ ebr }, index) => [index + 5, ebr])),
      });
      const result = await readMbr(disk.with(writes), 512);
      const wanted = await readMbr(encode(after, swapped), 512);
      expect(result && view(result)).toEqual(wanted && view(wanted));
      expect(result?.problems).toEqual([]);
      expect(result?.signature).toBe(0xabad1dea);
      const outOfOrder = writes.findIndex(({ at }) => at === 0);
      expect([-1, writes.length - 1]).toContain(outOfOrder);
    });
    await fc.assert(property, { numRuns: 300 });
  });
});

describe('hostile MBRs', () => {
  const rooms = Array.from({ length: 6 }, (_, i) => ({ gap: 10 * i, ebrGap: 63, count: 500 }));
  const layout = layOut(rooms, 2, [3, 1, 2]);
  const disk = encode(layout, false);
  const sectors = [0, ...layout.logicals.map(({ ebr }) => ebr)];

  async function readOrFail(hostile: SparseDisk): Promise<void> {
    try {
      const table = await readMbr(hostile, 512);
      expect(table?.partitions.length ?? 0).toBeLessThanOrEqual(4 + 4 * 128);
    } catch (error) {
      expect(error).toBeInstanceOf(VmreclaimError);
      expect(error).toMatchObject({ family: 'damaged' });
    }
  }

  it('cut off at any length give a table, null or Damaged', async () => {
    for (let length = 0; length < 1200; length += 7) await readOrFail(disk.with([], length));
    for (const lba of sectors) {
      for (const length of [0, 1, 511, 512]) await readOrFail(disk.with([], lba * 512 + length));
    }
  });

  it('with flipped bytes give a table, null or Damaged', async () => {
    const flips = fc.array(
      fc.tuple(fc.nat(sectors.length - 1), fc.integer({ min: 0x1b8, max: 511 }), fc.nat(255)),
      { minLength: 1, maxLength: 6 },
    );
    const property = fc.asyncProperty(flips, async (list) => {
      const patched = await Promise.all(
        sectors.map(async (lba, index) => {
          const bytes = await disk.readAt(lba * 512, 512);
          for (const [sector, at, value] of list) if (sector === index) bytes[at] = value;
          return { at: lba * 512, bytes };
        }),
      );
      await readOrFail(disk.with(patched));
    });
    await fc.assert(property, { numRuns: 500 });
  });
});
