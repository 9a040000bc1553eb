import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { requestFromPlan } from '../../src/app/plan.js';
import { VmreclaimError } from '../../src/core/errors.js';
import type { DiskFacts, PartitionFacts } from '../../src/inspect/types.js';
import { makePlan } from '../../src/plan/plan.js';
import { parsePlan } from '../../src/plan/plan-file.js';
import type { FreeRule, LayoutPartition, LayoutRequest, Plan } from '../../src/plan/types.js';
import { alignRequest, anyDisk, factsAfter } from './layouts.js';

const RUNS = { numRuns: Number(process.env.VMRECLAIM_PLAN_RUNS ?? 500) };
const REFUSALS = new Set(['refused', 'usage', 'damaged', 'unsupported']);

interface Case {
  readonly facts: DiskFacts;
  readonly request: LayoutRequest;
}

/** The same disk with volumes that can be resized: used bytes that fit, and a proven minimum above them. */
function resizable(facts: DiskFacts, dice: readonly number[]): DiskFacts {
  const partitions = facts.partitions.map((partition, index): PartitionFacts => {
    const { filesystem } = partition;
    if (filesystem?.kind !== 'ntfs') return partition;
    const size = partition.sectorCount * facts.sectorSize;
    const usedBytes = Math.floor(size * (dice[index % dice.length] ?? 0.5));
    const technicalBytes = Math.min(size, usedBytes + 3 * facts.sectorSize);
    const recommendedBytes = Math.min(size, technicalBytes + (8 << 20));
    const minimum = { technicalBytes, recommendedBytes };
    return {
      ...partition,
      filesystem: { ...filesystem, usedBytes, reasons: filesystem.move.blockers },
      resizing: { canShrink: true, canEnlarge: true, minimum, blocker: null },
    };
  });
  return { ...facts, partitions };
}

const freeRule = fc.oneof<fc.Arbitrary<FreeRule | null>[]>(
  fc.constant(null),
  fc.constantFrom({ kind: 'default' as const }, { kind: 'minimum' as const }),
  fc.integer({ min: 0, max: 99 }).map((percent) => ({ kind: 'percent' as const, percent })),
  fc.integer({ min: 0, max: 64 << 20 }).map((bytes) => ({ kind: 'bytes' as const, bytes })),
);

const anyCase: fc.Arbitrary<Case> = fc
  .record({
    disk: anyDisk,
    dice: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 6 }),
    command: fc.constantFrom('shrink' as const, 'enlarge' as const, 'align' as const),
    boundaryBytes: fc.integer({ min: 12, max: 21 }).map((power) => 2 ** power),
    cylinders: fc.boolean(),
    exempt: fc.nat({ max: 12 }),
    grow: fc.boolean(),
    free: freeRule,
    sizes: fc.array(
      fc.record({ index: fc.nat({ max: 5 }), factor: fc.double({ min: 0.01, max: 3, noNaN: true }) }),
      {
        maxLength: 2,
      },
    ),
  })
  .map(({ disk, dice, sizes, exempt, ...wish }) => {
    const facts = resizable(disk, dice);
    const able = facts.partitions.filter(({ resizing }) => resizing?.canShrink === true);
    const named = new Map<number, number>();
    for (const { index, factor } of sizes) {
      const chosen = able[index % Math.max(1, able.length)];
      const sectors = Math.max(1, Math.floor((chosen?.sectorCount ?? 1) * factor));
      if (chosen !== undefined) named.set(chosen.number, sectors * facts.sectorSize);
    }
    const numbers = facts.partitions.map(({ number }) => number);
    return {
      facts,
      request: alignRequest({
        ...wish,
        doNotAlign: numbers.filter((number) => number === exempt),
        sizes: [...named].map(([number, sizeBytes]) => ({ number, sizeBytes })),
      }),
    };
  });

