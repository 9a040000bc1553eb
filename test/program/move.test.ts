import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ByteRange, rangeEnd } from '../../src/core/range.js';
import { GIB, KIB, MIB, TIB } from '../../src/core/units.js';
import type { BlockDevice } from '../../src/device/types.js';
import type { UsedMap } from '../../src/formats/types.js';
import { checkLaws, copiedBytes } from '../../src/program/laws.js';
import { type MoveJob, movePhases } from '../../src/program/move.js';
import type { Operation, Phase } from '../../src/program/types.js';
import { MemoryDevice } from '../support/memory-device.js';
import { randomBytes } from '../support/random.js';

type Copy = Extract<Operation, { op: 'copy' }>;
type Discard = Extract<Operation, { op: 'discard' }>;

const isCopy = (operation: Operation): operation is Copy => operation.op === 'copy';
const isDiscard = (operation: Operation): operation is Discard => operation.op === 'discard';

const job = (change: Partial<MoveJob>): MoveJob => ({
  why: 'move partition 1',
  from: 0,
  to: MIB,
  length: MIB,
  used: null,
  journaled: false,
  windowBytes: MIB,
  ...change,
});

async function phasesOf(device: BlockDevice, move: MoveJob): Promise<Phase[]> {
  const phases: Phase[] = [];
  for await (const phase of movePhases(device, move)) phases.push(phase);
  return phases;
}

/** A disk without a hole. */
function full(sizeBytes: number): MemoryDevice {
  const device = new MemoryDevice(sizeBytes);
  device.poke(0, new Uint8Array(sizeBytes).fill(0xa5));
  return device;
}

const usedRanges = (all: readonly ByteRange[]): UsedMap => ({
  ranges: async (at, length) =>
    all
      .map((range) => ({ at: Math.max(at, range.at), end: Math.min(at + length, rangeEnd(range)) }))
      .filter(({ at: start, end }) => end > start)
      .map(({ at: start, end }) => ({ at: start, length: end - start })),
});

const copiesOf = (phases: readonly Phase[]): Copy[] =>
  phases.flatMap(({ operations }) => operations.filter(isCopy));

const anyWindow = fc
  .record({
    from: fc.integer({ min: 0, max: 300_000 }),
    to: fc.integer({ min: 0, max: 300_000 }),
    length: fc.integer({ min: 1, max: 400_000 }),
    windowBytes: fc.integer({ min: 1_000, max: 100_000 }),
    journaled: fc.boolean(),
  })
  .filter(({ from, to, length }) => from !== to && length / Math.abs(from - to) < 1000)
  .map(job);

