import { interrupted, isFamily, type Reason, VmreclaimError } from '../../core/errors.js';
import { shellQuote } from '../../core/text.js';
import { openSource } from '../../disk/open.js';
import type { PowerState } from '../../host/types.js';
import { isLoss, repeatAfterLoss, toTheEnd } from '../reconnect.js';
import type { DiskWork } from './disks.js';
import { isUnfinished } from './machine.js';
import { type MachineLock, NOTHING_OWED } from './machine-lock.js';
import { switchOn, unknownState } from './power.js';
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
  /** How the machine was found. */
  readonly power: PowerState;
  /** What an earlier run left is not brought to its end yet. */
  readonly isLeft: boolean;
}

/**
 * The end of a run, however it went. With a disk that is not whole the machine stays off and locked. Else the host is told of
 * the new sizes, the machine is started when it ran before, and the lock goes: as long as a start is owed it stays, and says so. Throws
 * what stopped the run, with the state that everything is in and the next command.
 */
export async function settle(given: Ending, failure: unknown): Promise<Settled> {
  const end = { ...given, services: toTheEnd(given.services) };
  const { broken, unseen } = await lookAtDisks(end);
  if (broken.length > 0) {
    await end.lock.leave().catch(() => undefined);
    throw halfDone(end, failure, broken, unseen);
  }
  const warnings: Reason[] = [];
  let power: PowerState;
  try {
    if (unseen !== undefined && isLoss(unseen)) throw unseen;
    if (hasChanged(end) || end.lock.earlier !== null) warnings.push(...(await refreshed(end)));
    power = await startAgain(end, failure);
  } catch (error) {
    // A question is the way of a host to say that it was told: it is up to who answers.
    if (isFamily(error, 'refused') && error.code === 'question') await unlock(end);
    else await leaveNotice(end, error);
    const isSilent = isLoss(error) || (isFamily(error, 'device') && error.code === 'host-timeout');
    throw stopped(end, failure ?? error, isSilent ? 'unknown' : await powerNow(end), unseen);
  }
  const isOwed = end.lock.owed.powerOn && !(power === 'on' && end.lock.owed.stage !== 'asked');
  if (isOwed) {
    await end.lock.leave().catch(() => undefined);
    warnings.push(owedReason(end));
  } else warnings.push(...(await unlock(end)));
  if (failure === undefined) return { power, warnings };
  throw stopped(end, failure, power, unseen);
}

/** With the time of now: what a start that failed has written is no sign that the machine ran since. */
async function leaveNotice({ lock }: Ending, error: unknown): Promise<void> {
  if (!isLoss(error) && lock.owed.powerOn) await lock.note(lock.owed).catch(() => undefined);
  await lock.leave().catch(() => undefined);
}

/** What is known of the disks at the end. */
interface DisksSeen {
  /** Nobody may use them as they are. */
  readonly broken: readonly string[];
  /** Why one could not be looked at. */
  readonly unseen: VmreclaimError | undefined;
}

/**
 * One that cannot be looked at is not known to be whole, unless nothing was begun on any of them, and the machine ran with them
 * before.
 */
async function lookAtDisks(end: Ending): Promise<DisksSeen> {
  const { machine, options, services, begun, power } = end;
  const isUntouched = begun.size === 0 && power === 'on';
  const broken: string[] = [];
  let unseen: VmreclaimError | undefined;
  for (const disk of machine.disks) {
    try {
      // A server that stays away is waited for once.
      if (isLoss(unseen)) throw unseen;
      const source = await repeatAfterLoss(machine.store, services, () =>
        openSource(machine.store, disk, options),
      );
      if (isUnfinished(source)) broken.push(disk);
    } catch (error) {
      if (!(error instanceof VmreclaimError)) throw error;
      unseen ??= error;
      if (!isUntouched) broken.push(disk);
    }
  }
  return { broken, unseen };
}

/**
 * The disks are free, and what stays of the lock until the machine runs is the note of the start that it is owed: whatever
 * stops that start, the next run knows of it.
 */
async function unlockForStart({ steps, lock }: Ending): Promise<void> {
  await steps.mustTake('unlock', null, async () => {
    await lock.note({ powerOn: true, stage: 'ready' }).catch(() => undefined);
    return {
      value: undefined,
      message: 'the disks are free; the note of the start that is owed stays until it is given',
    };
  });
}

/** The machine runs, or is not to be started. A lock file that cannot be removed is a warning then: the next run takes it over. */
async function unlock(end: Ending): Promise<readonly Reason[]> {
  const { steps, lock } = end;
  try {
    if (steps.taken.some(({ step }) => step === 'unlock')) await removeLock(end);
    else {
      await steps.mustTake('unlock', null, async () => {
        await removeLock(end);
        return { value: undefined, message: 'the lock was removed' };
      });
    }
    return [];
  } catch (error) {
    if (!(error instanceof VmreclaimError)) throw error;
    await lock.leave().catch(() => undefined);
    const hint = `the next run of this machine removes it: ${shellQuote(lock.path)}`;
    return [{ code: 'lock-left', message: `the lock could not be removed: ${error.message}`, hint }];
  }
}

async function removeLock({ machine: { store }, services, lock }: Ending): Promise<void> {
  await repeatAfterLoss(store, services, () => lock.release());
  await repeatAfterLoss(store, services, async () => store.removeLeftLocks?.());
}

