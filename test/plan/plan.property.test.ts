import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { requestFromPlan } from '../../src/app/plan.js';
import { VmreclaimError } from '../../src/core/errors.js';
import type { DiskFacts } from '../../src/inspect/types.js';
import { makePlan } from '../../src/plan/plan.js';
import { parsePlan } from '../../src/plan/plan-file.js';
import type { LayoutPartition, LayoutRequest, Plan } from '../../src/plan/types.js';
import { anyCase, factsAfter } from './layouts.js';

const RUNS = { numRuns: Number(process.env.VMRECLAIM_PLAN_RUNS ?? 500) };

/** What a person gets instead of a plan: always a family that changes nothing, and a remedy. */
const REFUSALS = new Set(['refused', 'usage', 'damaged']);

function planOrRefusal(facts: DiskFacts, request: LayoutRequest): Plan | VmreclaimError {
  try {
    return makePlan(facts, request);
  } catch (error) {
    if (error instanceof VmreclaimError && REFUSALS.has(error.family)) return error;
    throw error;
  }
}

/** Runs `check` on every plan that is made of random disks. */
function forEveryPlan(check: (plan: Plan, facts: DiskFacts, request: LayoutRequest) => void): void {
  let plans = 0;
  fc.assert(
    fc.property(anyCase, ({ facts, request }) => {
      const plan = planOrRefusal(facts, request);
      if (plan instanceof VmreclaimError) return;
      plans++;
      check(plan, facts, request);
    }),
    RUNS,
  );
  // A generator that only made refusals would prove nothing.
  expect(plans).toBeGreaterThan(RUNS.numRuns / 4);
}

const end = ({ startLba, sectorCount }: LayoutPartition): number => startLba + sectorCount;
const isContainer = ({ kind }: LayoutPartition): boolean => kind === 'extended';

/** The first sector of a container holds an EBR, also when no logical claims it. */
function emptyFirstEbr(before: Plan['before'], after: Plan['after']): { start: number; end: number }[] {
  return before.partitions.filter(isContainer).flatMap(({ number, startLba }) => {
    if (before.partitions.some(({ ebrLba }) => ebrLba === startLba)) return [];
    const at = partition(after, number).startLba;
    return [{ start: at, end: at + 1 }];
  });
}

function partition(layout: Plan['after'], number: number): LayoutPartition {
  const found = layout.partitions.find((each) => each.number === number);
  if (found === undefined) throw new Error(`partition ${number} is missing`);
  return found;
}

