import { locate } from '../backends/registry.js';
import { conflict, isFamily, refusal, refused } from '../core/errors.js';
import { shellQuote } from '../core/text.js';
import type { Store } from '../device/store.js';
import { hiddenNameOf } from '../disk/names.js';
import { openSource } from '../disk/open.js';
import type { DiskSource } from '../disk/types.js';
import { Journal } from '../execute/journal.js';
import { dropRun } from '../execute/run-folder.js';
import type { RunHeader } from '../execute/types.js';
import { findRun, withoutRunSuffix } from './find-run.js';
import { asTheRunKnowsIt, makeWhole, offsetOf, sizeInShift } from './known-size.js';
import { type OpenOptions, withDisk } from './open.js';
import { type Outcome, outcome } from './outcome.js';
import { withCopyNote } from './plan.js';
import { goOnAfterLoss } from './reconnect.js';
import { isRestoring } from './restorable.js';
import { type Dropped, restoreTarget } from './restore.js';
import { runToEnd } from './run-to-end.js';
import type { Services } from './services.js';
import { checkUntouched } from './untouched.js';

/**
 * What `resume` does: goes on with what was interrupted. That is the run, or putting its disk back from the safety copy, which
 * was consented to when it began.
 */
export async function goOn(
  target: string,
  options: OpenOptions,
  services: Services,
): Promise<Outcome | Dropped> {
  try {
    return await resumeRun(target, options, services);
  } catch (error) {
    if (!isFamily(error, 'conflict') || error.code !== RESTORING) throw error;
    return restoreTarget(target, options, { ...services, confirm: async () => true });
  }
}

/** Finishes the interrupted run of a disk: from its last checkpoint, with the same checks at the end. */
export async function resumeRun(target: string, options: OpenOptions, services: Services): Promise<Outcome> {
  const began = services.now();
  const { store, path } = await locate(target, options.remote);
  const attempt = () => resumeOnce(store, path, options, services, began);
  return goOnAfterLoss(store, services, attempt, attempt);
}

const RESTORING = 'restoring';
const restoring = (path: string) =>
  conflict(RESTORING, 'the disk is being put back from its safety copy: the run cannot go on', {
    path,
    hint: `go on with: vmreclaim abandon --restore ${shellQuote(path)}`,
  });

/** One attempt; `began` is when the first one did. */
export async function resumeOnce(
  store: Store,
  path: string,
  options: OpenOptions,
  services: Services,
  began: number,
): Promise<Outcome> {
  const { header, source } = await findRun(store, path, options);
  if (await isRestoring(store, { header, source })) throw restoring(source.path);
  checkSameFiles(source, header);
  const inShift = await sizeInShift(store, source.path);
  const known = asTheRunKnowsIt(source, header, inShift);
  return withDisk(known, { writable: true }, async (disk) => {
    const journal = await Journal.open(store, source.path);
    await closedOnFailure(journal, async () => {
      await makeWhole(journal, disk, inShift);
      await checkUntouched(disk, journal, services.signal);
    });
    const { plan, runId, fixups, warnings, facts: before } = journal.header;
    const { after, counters } = await runToEnd(journal, disk, before, services);
    return outcome({
      plan: await withCopyNote(store, plan),
      before,
      after,
      counters,
      runId,
      fixups,
      warnings,
      status: 'done',
      services,
      began,
    });
  });
}

async function closedOnFailure(journal: Journal, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    await journal.close().catch(() => undefined);
    throw error;
  }
}

/**
 * The extent files must be the very files the run began on. A copy put back from a backup has another inode: going
 * on in the middle would destroy it.
 */
function checkSameFiles(source: DiskSource, header: RunHeader): void {
  const { store } = source;
  // Files that must not be touched are not other files: the remedy is theirs, never to drop the run.
  const obstacle = source.reasons.find(({ code }) => code !== 'interrupted');
  if (source.extents.length === 0 && obstacle !== undefined) {
    throw refusal(obstacle, { path: source.path });
  }
  header.extents.forEach((expected, index) => {
    const found = source.extents[index];
    // The descriptor has dropped it already: it lies behind the new end of the disk.
    if (found === undefined && offsetOf(header, index) >= header.plan.after.sizeBytes) return;
    if (found !== undefined && store.nameOf(found.path) === expected.path && found.inode === expected.inode)
      return;
    throw conflict('other-file', `${expected.path} is not the file this run began on`, {
      ...(found === undefined ? {} : { path: found.path }),
      hint: 'if you put a backup in its place, drop the run with: vmreclaim abandon --force',
    });
  });
}

/**
 * Drops a run that has not changed the disk yet: the descriptor comes back, the journal goes. Refused once a change
 * may have begun, unless forced by someone who put the disk back from a backup.
 */
export async function abandonRun(target: string, force: boolean, options: OpenOptions): Promise<Dropped> {
  const { store, path } = await locate(target, options.remote);
  if (force) {
    const foreign = await dropForeign(store, path, options);
    if (foreign !== undefined) return foreign;
  }
  const { header, source } = await findRun(store, path, options);
  const diskPath = source.path;
  // The lock tells a run that is going on from one that was interrupted.
  return withDisk(source, { writable: true }, async () => {
    const journal = await Journal.open(store, diskPath);
    const checkpoint = await journal.checkpoints.read();
    await journal.close();
    if (!force && (checkpoint === undefined || checkpoint.started)) {
      throw refused('run-started', 'the run has begun to change the disk: it cannot just be dropped', {
        hint: waysOut(header, diskPath),
      });
    }
    await restoreDescriptor(store, diskPath);
    await dropRun(store, diskPath);
    return { disk: diskPath, runId: header.runId, restored: false };
  });
}

function waysOut({ safetyCopy }: RunHeader, diskPath: string): string {
  const disk = shellQuote(diskPath);
  const back =
    safetyCopy === undefined ? '' : `; back to its safety copy: vmreclaim abandon --restore ${disk}`;
  return `vmreclaim resume ${disk}${back} (or, after putting a backup back: vmreclaim abandon --force)`;
}

/** Drops a run whose journal is on another machine; undefined when the journal is here, or there is no run. */
async function dropForeign(store: Store, path: string, options: OpenOptions): Promise<Dropped | undefined> {
  const source = await openSource(store, withoutRunSuffix(path), options);
  try {
    await Journal.find(store, source.path);
    return undefined;
  } catch (error) {
    if (!isFamily(error, 'conflict') || error.code !== 'other-client') throw error;
  }
  return withDisk(source, { writable: true }, async () => {
    await restoreDescriptor(store, source.path);
    await dropRun(store, source.path);
    return { disk: source.path, runId: 'of another client', restored: false };
  });
}

async function restoreDescriptor(store: Store, diskPath: string): Promise<void> {
  const hidden = hiddenNameOf(diskPath);
  if ((await store.stat(hidden)) === undefined) return;
  if ((await store.stat(diskPath)) === undefined) await store.rename(hidden, diskPath);
  else await store.remove(hidden);
}
