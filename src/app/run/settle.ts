import { interrupted, type Reason, VmreclaimError } from '../../core/errors.js';
import { shellQuote } from '../../core/text.js';
import { openSource } from '../../disk/open.js';
import type { PowerState } from '../../host/types.js';
import { repeatAfterLoss } from '../reconnect.js';
import type { DiskWork } from './disks.js';
import { isUnfinished } from './machine.js';
import type { MachineLock } from './machine-lock.js';
import { switchOn } from './power.js';
import type { DiskResult } from './types.js';

/** How a run that has switched something off, or changed something, stands when it is over. */
export interface Settled {
  readonly power: PowerState;
  readonly warnings: readonly Reason[];
}

/** What a run was about, for its end. */
export interface Ending extends DiskWork {
  readonly target: string;
  readonly lock: MachineLock;
  /** The machine ran before, or an earlier run that was cut short owes it a start. */
  readonly owesStart: boolean;
}

/**
 * The end of a run, however it went. With a disk that is not whole the machine stays off and locked. Else the host is told of
 * the new sizes, the lock goes, and the machine is started when it ran before. Throws what stopped the run, with the state that
 * everything is in and the next command.
 */
export async function settle(end: Ending, failure: unknown): Promise<Settled> {
  const unfinished = await unfinishedDisks(end);
  if (unfinished.length > 0) {
    await end.lock.leave().catch(() => undefined);
    throw halfDone(end, failure, unfinished);
  }
  const warnings: Reason[] = [];
  try {
    if (hasChanged(end) || end.lock.earlier !== null) warnings.push(...(await refreshed(end)));
    await end.steps.mustTake('unlock', null, async () => {
      await repeatAfterLoss(end.machine.store, end.services, () => end.lock.release());
      return { value: undefined, message: 'the lock was removed' };
    });
    const power = await startAgain(end, failure);
    if (failure === undefined) return { power, warnings };
  } catch (error) {
    await end.lock.leave().catch(() => undefined);
    throw stopped(end, failure ?? error, await powerNow(end));
  }
  throw stopped(end, failure, await powerNow(end));
}

/** Disks that nobody may use as they are; one that cannot be looked at counts too. */
async function unfinishedDisks({ machine, options, services }: Ending): Promise<string[]> {
  const found: string[] = [];
  for (const disk of machine.disks) {
    let isWhole = false;
    // One that cannot be looked at is not known to be whole.
    await repeatAfterLoss(machine.store, services, async () => {
      isWhole = !isUnfinished(await openSource(machine.store, disk, options));
    }).catch(() => undefined);
    if (!isWhole) found.push(disk);
  }
  return found;
}

/**
 * The disks are whole: what the host cannot be told is a warning, and the machine gets its start. Only a disk that was taken off the
 * machine and not put back stops that: a guest must not start without its disk.
 */
async function refreshed(end: Ending): Promise<readonly Reason[]> {
  const { lock, owesStart, options } = end;
  // Written before: a machine that lost a disk to a crash in the middle is not started by the next run.
  if (options.reattach) await lock.note(false);
  let reasons: readonly Reason[];
  try {
    reasons = await refresh(end);
  } catch (error) {
    if (!(error instanceof VmreclaimError) || error.code === 'disk-detached') throw error;
    reasons = [error.toReason()];
  }
  if (options.reattach) await lock.note(owesStart);
  return reasons;
}

/** True when something of the disk was changed. */
export const isDone = ({ resumed, change, zero }: DiskResult): boolean =>
  [resumed, change, zero].some((outcome) => outcome?.status === 'done');

const hasChanged = ({ results }: Ending): boolean => results.some(isDone);