describe('the phases of a move', () => {
  const disk = full(700_000);

  it('keep the laws, their window and their distance, and say whether they spill', async () => {
    await fc.assert(
      fc.asyncProperty(anyWindow, async (move) => {
        const distance = Math.abs(move.to - move.from);
        for (const phase of await phasesOf(disk, move)) {
          checkLaws(phase);
          expect(phase).toMatchObject({ stage: 'change', why: 'move partition 1' });
          expect(phase.spill === true).toBe(move.journaled);
          const copied = copiedBytes(phase);
          expect(copied).toBeGreaterThan(0);
          expect(copied).toBeLessThanOrEqual(move.windowBytes);
          if (!move.journaled) expect(copied).toBeLessThanOrEqual(distance);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('copy every byte of an opaque partition exactly once, by the distance', async () => {
    await fc.assert(
      fc.asyncProperty(anyWindow, async (move) => {
        const copies = copiesOf(await phasesOf(disk, move)).sort((a, b) => a.from - b.from);
        let at = move.from;
        for (const { from, to, length } of copies) {
          expect(from).toBe(at);
          expect(to - from).toBe(move.to - move.from);
          at += length;
        }
        expect(at).toBe(move.from + move.length);
      }),
      { numRuns: 200 },
    );
  });

  it('begin at the end that the data moves towards', async () => {
    const right = copiesOf(await phasesOf(disk, job({ from: 1000, to: 5000, length: 20_000 })));
    expect(right.map(({ from }) => from)).toEqual([17_000, 13_000, 9_000, 5_000, 1_000]);
    const left = copiesOf(await phasesOf(disk, job({ from: 5000, to: 1000, length: 20_000 })));
    expect(left.map(({ from }) => from)).toEqual([5_000, 9_000, 13_000, 17_000, 21_000]);
  });

  it('copy small unused gaps along and leave large ones out', async () => {
    const device = full(8 * MIB);
    const used = usedRanges([
      { at: 0, length: 4 * KIB },
      { at: 100 * KIB, length: 4 * KIB },
      { at: 2 * MIB, length: 64 * KIB },
    ]);
    const move = job({ from: 0, to: 4 * MIB, length: 3 * MIB, used, windowBytes: 4 * MIB });
    const phases = await phasesOf(device, move);
    expect(phases).toHaveLength(1);
    expect(copiesOf(phases).map(({ from, length }) => [from, length])).toEqual([
      [2 * MIB, 64 * KIB],
      [0, 104 * KIB],
    ]);
  });

  it('do not grow without bound in operations', async () => {
    const far = 1_000_000;
    const ranges = Array.from({ length: 9_000 }, (_, i) => ({ at: i * far, length: 4_096 }));
    const size = 9_000 * far;
    const device = everywhere(4 * size);
    const move = job({
      from: 0,
      to: 2 * size,
      length: size,
      used: usedRanges(ranges),
      windowBytes: 256 * MIB,
    });
    const phases = await phasesOf(device, move);
    expect(copiesOf(phases)).toHaveLength(9_000);
    expect(Math.max(...phases.map(({ operations }) => operations.length))).toBe(4096);
  });
});

/** A device of any size that claims data everywhere; nothing of it is read. */
function everywhere(sizeBytes: number): BlockDevice {
  const device = new MemoryDevice(sizeBytes);
  device.dataRanges = async (at, length) => [{ at, length }];
  return device;
}

describe('holes of a sparse disk', () => {
  /** Data in the first and last 64 KiB of the partition, and behind it. */
  function sparse(): MemoryDevice {
    const device = new MemoryDevice(16 * MIB);
    device.poke(0, randomBytes(64 * KIB, 1));
    device.poke(4 * MIB - 64 * KIB, randomBytes(64 * KIB, 2));
    return device;
  }

  it('are not copied, and not discarded where the target is a hole already', async () => {
    const phases = await phasesOf(sparse(), job({ from: 0, to: 8 * MIB, length: 4 * MIB }));
    expect(phases.flatMap(({ operations }) => operations.filter(isDiscard))).toEqual([]);
    expect(copiesOf(phases).reduce((total, { length }) => total + length, 0)).toBe(128 * KIB);
  });

  it('are discarded where the target holds data', async () => {
    const device = sparse();
    device.poke(9 * MIB, randomBytes(8 * KIB, 3));
    const phases = await phasesOf(device, job({ from: 0, to: 8 * MIB, length: 4 * MIB }));
    expect(phases.flatMap(({ operations }) => operations.filter(isDiscard))).toEqual([
      { op: 'discard', at: 9 * MIB, length: 8 * KIB },
    ]);
  });

  it('are left alone where the file system uses nothing', async () => {
    const device = sparse();
    device.poke(9 * MIB, randomBytes(8 * KIB, 3));
    const used = usedRanges([{ at: 0, length: 64 * KIB }]);
    const phases = await phasesOf(device, job({ from: 0, to: 8 * MIB, length: 4 * MIB, used }));
    expect(phases.flatMap(({ operations }) => operations)).toEqual([
      { op: 'copy', from: 0, to: 8 * MIB, length: 64 * KIB },
    ]);
  });

  it.each([true, false])(
    'may be moved behind the present end of a disk that grows: journaled %s',
    async (journaled) => {
      const device = sparse();
      device.setSize(4 * MIB);
      const phases = await phasesOf(device, job({ from: 0, to: 2 * MIB, length: 4 * MIB, journaled }));
      expect(copiesOf(phases).reduce((total, { length }) => total + length, 0)).toBe(128 * KIB);
      const discards = phases.flatMap(({ operations }) => operations.filter(isDiscard));
      expect(discards).toEqual([{ op: 'discard', at: 4 * MIB - 64 * KIB, length: 64 * KIB }]);
    },
  );
});

describe('a move whose windows share blocks', () => {
  const shared = { from: 63 * 512, to: 64 * KIB, journaled: true, shared: true, windowBytes: 256 * MIB };

  it('has large ones, and the journal gets what is less than one of its own', async () => {
    const length = 516 * MIB;
    const phases = await phasesOf(everywhere(GIB), job({ ...shared, length }));
    expect(phases.map((phase) => [phase.spill, copiedBytes(phase)])).toEqual([
      ['shared', 256 * MIB],
      ['shared', 256 * MIB],
      [true, 4 * MIB],
    ]);
    phases.forEach(checkLaws);
  });

  it('copies gaps along that would leave the file in pieces', async () => {
    const used = usedRanges([
      { at: 0, length: 20 * MIB },
      { at: 21 * MIB, length: 20 * MIB },
    ]);
    const phases = await phasesOf(everywhere(GIB), job({ ...shared, length: 50 * MIB, used }));
    expect(copiesOf(phases).map((copy) => copy.length)).toEqual([41 * MIB]);
  });

  it('goes through the journal where the pieces are small', async () => {
    const small = Array.from({ length: 60 }, (_, i) => ({ at: 4 * i * MIB, length: MIB }));
    const used = usedRanges([...small, { at: 240 * MIB, length: 100 * MIB }]);
    const phases = await phasesOf(everywhere(GIB), job({ ...shared, length: 340 * MIB, used }));
    const sizes = phases.map((phase) => [phase.spill, copiedBytes(phase)]);
    expect(sizes[0]).toEqual(['shared', expect.any(Number)]);
    expect(sizes.at(-1)).toEqual([true, expect.any(Number)]);
    for (const [spill, bytes = 0] of sizes) if (spill === true) expect(bytes).toBeLessThanOrEqual(8 * MIB);
    expect(copiesOf(phases).reduce((sum, { length }) => sum + length, 0)).toBe(160 * MIB);
  });
});

describe('a volume of 60 TB', () => {
  /** A cluster in every 2 MiB, generated as it is asked for. */
  const scattered: UsedMap = {
    ranges: async (at, length) => {
      const ranges: ByteRange[] = [];
      const step = 2 * MIB;
      for (let start = Math.ceil(at / step) * step; start < at + length; start += step) {
        ranges.push({ at: start, length: Math.min(4096, at + length - start) });
      }
      return ranges;
    },
  };
  const huge = (length: number) =>
    job({ from: 63 * 512, to: MIB, length, used: scattered, journaled: true, windowBytes: 8 * MIB });

  it('gives its first phases at once', async () => {
    const length = 60 * TIB;
    const device = everywhere(length + GIB);
    let phases = 0;
    for await (const phase of movePhases(device, huge(length))) {
      checkLaws(phase);
      if (++phases === 20) break;
    }
    expect(phases).toBe(20);
  });

  it('streams: memory does not grow with what was passed', async () => {
    const length = TIB;
    const device = everywhere(length + GIB);
    let copied = 0;
    let peak = 0;
    const before = process.memoryUsage().heapUsed;
    for await (const phase of movePhases(device, huge(length))) {
      copied += copiedBytes(phase);
      peak = Math.max(peak, process.memoryUsage().heapUsed - before);
    }
    expect(copied).toBeGreaterThanOrEqual((length / (2 * MIB)) * 4096);
    // All half a million copies at once would take some 60 MiB; garbage not yet collected is allowed for.
    expect(peak).toBeLessThan(48 * MIB);
  });
});
