import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ByteRange, intersects, mergeRanges, rangeEnd } from '../../src/core/range.js';
import { KIB, MIB } from '../../src/core/units.js';
import type { BlockDevice } from '../../src/device/types.js';
import { checkLaws, targetOf } from '../../src/program/laws.js';
import type { MoveJob } from '../../src/program/move.js';
import { releasePhases } from '../../src/program/release.js';
import { MemoryDevice } from '../support/memory-device.js';

const job = (from: number, to: number, length: number, used: readonly ByteRange[] | null): MoveJob => ({
  why: 'move',
  from,
  to,
  length,
  used: used && {
    ranges: async (at, count) =>
      used
        .map((range) => ({ at: Math.max(at, range.at), end: Math.min(at + count, rangeEnd(range)) }))
        .filter(({ at: start, end }) => end > start)
        .map(({ at: start, end }) => ({ at: start, length: end - start })),
  },
  journaled: false,
  windowBytes: MIB,
});

async function released(
  device: BlockDevice,
  one: MoveJob,
  all: readonly MoveJob[] = [one],
): Promise<ByteRange[]> {
  const ranges: ByteRange[] = [];
  for await (const phase of releasePhases(device, one, all)) {
    checkLaws(phase);
    for (const operation of phase.operations) ranges.push(targetOf(operation) ?? { at: 0, length: 0 });
  }
  return ranges;
}

function full(sizeBytes: number): MemoryDevice {
  const device = new MemoryDevice(sizeBytes);
  device.poke(0, new Uint8Array(sizeBytes).fill(0xa5));
  return device;
}

describe('what a move leaves behind inside the new place', () => {
  it('is given back: old bytes that are not new ones', async () => {
    const used = [{ at: 0, length: MIB }];
    expect(await released(full(8 * MIB), job(0, 4 * MIB, 4 * MIB, used))).toEqual([]);
    expect(await released(full(8 * MIB), job(0, 63 * KIB, 4 * MIB, used))).toEqual([]);
    const apart = [
      { at: 0, length: 4096 },
      { at: 2 * MIB, length: MIB },
    ];
    expect(await released(full(8 * MIB), job(0, MIB, 4 * MIB, apart))).toEqual([
      { at: 2 * MIB, length: MIB },
    ]);
  });

  it('may be of another partition that went away', async () => {
    const one = job(0, MIB, 3 * MIB, [{ at: 0, length: 4096 }]);
    const other = job(3 * MIB, 6 * MIB, MIB, null);
    expect(await released(full(8 * MIB), one, [one, other])).toEqual([{ at: 3 * MIB, length: MIB }]);
  });

  it('stays where every byte was moved, and where it is a hole already', async () => {
    expect(await released(full(8 * MIB), job(0, MIB, 4 * MIB, null))).toEqual([]);
    const used = [{ at: 2 * MIB, length: MIB }];
    expect(await released(new MemoryDevice(8 * MIB), job(0, MIB, 4 * MIB, used))).toEqual([]);
  });

  it('never takes a byte that the volume uses, nor one outside the new place', async () => {
    const range = fc.record({
      at: fc.integer({ min: 0, max: 4 * MIB }),
      length: fc.integer({ min: 1, max: MIB }),
    });
    const place = fc.integer({ min: 0, max: 3 * MIB });
    await fc.assert(
      fc.asyncProperty(place, place, fc.array(range, { maxLength: 8 }), async (from, to, ranges) => {
        const length = 5 * MIB;
        const used = mergeRanges(ranges.sort((a, b) => a.at - b.at));
        for (const free of await released(full(8 * MIB), job(from, to, length, used))) {
          expect(used.some(({ at, length: size }) => intersects(free, { at: at + to, length: size }))).toBe(
            false,
          );
          expect(free.at).toBeGreaterThanOrEqual(to);
          expect(rangeEnd(free)).toBeLessThanOrEqual(to + length);
        }
      }),
      { numRuns: 60 },
    );
  });
});