describe('every plan, of any disk', () => {
  it('keeps every partition with its number, kind, type and contents', () => {
    forEveryPlan(({ before, after }) => {
      const keys = ({ number, kind, type, filesystem, label, serial, usedBytes }: LayoutPartition) => ({
        number,
        kind,
        type,
        filesystem,
        label,
        serial,
        usedBytes,
      });
      expect(after.partitions.map(keys)).toEqual(before.partitions.map(keys));
    });
  });

  it('lets nothing overlap, EBRs included', () => {
    forEveryPlan(({ before, after }) => {
      const claims = after.partitions
        .filter((each) => !isContainer(each))
        .flatMap((each) => [
          { start: each.startLba as number, end: end(each) },
          ...(each.ebrLba === null ? [] : [{ start: each.ebrLba as number, end: each.ebrLba + 1 }]),
        ])
        .concat(emptyFirstEbr(before, after))
        .sort((a, b) => a.start - b.start || a.end - b.end);
      claims.forEach((claim, index) => {
        expect(claim.start).toBeGreaterThanOrEqual(claims[index - 1]?.end ?? 0);
      });
    });
  });

  it('stays inside the usable sectors of the disk as it will be', () => {
    forEveryPlan((plan, facts) => {
      const { usable } = plan.after.sizeBytes === facts.sizeBytes ? facts : factsAfter(facts, plan);
      for (const each of plan.after.partitions) {
        const isThere = each.startLba === partition(plan.before, each.number).startLba;
        if (!isThere) expect(each.startLba).toBeGreaterThanOrEqual(usable.first);
        expect(end(each)).toBeLessThanOrEqual(usable.end);
      }
    });
  });

  it('keeps logicals inside the container, each behind its own EBR, the first EBR at its start', () => {
    forEveryPlan(({ before, after }) => {
      const container = after.partitions.find(isContainer);
      const oldContainer = before.partitions.find(isContainer);
      for (const each of after.partitions) {
        if (container === undefined || each.ebrLba === null) continue;
        expect(each.ebrLba).toBeGreaterThanOrEqual(container.startLba);
        expect(each.ebrLba).toBeLessThan(each.startLba);
        expect(end(each)).toBeLessThanOrEqual(end(container));
        if (partition(before, each.number).ebrLba === oldContainer?.startLba) {
          expect(each.ebrLba).toBe(container.startLba);
        }
      }
      for (const each of after.partitions) {
        if (container === undefined || each.kind !== 'primary') continue;
        expect(end(each) <= container.startLba || each.startLba >= end(container)).toBe(true);
      }
    });
  });

  it('aligns what it was asked to align', () => {
    forEveryPlan(({ after }, facts, { command, boundaryBytes, cylinders, doNotAlign, only }) => {
      if (command !== 'align') return;
      const { heads, sectorsPerTrack } = facts.geometry;
      const cylinder = heads * sectorsPerTrack;
      for (const each of after.partitions) {
        const wanted =
          !isContainer(each) &&
          !doNotAlign.includes(each.number) &&
          (only.length === 0 || only.includes(each.number));
        if (!wanted) continue;
        if (!cylinders) {
          expect((each.startLba * facts.sectorSize) % boundaryBytes).toBe(0);
          expect(each.aligned).toBe(true);
        } else if (each.kind === 'logical') expect((each.startLba - sectorsPerTrack) % cylinder).toBe(0);
        else if (each.startLba !== sectorsPerTrack) expect(each.startLba % cylinder).toBe(0);
      }
    });
  });

  it('never shrinks a partition, nor the disk, and keeps the size of what counts from its end', () => {
    forEveryPlan(({ before, after }, facts) => {
      expect(after.sizeBytes).toBeGreaterThanOrEqual(before.sizeBytes);
      for (const { kind, number, sectorCount, filesystem } of facts.partitions) {
        if (kind === 'extended') continue;
        const now = partition(after, number).sectorCount;
        expect(now).toBeGreaterThanOrEqual(sectorCount);
        if (filesystem?.move.toleratesLargerPartition !== true) expect(now).toBe(sectorCount);
      }
    });
  });

  it('leaves alone what must not move', () => {
    forEveryPlan(({ after }, facts) => {
      for (const { number, startLba, filesystem } of facts.partitions) {
        if ((filesystem?.move.blockers.length ?? 0) > 0)
          expect(partition(after, number).startLba).toBe(startLba);
      }
    });
  });

  it('orders the moves so that none runs over data that has not moved yet', () => {
    forEveryPlan(({ moves, before, after }) => {
      const data = new Map(before.partitions.filter((each) => !isContainer(each)).map((p) => [p.number, p]));
      for (const move of moves) {
        expect(data.get(move.number)).toMatchObject({
          startLba: move.fromLba,
          sectorCount: move.sectorCount,
        });
        for (const [number, other] of data) {
          const isOver = move.toLba < end(other) && other.startLba < move.toLba + move.sectorCount;
          if (number !== move.number) expect(isOver).toBe(false);
        }
        data.set(move.number, partition(after, move.number));
      }
      for (const [number, place] of data)
        expect(place.startLba).toBe(partition(after, number).startLba as number);
      expect(new Set(moves.map(({ number }) => number)).size).toBe(moves.length);
    });
  });

  it('describes moves that the mover can carry out', () => {
    forEveryPlan((plan, facts) => {
      for (const move of plan.moves) {
        const distance = Math.abs(move.toLba - move.fromLba) * facts.sectorSize;
        expect(move.direction).toBe(move.toLba < move.fromLba ? 'left' : 'right');
        if (move.mode === 'direct') expect(move.windowBytes).toBeLessThanOrEqual(distance);
        expect(move.windowBytes).toBeGreaterThan(0);
        expect(move.bytesToCopy).toBeLessThanOrEqual(move.sectorCount * facts.sectorSize);
        expect(Number.isFinite(move.estimatedSeconds)).toBe(true);
      }
      expect(plan.bytesToCopy).toBe(plan.moves.reduce((total, move) => total + move.bytesToCopy, 0));
      expect(plan.savedBytes).toBe(plan.before.sizeBytes - plan.after.sizeBytes);
    });
  });

  it('says change exactly when something changes', () => {
    forEveryPlan(({ status, before, after, moves }) => {
      const same = JSON.stringify(before) === JSON.stringify(after);
      expect(status).toBe(same ? 'nothing-to-do' : 'change');
      if (same) expect(moves).toEqual([]);
    });
  });
});

