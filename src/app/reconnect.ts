import { interrupted, VmreclaimError } from '../core/errors.js';
import type { Store } from '../device/store.js';
import type { Services } from './services.js';

/** A store that comes back this often and goes again is not one to work on. */
const MAX_RECONNECTS = 200;

/**
 * Runs `first`; when the link to the store drops, connects again. While no run is in flight it begins anew: nothing was
 * changed. A run in flight goes on by `again`, from the last checkpoint as `resume` does: a server that crashed may have
 * lost what it had not flushed, so nothing less than the phase is repeated. When the store stays away the loss is thrown;
 * with a run in flight it is Interrupted, and `resume` goes on.
 */
export async function goOnAfterLoss<T>(
  store: Store,
  services: Services,
  first: () => Promise<T>,
  again: () => Promise<T>,
): Promise<T> {
  let inFlight: VmreclaimError | undefined;
  for (let count = 0; ; count++) {
    try {
      const value = await (inFlight === undefined ? first() : again());
      await removeLeftLocks(store, services);
      return value;
    } catch (error) {
      if (!isLoss(error)) throw error;
      if (error.family === 'interrupted') inFlight = error;
      const loss = inFlight ?? error;
      if (count === MAX_RECONNECTS) throw loss;
      services.onProgress({ why: 'the connection was lost: connecting again' });
      if (!(await isBack(store, services, inFlight))) throw loss;
    }
  }
}

/** The work is done by now: a server that does not come back keeps a lock file, which this client takes over next time. */
async function removeLeftLocks(store: Store, services: Services): Promise<void> {
  try {
    await repeatAfterLoss(store, services, async () => store.removeLeftLocks?.());
  } catch (error) {
    if (!(error instanceof VmreclaimError)) throw error;
  }
}

/** Connects again. With a run in flight whatever stands against it, such as a login, leaves the run resumable. */
async function isBack(
  store: Store,
  services: Services,
  inFlight: VmreclaimError | undefined,
): Promise<boolean> {
  try {
    return await connectedAgain(store, services);
  } catch (error) {
    if (inFlight === undefined || !(error instanceof VmreclaimError)) throw error;
    throw interrupted(error.code, `${inFlight.message}; then ${error.message}`, inFlight.detail);
  }
}

/**
 * A step that changes nothing, or the last one of a run, which only removes its traces: repeated after a loss, and not to be
 * resumed, because nobody can tell whether it was done.
 */
export async function repeatAfterLoss<T>(
  store: Store,
  services: Pick<Services, 'signal'>,
  step: () => Promise<T>,
): Promise<T> {
  for (let count = 0; ; count++) {
    try {
      return await step();
    } catch (error) {
      if (!isLoss(error) || count === MAX_RECONNECTS || !(await connectedAgain(store, services))) throw error;
    }
  }
}

async function connectedAgain(store: Store, services: Pick<Services, 'signal'>): Promise<boolean> {
  return (await store.reconnect?.(services.signal)) === true;
}

/**
 * The same surroundings for what has to follow on what was done: with the stop that was asked for heard, nothing would connect any
 * more. A second signal ends the process.
 */
export const toTheEnd = <T extends Pick<Services, 'signal'>>(services: T): T =>
  services.signal.aborted ? { ...services, signal: new AbortController().signal } : services;

/** True for every failure that a lost connection is behind. */
export const isLoss = (error: unknown): error is VmreclaimError =>
  error instanceof VmreclaimError && error.code === 'link-lost';
