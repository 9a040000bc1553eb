import { formatSize } from '../../core/size.js';
import { baseName } from '../../core/text.js';
import { openSource } from '../../disk/open.js';
import type { Plan } from '../../plan/types.js';
import { changeDisk } from '../change.js';
import type { Outcome } from '../outcome.js';
import { planDisk } from '../plan.js';
import { tryPunch } from '../punch.js';
import { repeatAfterLoss } from '../reconnect.js';
import { resumeRun } from '../resume.js';
import { isUnfinished, type Machine } from './machine.js';
import { requireOff, type Seat } from './power.js';
import type { StepEnd, Steps } from './steps.js';
import type { DiskForecast, DiskResult, MachineRunOptions, RunServices } from './types.js';

/** All that the work on the disks of a machine needs. */
export interface DiskWork {
  readonly machine: Machine;
  readonly at: Seat;
  readonly options: MachineRunOptions;
  readonly services: RunServices;
  readonly steps: Steps;
  /** Filled as the work goes on, so that it is known when it stops. */
  readonly results: DiskResult[];
  /** Disks on which something was begun. */
  readonly begun: Set<string>;
}

/**
 * Works on the disks of a machine that is off: finishes what an earlier run began, plans all of them before the first one is
 * changed, and takes them by what they are to change by, the largest first.
 */
export async function workOnDisks(work: DiskWork, known: readonly DiskForecast[] | null): Promise<void> {
  const resumed = new Map<string, Outcome>();
  for (const disk of work.machine.disks) {
    const outcome = await finishEarlier(work, disk);
    if (outcome !== undefined) resumed.set(disk, outcome);
  }
  const plans = await plansOf(work, resumed.size === 0 ? known : null);
  for (const plan of plans) await workOn(work, plan, resumed.get(plan.disk.path) ?? null);
}

async function finishEarlier(work: DiskWork, disk: string): Promise<Outcome | undefined> {
  const { machine, options, services, steps, begun } = work;
  const look = () => openSource(machine.store, disk, options);
  if (!isUnfinished(await repeatAfterLoss(machine.store, services, look))) return undefined;
  return steps.take('resume', disk, async () => {
    begun.add(disk);
    const outcome = await services.recorded('resume', disk, () => resumeRun(disk, options, services));
    work.results.push({ disk, resumed: outcome, change: null, zero: null });
    return { value: outcome, message: 'the run that an earlier one left was finished' };
  });
}

/** The plans of all disks, in the order they are carried out. */
async function plansOf(work: DiskWork, known: readonly DiskForecast[] | null): Promise<Plan[]> {
  const { machine, options, services, steps } = work;
  const made = known?.flatMap(({ plan }) => plan ?? []) ?? [];
  const plans = known !== null && made.length === known.length ? made : await again();
  return [...plans].sort((a, b) => potential(b) - potential(a) || b.bytesToCopy - a.bytesToCopy);

  function again(): Promise<Plan[]> {
    return steps.take('plan', null, async () => {
      const value: Plan[] = [];
      for (const disk of machine.disks) {
        const plan = () => planDisk(disk, options.wish, options, services.signal);
        value.push((await repeatAfterLoss(machine.store, services, plan)).plan);
      }
      return { value, message: value.map(planText).join('; ') };
    });
  }
}

const potential = ({ savedBytes }: Plan): number => Math.abs(savedBytes);

const sizeChange = (before: number, after: number): string | undefined =>
  before === after ? undefined : `${formatSize(before)} to ${formatSize(after)}`;

/** A plan in words: the sizes before and after. */
export function planText({ disk, before, after, status }: Plan): string {
  const sizes = sizeChange(before.sizeBytes, after.sizeBytes) ?? formatSize(before.sizeBytes);
  return `${baseName(disk.path)}: ${status === 'change' ? sizes : 'nothing to do'}`;
}

async function workOn(work: DiskWork, plan: Plan, resumed: Outcome | null): Promise<void> {
  const { options, services, steps, results, begun } = work;
  const disk = plan.disk.path;
  await requireOff(work.at);
  begun.add(disk);
  const change = await steps.take('resize', disk, () => changed(work, plan));
  // Known before the next step, which may stop it all.
  keep(results, { disk, resumed, change, zero: null });
  const { zero: wish } = options;
  const zero =
    wish === null
      ? null
      : await steps.take('zero', disk, async () => {
          const run = () => changeDisk(disk, wish, { ...options, dryRun: false }, services);
          return endOf(await services.recorded('zero', disk, run));
        });
  keep(results, { disk, resumed, change, zero });
  await punch(work, disk, [resumed, change, zero]);
}

/** Each disk has one result, in the order of their first ones. */
function keep(results: DiskResult[], result: DiskResult): void {
  const at = results.findIndex(({ disk }) => disk === result.disk);
  results.splice(at === -1 ? results.length : at, 1, result);
}

async function changed({ options, services }: DiskWork, plan: Plan): Promise<StepEnd<Outcome | null>> {
  if (plan.status === 'nothing-to-do') return { value: null, message: 'nothing to do', skipped: true };
  const disk = plan.disk.path;
  const run = () => changeDisk(disk, options.wish, { ...options, dryRun: false }, services);
  return endOf(await services.recorded(plan.command, disk, run));
}

/** An outcome as the end of its step. */
function endOf(value: Outcome): StepEnd<Outcome> {
  if (value.status === 'nothing-to-do') return { value, message: 'nothing to do', skipped: true };
  const { before, after, counters, plan } = value;
  const sizes = sizeChange(before.sizeBytes, after.sizeBytes) ?? [];
  const cleared = plan.zero === undefined ? [] : [`${formatSize(counters.bytesDiscarded)} cleared`];
  return { value, message: [`${plan.command} done and verified`, sizes, cleared].flat().join(', ') };
}

/** What VMFS keeps zeros for on a thin disk it gives back only when it is told to, by the host. */
async function punch(work: DiskWork, disk: string, done: readonly (Outcome | null)[]): Promise<void> {
  const { machine, at, steps } = work;
  const worked = done.filter((outcome) => outcome !== null && outcome.status === 'done');
  const path = machine.remote?.pathOf(disk);
  if (path === undefined || at.host.kind !== 'esxi' || !worked.some((each) => each?.before.thinOnVmfs))
    return;
  await steps.take('punch', disk, async () => {
    const { done: isDone, failure } = await tryPunch(at.host, path);
    const said = isDone ? 'zeroed blocks went back to the datastore' : 'the datastore is not VMFS';
    return { value: undefined, message: failure ?? said, skipped: !isDone };
  });
}