describe('the planner', () => {
  it('makes a plan or refuses with a reason and a remedy', () => {
    fc.assert(
      fc.property(anyCase, ({ facts, request }) => {
        const plan = planOrRefusal(facts, request);
        if (!(plan instanceof VmreclaimError)) return;
        expect(plan.message).not.toMatch(/NaN|undefined|Infinity/);
        expect(plan.detail.hint ?? '').not.toBe('');
      }),
      RUNS,
    );
  });

  it('is deterministic, and its plan is JSON', () => {
    forEveryPlan((plan, facts, request) => {
      const text = JSON.stringify(plan);
      expect(JSON.stringify(makePlan(facts, request))).toBe(text);
      expect(JSON.parse(text)).toEqual(plan);
    });
  });

  it('finds nothing to do on the disk that its plan promises', () => {
    forEveryPlan((plan, facts, request) => {
      const after = factsAfter(facts, plan);
      const again = makePlan(after, { ...request, diskSizeBytes: null });
      expect(again.after).toEqual(plan.after);
      expect(again.status).toBe('nothing-to-do');
    });
  });

  it('always finds room with --grow where it had said that the end is in the way', () => {
    let refusals = 0;
    fc.assert(
      fc.property(anyCase, ({ facts, request }) => {
        const refusal = planOrRefusal(facts, { ...request, grow: false });
        if (!(refusal instanceof VmreclaimError) || refusal.code !== 'no-room-at-end') return;
        refusals++;
        expect(refusal.detail.hint).toContain('--grow');
        const grown = planOrRefusal(facts, { ...request, grow: true });
        if (grown instanceof VmreclaimError) expect(grown.code).not.toBe('no-room-at-end');
        else expect(grown.after.sizeBytes).toBeGreaterThan(facts.sizeBytes);
      }),
      RUNS,
    );
    expect(refusals).toBeGreaterThan(RUNS.numRuns / 50);
  });

  it('grows the disk only as far as the layout needs', () => {
    forEveryPlan(({ after }, facts, request) => {
      if (!request.grow || after.sizeBytes === Math.max(facts.sizeBytes, request.diskSizeBytes ?? 0)) return;
      const used = Math.max(...after.partitions.map(end)) * facts.sectorSize;
      expect(after.sizeBytes - used).toBeLessThanOrEqual(2 * 1024 * 1024);
    });
  });
});

describe('a saved plan', () => {
  it('leads move-extents to the same layout', () => {
    forEveryPlan((plan, facts) => {
      const saved = parsePlan(JSON.stringify(plan));
      const again = makePlan(facts, requestFromPlan(saved, facts));
      expect(again.after).toEqual(plan.after);
      expect(again.moves).toEqual(plan.moves);
      expect(again.status).toBe(plan.status);
    });
  });

  it('is a conflict on a disk that is not as it was', () => {
    forEveryPlan((plan, facts) => {
      const saved = parsePlan(JSON.stringify(plan));
      const changes: Partial<DiskFacts['identity']>[] = [
        { sizeBytes: facts.sizeBytes + 512 },
        { contentId: 'deadbeef' },
        { contentId: null },
        { diskId: null },
        { tableChecksum: 8 },
      ];
      for (const change of changes) {
        const other = { ...facts, identity: { ...facts.identity, ...change } };
        expect(() => requestFromPlan(saved, other)).toThrow(
          expect.objectContaining({ family: 'conflict', code: 'changed-since-plan' }),
        );
      }
    });
  });
});
