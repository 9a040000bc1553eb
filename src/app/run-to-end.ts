import { interrupted, isFamily, VmreclaimError } from '../core/errors.js';
import { shellQuote } from '../core/text.js';
import type { Disk } from '../disk/types.js';
import type { Journal } from '../execute/journal.js';
import { Runner } from '../execute/runner.js';
import type { Counters } from '../execute/types.js';
import { inspectDisk } from '../inspect/inspect.js';
import type { DiskFacts } from '../inspect/types.js';
import { verifyVolumes } from '../verify/deep.js';
import { checkPromise } from '../verify/promise.js';
import { repeatAfterLoss } from './reconnect.js';
import type { Services } from './services.js';
import { asPlanned, verifyCleared } from './zero.js';

/**
 * Runs a journal in force to its end: change, verify, put the descriptor back, remove the journal. Whatever stops it,
 * the journal stays and the error says how to go on.
 */
export async function runToEnd(
  journal: Journal,
  opened: Disk,
  before: DiskFacts,
  services: Services,
): Promise<{ after: DiskFacts; counters: Counters }> {
  const disk = asPlanned(opened, journal.header.plan);
  const { path, store } = disk.source;
  services.onInFlight?.(path);
  const runner = new Runner(journal, disk.device, store, services);
  try {
    await runner.runThrough('change');
    const after = await verifyOnce(runner, journal, disk, before, services);
    const counters = await runner.runThrough('finish');
    await repeatAfterLoss(store, services, () => journal.end());
    // Over. What cannot be swept up now is litter for the next run.
    await repeatAfterLoss(store, services, () => journal.sweep()).catch(() => undefined);
    return { after, counters };
  } catch (error) {
    await journal.close().catch(() => undefined);
    throw resumable(error, path, journal.header.safetyCopy !== undefined);
  }
}

/** Behind the verification the descriptor comes back, and the guest may have written since: never judge twice. */
async function verifyOnce(
  runner: Runner,
  journal: Journal,
  disk: Disk,
  before: DiskFacts,
  services: Services,
): Promise<DiskFacts> {
  if (await runner.isVerified()) return inspectDisk(disk);
  services.onProgress({ why: 'verifying' });
  const after = await verify(journal, disk, before);
  await runner.markVerified();
  return after;
}

/** Inspects the finished disk and compares it with the promise of the plan. */
async function verify(journal: Journal, disk: Disk, before: DiskFacts): Promise<DiskFacts> {
  const { plan, usedAfter } = journal.header;
  const after = await inspectDisk(disk);
  checkPromise(plan, before, after, usedAfter);
  await verifyVolumes(disk.device, plan);
  await verifyCleared(journal, disk.device);
  return after;
}

/** A failure of a run in flight as one that `resume` answers; a broken promise or law keeps its family. */
export function resumable(error: unknown, path: string, hasSafetyCopy = false): VmreclaimError {
  const finish = `finish it with: vmreclaim resume ${shellQuote(path)}`;
  const back = `go back to the disk as it was with: vmreclaim abandon --restore ${shellQuote(path)}`;
  const ways = hasSafetyCopy ? `${finish}; or ${back}` : finish;
  // What stands against the run has a remedy of its own; a store that fails only has to be there again.
  const isObstacle = isFamily(error, 'refused') || isFamily(error, 'conflict');
  const own = isObstacle ? error.detail.hint : undefined;
  const hint = own === undefined ? ways : `${own}; then ${ways}`;
  if (error instanceof VmreclaimError && (error.family === 'verify' || error.family === 'internal')) {
    return new VmreclaimError(error.family, error.code, error.message, { ...error.detail, hint });
  }
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof VmreclaimError ? error.code : 'run-stopped';
  return interrupted(code, `the run was stopped and can be resumed: ${message}`, {
    hint,
    path,
    cause: error,
  });
}