function planOrRefusal({ facts, request }: Case): Plan | VmreclaimError {
  try {
    return makePlan(facts, request);
  } catch (error) {
    if (error instanceof VmreclaimError && REFUSALS.has(error.family)) return error;
    throw error;
  }
}

function forEveryPlan(check: (plan: Plan, each: Case) => void): void {
  let resizes = 0;
  fc.assert(
    fc.property(anyCase, (each) => {
      const plan = planOrRefusal(each);
      if (plan instanceof VmreclaimError) return;
      resizes += plan.resizes.length;
      check(plan, each);
    }),
    RUNS,
  );
  expect(resizes).toBeGreaterThan(RUNS.numRuns / 10);
}

const end = ({ startLba, sectorCount }: LayoutPartition): number => startLba + sectorCount;
const find = (layout: Plan['after'], number: number): LayoutPartition => {
  const found = layout.partitions.find((each) => each.number === number);
  if (found === undefined) throw new Error(`partition ${number} is missing`);
  return found;
};

describe('every plan that resizes', () => {
  it('lets nothing overlap, EBRs included, and stays inside the disk as it will be', () => {
    forEveryPlan((plan, { facts }) => {
      const { after } = plan;
      const { usable } = factsAfter(facts, plan);
      const claims = after.partitions
        .filter(({ kind }) => kind !== 'extended')
        .flatMap((each) => [
          { start: each.startLba as number, end: end(each) },
          ...(each.ebrLba === null ? [] : [{ start: each.ebrLba as number, end: each.ebrLba + 1 }]),
        ])
        .sort((a, b) => a.start - b.start || a.end - b.end);
      claims.forEach((claim, index) => {
        expect(claim.start).toBeGreaterThanOrEqual(claims[index - 1]?.end ?? 0);
        expect(claim.end).toBeLessThanOrEqual(usable.end);
      });
      const container = after.partitions.find(({ kind }) => kind === 'extended');
      for (const each of after.partitions) {
        if (container === undefined || each.kind === 'extended') continue;
        const isInside = each.startLba >= container.startLba && end(each) <= end(container);
        const isOutside = end(each) <= container.startLba || each.startLba >= end(container);
        expect(each.kind === 'logical' ? isInside : isOutside).toBe(true);
      }
    });
  });

  it('makes nothing smaller but what was asked for, and no volume smaller than was proven', () => {
    forEveryPlan((plan, { facts, request }) => {
      const resized = new Map(plan.resizes.map((resize) => [resize.number, resize]));
      for (const { number, kind, sectorCount, resizing } of facts.partitions) {
        const now = find(plan.after, number).sectorCount;
        const resize = resized.get(number);
        if (kind === 'extended') continue;
        if (resize === undefined) {
          expect(now).toBeGreaterThanOrEqual(sectorCount);
          continue;
        }
        expect(now * facts.sectorSize).toBe(resize.toBytes);
        expect(resize.toBytes).toBeGreaterThanOrEqual(resizing?.minimum?.technicalBytes ?? 0);
        const named = request.sizes.find((size) => size.number === number);
        if (named !== undefined) expect(resize.toBytes).toBeGreaterThanOrEqual(named.sizeBytes);
        else expect(resize.direction).toBe(request.command === 'enlarge' ? 'enlarge' : 'shrink');
      }
    });
  });

  it('cuts the disk only when it shrinks, behind the last partition, to whole MiB', () => {
    forEveryPlan((plan, { facts, request }) => {
      const { before, after } = plan;
      if (request.command !== 'shrink') expect(after.sizeBytes).toBeGreaterThanOrEqual(before.sizeBytes);
      else if (!request.grow) expect(after.sizeBytes).toBeLessThanOrEqual(before.sizeBytes);
      if (after.sizeBytes >= before.sizeBytes) return;
      expect(after.sizeBytes % (1 << 20)).toBe(0);
      const { usable } = factsAfter(facts, plan);
      const last = Math.max(...after.partitions.map(end));
      expect((usable.end - last) * facts.sectorSize).toBeLessThan(1 << 20);
    });
  });

  it('packs to the left: no gap is left that would be worth a move', () => {
    forEveryPlan(({ after }, { facts, request }) => {
      if (request.command !== 'shrink' || request.cylinders || request.doNotAlign.length > 0) return;
      const outer = after.partitions
        .filter(({ kind }) => kind !== 'logical')
        .sort((a, b) => a.startLba - b.startLba);
      let cursor: number = facts.usable.first;
      for (const each of outer) {
        const gap = (each.startLba - cursor) * facts.sectorSize;
        // Large clusters start on their own boundary.
        expect(gap).toBeLessThanOrEqual((1 << 20) + Math.max(request.boundaryBytes, 2 << 20));
        cursor = end(each);
      }
    });
  });

  it('moves no partition that was aligned and is in nobody’s way, unless it packs', () => {
    forEveryPlan(({ after, before }, { request }) => {
      if (request.command !== 'enlarge' || after.partitions.length === 0) return;
      for (const each of after.partitions) {
        const old = find(before, each.number);
        if (each.startLba === old.startLba || each.kind === 'extended') continue;
        expect(each.startLba).toBeGreaterThan(old.startLba);
      }
    });
  });

  it('orders the moves so that none runs over data that has not moved yet', () => {
    forEveryPlan(({ moves, before, after }) => {
      const data = new Map(
        before.partitions
          .filter(({ kind }) => kind !== 'extended')
          .map((old) => {
            const sectorCount = Math.min(old.sectorCount, find(after, old.number).sectorCount);
            return [old.number, { ...old, sectorCount }] as const;
          }),
      );
      for (const move of moves) {
        expect(data.get(move.number)).toMatchObject({
          startLba: move.fromLba,
          sectorCount: move.sectorCount,
        });
        for (const [number, other] of data) {
          const isOver = move.toLba < end(other) && other.startLba < move.toLba + move.sectorCount;
          if (number !== move.number) expect(isOver).toBe(false);
        }
        const moved = data.get(move.number);
        if (moved !== undefined) data.set(move.number, { ...moved, startLba: move.toLba });
      }
    });
  });

  it('is deterministic, is JSON, and leads move-extents to the same layout when it was saved', () => {
    forEveryPlan((plan, { facts, request }) => {
      expect(JSON.stringify(makePlan(facts, request))).toBe(JSON.stringify(plan));
      const saved = parsePlan(JSON.stringify(plan));
      const again = makePlan(facts, requestFromPlan(saved, facts));
      expect(again.after).toEqual(plan.after);
      expect(again.resizes).toEqual(plan.resizes);
      expect(again.moves).toEqual(plan.moves);
    });
  });

  it('finds nothing to do on the disk that its plan promises', () => {
    forEveryPlan((plan, { facts, request }) => {
      // align rounds ends up, which can bring a volume over the least that a rule changes.
      if (request.command === 'align' && request.free !== null) return;
      // A size by name is reached, or was rounded up to a boundary: the second time it is what is there.
      const sizes = request.sizes.flatMap(({ number }) => {
        const now = number === null ? undefined : find(plan.after, number);
        return now === undefined ? [] : [{ number, sizeBytes: now.sectorCount * facts.sectorSize }];
      });
      const again = makePlan(factsAfter(facts, plan), { ...request, sizes });
      expect(again.after).toEqual(plan.after);
      expect(again.status).toBe('nothing-to-do');
    });
  });

  it('or a refusal says why, and what to do', () => {
    const codes = new Set<string>();
    fc.assert(
      fc.property(anyCase, (each) => {
        const plan = planOrRefusal(each);
        if (!(plan instanceof VmreclaimError)) return;
        codes.add(plan.code);
        expect(plan.message).not.toMatch(/NaN|undefined|Infinity/);
        expect(plan.detail.hint ?? '').not.toBe('');
      }),
      RUNS,
    );
    expect(codes.size).toBeGreaterThan(2);
  });
});
