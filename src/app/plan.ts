import { conflict } from '../core/errors.js';
import type { DiskFacts } from '../inspect/types.js';
import { makePlan } from '../plan/plan.js';
import type { LayoutRequest, Plan } from '../plan/types.js';
import { findDisk, type OpenOptions } from './open.js';

/** The plan for a disk; reads, changes nothing. */
export async function planDisk(
  target: string,
  request: LayoutRequest,
  options: OpenOptions,
  signal: AbortSignal,
): Promise<Plan> {
  const { facts } = await findDisk(target, options, signal);
  return makePlan(facts, request);
}

/**
 * What move-extents does with a saved plan: the places it names, on the disk it was made for. Conflict when the
 * disk is another one or has changed since.
 */
export function requestFromPlan(plan: Plan, facts: DiskFacts): LayoutRequest {
  const { identity } = plan.disk;
  const keys = Object.keys(identity) as (keyof typeof identity)[];
  const different = keys.find((key) => identity[key] !== facts.identity[key]);
  if (different !== undefined) {
    throw conflict('changed-since-plan', `the disk is not as the plan knew it: ${different} differs`, {
      expected: String(identity[different]),
      actual: String(facts.identity[different]),
      hint: 'make a new plan',
    });
  }
  return {
    ...plan.request,
    command: 'move-extents',
    targets: plan.after.partitions.map(({ number, startLba, sectorCount, ebrLba }) => ({
      number,
      startLba,
      sectorCount,
      ebrLba,
    })),
    diskSizeBytes: plan.after.sizeBytes,
  };
}