/**
 * The disks are whole: what the host cannot be told is a warning, and the machine gets its start. Only a disk that was taken off the
 * machine and not put back stops that: a guest must not start without its disk.
 */
async function refreshed(end: Ending): Promise<readonly Reason[]> {
  const { lock, options } = end;
  const { owed } = lock;
  let reattach = options.reattach;
  try {
    // Written before: a machine that lost a disk to a crash in the middle is not started by the next run.
    if (reattach) await lock.note(NOTHING_OWED);
  } catch {
    reattach = false;
  }
  let reasons: readonly Reason[];
  try {
    reasons = await refresh(end, reattach);
  } catch (error) {
    if (!(error instanceof VmreclaimError) || error.code === 'disk-detached') throw error;
    reasons = [error.toReason()];
  }
  // It is started now: that matters more than that the file says so.
  if (options.reattach) await lock.note(owed).catch(() => undefined);
  return reasons;
}

/** True when something of the disk was changed. */
export const isDone = ({ resumed, change, zero }: DiskResult): boolean =>
  [resumed, change, zero].some((outcome) => outcome?.status === 'done');

const hasChanged = ({ results }: Ending): boolean => results.some(isDone);

async function refresh(
  { steps, machine, at, results }: Ending,
  reattach: boolean,
): Promise<readonly Reason[]> {
  if (!at.host.seesSizes) return [];
  return steps.mustTake('refresh', null, async () => {
    const disks = results.map(({ disk, resumed, change, zero }) => ({
      path: machine.remote?.pathOf(disk) ?? disk,
      sizeBytes: (zero ?? change ?? resumed)?.after.sizeBytes ?? 0,
    }));
    const value = await at.host.refresh(
      at.seat,
      disks.filter(({ sizeBytes }) => sizeBytes > 0),
      reattach,
    );
    const [reason] = value;
    return { value, message: reason?.message ?? 'the host knows the new sizes' };
  });
}

/** Starts the machine when that is owed. Throws when it is not known to be off, or does not start. */
async function startAgain(end: Ending, failure: unknown): Promise<PowerState> {
  const { at, steps, lock, power } = end;
  const { owed } = lock;
  if (!owed.powerOn && power !== 'on') return powerNow(end);
  const now = await at.host.powerState(at.seat);
  if (now === 'unknown' && at.host.tellsPower) throw unknownState(at.seat);
  if (now !== 'off') return now;
  const keep = whyKept(end, failure);
  if (keep !== undefined) {
    const message = `the virtual machine stays off: ${keep}`;
    await lock.note(NOTHING_OWED).catch(() => undefined);
    await unlock(end);
    await steps.mustTake('power-on', null, async () => ({ value: undefined, message, skipped: true }));
    return 'off';
  }
  // Somebody else switched it off, before this run did.
  if (!owed.powerOn) return 'off';
  await unlockForStart(end);
  await steps.mustTake('power-on', null, () => switchOn(at));
  return 'on';
}

const owedReason = ({ at, target }: Ending): Reason => ({
  code: 'start-owed',
  message: `the virtual machine ${at.seat.name} is owed a start, and nobody can be asked to start it`,
  hint: `start it by hand, or where its host can be asked: vmreclaim run ${shellQuote(target)}`,
});

/** Why it is left off although it ran before: the operator wants it so. */
function whyKept({ at, options }: Ending, failure: unknown): string | undefined {
  if (!options.powerOn) return '--no-power-on';
  if (failure !== undefined && options.keepOffOnFailure) return '--keep-off-on-failure';
  return at.host.startsMachines ? undefined : 'there is no --power-on-command';
}

/** Unknown also when the host cannot be asked any more. */
const powerNow = ({ at }: Ending): Promise<PowerState> =>
  at.host.powerState(at.seat).catch(() => 'unknown' as const);

function halfDone(
  { target, at, lock }: Ending,
  failure: unknown,
  disks: readonly string[],
  unseen: VmreclaimError | undefined,
): VmreclaimError {
  const [disk = ''] = disks;
  const name = `the virtual machine ${at.seat.name}`;
  const how = unseen === undefined ? 'is not whole' : 'is not known to be whole, as it cannot be looked at';
  const state = `${disk} ${how}, so ${name} stays off and locked (${lock.path})`;
  const hint = `vmreclaim run ${shellQuote(target)} with the same options goes on; to finish only the disk: vmreclaim resume ${shellQuote(disk)}`;
  return withState(failure, state, hint, true);
}

/** The failure of a run whose disks are whole, with what has become of the machine. */
function stopped(
  end: Ending,
  failure: unknown,
  power: PowerState,
  unseen: VmreclaimError | undefined,
): VmreclaimError {
  const { target, at, lock } = end;
  const { owed } = lock;
  const name = `the virtual machine ${at.seat.name}`;
  const mayFollow = owed.powerOn && owed.stage === 'asked' && power !== 'off';
  const later = mayFollow ? ' (its guest was asked to shut down, and may still do so)' : '';
  const disks = unseen === undefined ? 'its disks are whole' : 'nothing was changed on its disks';
  const state = `${disks}, and ${name} ${POWER_WORDS[power]}${later}`;
  const isOwed = owed.powerOn && (power !== 'on' || mayFollow);
  const again = `vmreclaim run ${shellQuote(target)} with the same options`;
  const hint = isOwed ? `${again} goes on, and starts it where it is off` : `then again: ${again}`;
  return withState(failure, state, hint, hasChanged(end) || (isOwed && power !== 'on'));
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