async function refresh({ steps, machine, at, results, options }: Ending): Promise<readonly Reason[]> {
  if (at.host.kind === 'none') return [];
  return steps.mustTake('refresh', null, async () => {
    const disks = results.map(({ disk, resumed, change, zero }) => ({
      path: machine.remote?.pathOf(disk) ?? disk,
      sizeBytes: (zero ?? change ?? resumed)?.after.sizeBytes ?? 0,
    }));
    const value = await at.host.refresh(
      at.seat,
      disks.filter(({ sizeBytes }) => sizeBytes > 0),
      options.reattach,
    );
    const [reason] = value;
    return { value, message: reason?.message ?? 'the host knows the new sizes' };
  });
}

async function startAgain(end: Ending, failure: unknown): Promise<PowerState> {
  const { at, options, steps, owesStart } = end;
  const now = await powerNow(end);
  if (now !== 'off' || !owesStart) return now;
  const reason = !options.powerOn
    ? '--no-power-on'
    : !at.host.startsMachines
      ? 'there is no --power-on-command'
      : failure !== undefined && options.keepOffOnFailure
        ? '--keep-off-on-failure'
        : undefined;
  if (reason === undefined) await steps.mustTake('power-on', null, () => switchOn(at));
  else {
    const message = `the virtual machine stays off: ${reason}`;
    await steps.mustTake('power-on', null, async () => ({ value: undefined, message, skipped: true }));
  }
  return reason === undefined ? 'on' : 'off';
}

/** Unknown also when the host cannot be asked any more. */
const powerNow = ({ at }: Ending): Promise<PowerState> =>
  at.host.powerState(at.seat).catch(() => 'unknown' as const);

function halfDone({ target, at, lock }: Ending, failure: unknown, disks: readonly string[]): VmreclaimError {
  const [disk = ''] = disks;
  const state = `${disk} is not whole, so the virtual machine ${at.seat.name} stays off and locked (${lock.path})`;
  const hint = `vmreclaim run ${shellQuote(target)} with the same options goes on; to finish only the disk: vmreclaim resume ${shellQuote(disk)}`;
  return withState(failure, state, hint, true);
}

/** The failure of a run whose disks are whole, with what has become of the machine. */
function stopped(end: Ending, failure: unknown, power: PowerState): VmreclaimError {
  const { target, at } = end;
  const name = `the virtual machine ${at.seat.name}`;
  const asked = end.steps.taken.some(({ step, status }) => step === 'power-off' && status === 'failed');
  const later = asked && power === 'on' ? ' (where its guest took the request it may still shut down)' : '';
  const state = `its disks are whole, and ${name} ${POWER_WORDS[power]}${later}`;
  const isOwed = end.owesStart && power === 'off' && end.options.powerOn;
  const again = `then again: vmreclaim run ${shellQuote(target)} with the same options`;
  const hint = isOwed ? `start the virtual machine by hand; ${again}` : again;
  return withState(failure, state, hint, hasChanged(end));
}

const POWER_WORDS: Readonly<Record<PowerState, string>> = {
  on: 'is powered on',
  off: 'is powered off',
  suspended: 'is suspended',
  unknown: 'is not known to be on or off',
};

/**
 * Keeps the code, so that it tells the cause. What is left in the middle is Interrupted, whatever stopped it: `refused` promises
 * that nothing was changed. A promise that was not kept and a bug stay what they are.
 */
function withState(failure: unknown, state: string, next: string, isChanged: boolean): VmreclaimError {
  if (!(failure instanceof VmreclaimError)) {
    const message = failure instanceof Error ? failure.message : String(failure ?? 'the run did not end');
    return interrupted('stopped', `${message}; ${state}`, { hint: next, cause: failure });
  }
  const { family, code, message, detail } = failure;
  const hint = detail.hint === undefined || detail.hint.includes(next) ? next : `${detail.hint}; ${next}`;
  const text = `${message}; ${state}`;
  const keeps = !isChanged || family === 'verify' || family === 'internal';
  if (keeps) return new VmreclaimError(family, code, text, { ...detail, hint });
  return interrupted(code, text, { ...detail, hint });
}
