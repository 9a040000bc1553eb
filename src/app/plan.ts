import { locate } from '../backends/registry.js';
import { conflict } from '../core/errors.js';
import { COPY_NOTES, type Store } from '../device/store.js';
import { openSource } from '../disk/open.js';
import type { DiskSource } from '../disk/types.js';
import { factsWithoutContent, type InspectOptions, inspectDisk } from '../inspect/inspect.js';
import type { DiskFacts } from '../inspect/types.js';
import { makePlan } from '../plan/plan.js';
import type { LayoutRequest, Plan } from '../plan/types.js';
import { type Found, type OpenOptions, withDisk } from './open.js';
import { refuseOverhang } from './overhang.js';
import { resizeTools } from './resize-tools.js';
import { checkSplitExtent } from './room.js';
import { checkSafetyCopy } from './safety-copy.js';
import { completePlan } from './work-out.js';

/** What a command wants of a disk. */
export interface Wish {
  /** May depend on what was found: a saved plan is compared with the disk. */
  readonly request: (facts: DiskFacts) => LayoutRequest;
  /** Partitions whose smallest size the planner must know. */
  readonly measure: NonNullable<InspectOptions['measure']>;
  /** Consent to repair what is to be resized, as far as outside programs do that without asking. */
  readonly repair?: boolean;
  /** A copy of the disk that shares its blocks is to be taken before the start. */
  readonly safetyCopy?: boolean;
}

export const measureNone: Wish['measure'] = () => false;

/** A disk as found, and what to do with it. */
export interface Planned extends Found {
  readonly plan: Plan;
}

/** Looks at a disk read-only and plans; changes nothing. */
export async function planDisk(
  target: string,
  { request, measure, repair, safetyCopy }: Wish,
  options: OpenOptions,
  signal: AbortSignal,
): Promise<Planned> {
  const { store, path } = await locate(target, options.remote);
  const source = await openSource(store, path, options);
  if (source.extents.length === 0) {
    const facts = factsWithoutContent(source);
    return { source, facts, plan: makePlan(facts, request(facts)) };
  }
  return withDisk(source, { writable: false }, async (disk) => {
    const tools = resizeTools(source, repair === true);
    const facts = await inspectDisk(disk, { forChange: true, measure, tools, signal });
    const plan = makePlan(facts, request(facts));
    if (plan.status !== 'nothing-to-do') await refuseOverhang(disk.device, facts);
    checkSplitExtent(source, plan.after.sizeBytes);
    const complete = await completePlan(disk.device, facts, plan, { tools, signal });
    const noted = safetyCopy === true ? await withSafetyNote(source, complete) : complete;
    return { source, facts, plan: await withCopyNote(store, noted) };
  });
}

/** Says that there will be a way back. Refused (no-reflink) where the store cannot take the copy. */
async function withSafetyNote(source: DiskSource, plan: Plan): Promise<Plan> {
  if (plan.status === 'nothing-to-do') return plan;
  await checkSafetyCopy(source);
  const message =
    'a safety copy is taken before the start, which shares blocks with the disk until they change';
  return { ...plan, warnings: [...plan.warnings, { code: 'safety-copy', message }] };
}

/** Says how the data of a remote disk will move; under the lock the store knows better than before. */
export async function withCopyNote(store: Store, plan: Plan): Promise<Plan> {
  if (store.copyNote === undefined || plan.status === 'nothing-to-do') return plan;
  const note = await store.copyNote();
  const others = plan.warnings.filter(({ code }) => !COPY_NOTES.includes(code));
  return { ...plan, warnings: [...others, note] };
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
  const resized = new Set(plan.resizes.map(({ number }) => number));
  return {
    ...plan.request,
    command: 'move-extents',
    // The places say it all.
    sizes: [],
    free: null,
    targets: plan.after.partitions.map(({ number, startLba, sectorCount, ebrLba }) => ({
      number,
      startLba,
      sectorCount,
      ebrLba,
      resizes: resized.has(number),
    })),
    diskSizeBytes: plan.after.sizeBytes,
  };
}
