import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ByteRange, clipRanges, complement, mergeRanges } from '../../src/core/range.js';
import { KIB, MIB } from '../../src/core/units.js';
import { nonZeroIn } from '../../src/program/look.js';
import { FaultyDevice } from '../support/faulty-device.js';
import { MemoryDevice } from '../support/memory-device.js';

const SIZE = 5 * MIB;
const SECTOR = 512;
const WINDOW = 64 * KIB;

/** Sorted stretches of whole sectors, apart. */
const stretches = fc
  .array(fc.tuple(fc.nat(SIZE / SECTOR - 1), fc.integer({ min: 1, max: 3000 })), { maxLength: 12 })
  .map((raw) =>
    mergeRanges(
      clipRanges(
        raw.sort(([a], [b]) => a - b).map(([at, length]) => ({ at: at * SECTOR, length: length * SECTOR })),
        { at: 0, length: SIZE },
      ),
    ),
  );

async function* each(ranges: readonly ByteRange[]): AsyncGenerator<ByteRange> {
  yield* ranges;
}

async function found(device: MemoryDevice | FaultyDevice, ranges: readonly ByteRange[]) {
  const result: ByteRange[] = [];
  let read = 0;
  const count = (bytes: number): void => {
    read += bytes;
  };
  for await (const range of nonZeroIn(device, each(ranges), count)) result.push(range);
  return { result, read };
}

/** Of each window the part that lies in a stretch, when that part holds something else than zeros. */
function expected(device: MemoryDevice, ranges: readonly ByteRange[]): ByteRange[] {
  const parts = ranges.flatMap(({ at, length }) => {
    const end = at + length;
    const cuts: ByteRange[] = [];
    for (let from = at; from < end; ) {
      const to = Math.min(end, Math.floor(from / WINDOW) * WINDOW + WINDOW);
      cuts.push({ at: from, length: to - from });
      from = to;
    }
    return cuts;
  });
  return mergeRanges(parts.filter((part) => device.bytes(part.at, part.length).some((byte) => byte !== 0)));
}

describe('looking for what is not zero', () => {
  it('finds every window that holds something, and nothing outside of the stretches', async () => {
    const marks = fc.array(fc.nat(SIZE - 1), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(stretches, marks, async (ranges, bytes) => {
        const device = new MemoryDevice(SIZE);
        for (const at of bytes) device.poke(at, Uint8Array.of(1));
        const { result, read } = await found(device, ranges);
        expect(mergeRanges(result)).toEqual(expected(device, ranges));
        expect(read).toBe(ranges.reduce((sum, { length }) => sum + length, 0));
        const outside = complement(ranges, { at: 0, length: SIZE });
        expect(result.flatMap((range) => clipRanges(outside, range))).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });

  it('ends with the error of the store', async () => {
    const device = new FaultyDevice(new MemoryDevice(SIZE), [
      { fail: 'read', range: { at: 3 * MIB, length: SECTOR } },
    ]);
    await expect(found(device, [{ at: 0, length: SIZE }])).rejects.toMatchObject({ family: 'device' });
  });
});
