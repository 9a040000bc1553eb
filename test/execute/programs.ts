import fc from 'fast-check';
import type { UsedMap } from '../../src/formats/types.js';
import { movePhases } from '../../src/program/move.js';
import type { Operation, Phase } from '../../src/program/types.js';
import { MemoryDevice } from '../support/memory-device.js';
import { randomBytes } from '../support/random.js';

/** Small enough that a crash at every step is affordable; odd enough to hit sector borders. */
export const DISK_BYTES = 24 * 1024 + 300;

/** A disk of random bytes with two holes. */
export function testDisk(seed: number): MemoryDevice {
  const device = new MemoryDevice(DISK_BYTES, 'disk', seed % 2 === 0);
  device.poke(0, randomBytes(7_000, seed));
  device.poke(12_288, randomBytes(8_000, seed + 1));
  return device;
}

const cut = fc.integer({ min: 0, max: DISK_BYTES });

/** Disjoint ranges in order, cut at random places. */
const ranges = (count: number) =>
  fc.uniqueArray(cut, { minLength: 2 * count, maxLength: 2 * count }).map((cuts) => {
    const sorted = [...cuts].sort((a, b) => a - b);
    return Array.from({ length: count }, (_, i) => ({
      at: sorted[2 * i] ?? 0,
      length: (sorted[2 * i + 1] ?? 0) - (sorted[2 * i] ?? 0),
    }));
  });

/** Copies whose targets and sources are all disjoint: the ranges of one list in pairs. */
const directPhase: fc.Arbitrary<Phase> = fc
  .tuple(ranges(6), fc.integer({ min: 1, max: 1e6 }))
  .map(([list, seed]) => {
    const [a, b, c, d, e, f] = list;
    const operations: Operation[] = [];
    if (a && b) operations.push({ op: 'copy', from: a.at, to: b.at, length: Math.min(a.length, b.length) });
    if (c && d) operations.push({ op: 'copy', from: d.at, to: c.at, length: Math.min(c.length, d.length) });
    if (e) operations.push({ op: 'discard', ...e });
    if (f) operations.push({ op: 'write', at: f.at, bytes: randomBytes(f.length, seed) });
    return { stage: 'change', why: 'direct', operations };
  });

const spill = fc.constantFrom(true as const, 'shared' as const);

/** Copies from anywhere, sources and targets overlapping at will; only the targets are disjoint. */
const spillPhase: fc.Arbitrary<Phase> = fc
  .tuple(ranges(4), fc.array(cut, { minLength: 4, maxLength: 4 }), spill)
  .map(([list, places, saved]) => {
    const operations = list.map((target, index): Operation => {
      if (index === 3) return { op: 'discard', ...target };
      const from = (places[index] ?? 0) % (DISK_BYTES - target.length + 1);
      return { op: 'copy', from, to: target.at, length: target.length };
    });
    return { stage: 'change', why: 'spill', operations, spill: saved };
  });

/** To the left by less than its length, from a store that cannot do it: it is copied in windows. */
const shiftPhase: fc.Arbitrary<Phase> = fc
  .record({
    to: fc.integer({ min: 0, max: 4_000 }),
    distance: fc.integer({ min: 700, max: 4_000 }),
    extra: fc.integer({ min: 0, max: 12_000 }),
  })
  .map(({ to, distance, extra }) => {
    const operation = { op: 'shift', from: to + distance, to, length: distance + extra } as const;
    return { stage: 'change', why: 'shift', operations: [operation] };
  });

const resizePhase: fc.Arbitrary<Phase> = fc
  .integer({ min: DISK_BYTES, max: DISK_BYTES + 5_000 })
  .map((to) => ({ stage: 'change', why: 'resize', operations: [{ op: 'resize', to }] }));

/** Any program that keeps the laws. */
export const anyProgram: fc.Arbitrary<Phase[]> = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: directPhase },
    { weight: 4, arbitrary: spillPhase },
    shiftPhase,
    resizePhase,
  ),
  { minLength: 1, maxLength: 6 },
);

/** A real move: direction, distance, window and used ranges at random. */
export const anyMove = fc
  .record({
    from: fc.integer({ min: 0, max: 6_000 }),
    to: fc.integer({ min: 0, max: 6_000 }),
    length: fc.integer({ min: 1, max: 17_000 }),
    journaled: fc.boolean(),
    windowBytes: fc.integer({ min: 500, max: 6_000 }),
    used: fc.option(ranges(5), { nil: null }),
  })
  // A direct move by a few bytes has thousands of phases, and each is cut in every step.
  .filter(({ from, to, journaled }) => from !== to && (journaled || Math.abs(to - from) >= 400));

export async function phasesOfMove(
  device: MemoryDevice,
  move: typeof anyMove extends fc.Arbitrary<infer T> ? T : never,
): Promise<Phase[]> {
  const used: UsedMap | null =
    move.used === null
      ? null
      : {
          ranges: async (at, length) =>
            (move.used ?? [])
              .map((range) => {
                const start = Math.max(at, range.at);
                const end = Math.min(at + length, range.at + range.length);
                return { at: start, length: end - start };
              })
              .filter((range) => range.length > 0),
        };
  const phases: Phase[] = [];
  for await (const phase of movePhases(device, { ...move, why: 'move', used })) phases.push(phase);
  return phases;
}
