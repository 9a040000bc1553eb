import { locate } from '../backends/registry.js';
import { conflict, hintOf, isFamily, refused } from '../core/errors.js';
import { openSource } from '../disk/open.js';
import type { Disk, DiskSource } from '../disk/types.js';
import { Journal } from '../execute/journal.js';
import { JournalWriter } from '../execute/journal-writer.js';
import type { RunHeader } from '../execute/types.js';
import { newContentId } from '../formats/vmdk/index.js';
import { inspectDisk } from '../inspect/inspect.js';
import type { DiskFacts } from '../inspect/types.js';
import type { Plan } from '../plan/types.js';
import type { CompileInput } from '../program/compile-input.js';
import { sweepLitter } from './litter.js';
import { type Found, type OpenOptions, withDisk } from './open.js';
import { type Outcome, outcome } from './outcome.js';
import { planDisk, type Wish, withCopyNote } from './plan.js';
import { goOnAfterLoss, isLoss, repeatAfterLoss } from './reconnect.js';
import { type Rehearsal, rehearse } from './rehearse.js';
import { resizeTools } from './resize-tools.js';
import { resumeOnce } from './resume.js';
import { besideCopy, checkFileSize, checkRoom } from './room.js';
import { resumable, runToEnd } from './run-to-end.js';
import { takeSafetyCopy } from './safety-copy.js';
import type { Services } from './services.js';
import { stampVolumes } from './untouched.js';
import { isCleared } from './zero.js';

export interface ChangeOptions extends OpenOptions {
  readonly dryRun: boolean;
}

/** What goes into a program besides disk and plan. */
type Making = Pick<Wish, 'repair' | 'safetyCopy'> & Pick<CompileInput, 'served'>;

/** The whole path of a changing command: plan, ask, rehearse, execute, verify. */
export async function changeDisk(
  target: string,
  wish: Wish,
  options: ChangeOptions,
  services: Services,
): Promise<Outcome> {
  const began = services.now();
  const { store } = await locate(target, options.remote);
  const looked = () => planDisk(target, wish, options, services.signal);
  const { source, facts, plan } = await repeatAfterLoss(store, services, looked);
  const finish = (status: Outcome['status'], parts: Partial<Outcome> = {}) =>
    outcome({ plan, before: facts, status, services, began, ...parts });
  if (plan.status === 'nothing-to-do') {
    // A kill in the last moments of a run that is over leaves its folder behind, and nothing else to do.
    if (!options.dryRun && source.reasons.length === 0) await sweepLitter(source);
    return finish('nothing-to-do');
  }
  if (options.dryRun) {
    const rehearsal = await withDisk(source, { writable: false }, (disk) =>
      rehearseOnly(disk, facts, plan, services, wish),
    );
    const status = isCleared(rehearsal.plan) ? 'nothing-to-do' : 'dry-run';
    return finish(status, { after: rehearsal.facts, ...rehearsal });
  }
  if (!(await services.confirm(plan))) {
    throw refused('declined', 'nothing was changed: the plan was declined');
  }
  const first = () =>
    withDisk(source, { writable: true }, async (disk) => {
      await checkUnchanged(disk, facts, options);
      const locked = await withCopyNote(source.store, plan);
      const done = await execute(disk, { source, facts }, locked, services, wish);
      return finish(done.runId === null ? 'nothing-to-do' : 'done', done);
    });
  const again = () =>
    resumeOrBegin(first, () => resumeOnce(source.store, source.path, options, services, began));
  return goOnAfterLoss(source.store, services, first, again);
}

/**
 * After a lost connection: goes on with the run, or begins when it had not come into force. A run that had is only gone
 * when it was ended here, and then nothing asks any more; the beginning looks at the disk anew.
 */
async function resumeOrBegin<T>(begin: () => Promise<T>, resume: () => Promise<T>): Promise<T> {
  try {
    return await resume();
  } catch (error) {
    if (!isFamily(error, 'conflict') || error.code !== 'no-run') throw error;
    return begin();
  }
}

/** What the journal will need is not known without one: only room that the disk itself lacks is found out. */
async function rehearseOnly(
  disk: Disk,
  facts: DiskFacts,
  plan: Plan,
  services: Services,
  making: Making,
): Promise<Rehearsal> {
  services.onProgress({ why: 'rehearsing' });
  const input = compileInput(disk, facts, plan, services, making);
  const rehearsal = await rehearse({ ...input, record: async () => undefined });
  await checkRoom(disk.source, { spillBytes: 0 }, roomFor(rehearsal, disk.source, making));
  return rehearsal;
}

function compileInput(disk: Disk, facts: DiskFacts, plan: Plan, services: Services, making: Making) {
  const old = disk.source.descriptor?.parsed.cid ?? 'ffffffff';
  return {
    disk,
    facts,
    plan,
    newContentId: newContentId(old, services.random),
    tools: resizeTools(disk.source, making.repair === true),
    ...(making.served === undefined ? {} : { served: making.served }),
    signal: services.signal,
    onLook: (why: string, bytesCopied: number, bytesToCopy: number) =>
      services.onProgress({ why, bytesCopied, bytesToCopy }),
  };
}

/** From the lock to the end of the run. The disk is opened for writing and locked by now. */
export async function execute(
  disk: Disk,
  found: Found,
  plan: Plan,
  services: Services,
  making: Making,
): Promise<Partial<Outcome>> {
  const runId = newRunId(services);
  const { rehearsal, sealed } = await prepare(disk, found, plan, runId, services, making);
  if (sealed === undefined) return { runId: null, plan: rehearsal.plan };
  const journal = await Journal.open(disk.source.store, disk.source.path, sealed);
  const done = await runToEnd(journal, disk, found.facts, services);
  return { runId, ...rehearsal, ...done };
}

/**
 * Somebody may have changed the disk, or started the machine, between the plan and the lock: the question may have
 * waited for long. What a descriptor, a .vmx or a lock file said then does not count any more.
 */
export async function checkUnchanged(
  { source, device }: Disk,
  facts: DiskFacts,
  options: OpenOptions,
): Promise<void> {
  const found = await openSource(source.store, source.path, options);
  const [obstacle] = found.reasons;
  if (obstacle !== undefined) {
    throw conflict(obstacle.code, `since the plan was made: ${obstacle.message}`, hintOf(obstacle));
  }
  const now = await inspectDisk({ source: found, device });
  if (JSON.stringify(identityOf(found, now)) === JSON.stringify(identityOf(source, facts))) return;
  throw conflict('changed-since-plan', 'the disk was changed since the plan was made', {
    hint: 'plan again',
  });
}

/** What the program is made from besides the bytes of the partitions, which are read under the lock. */
const identityOf = ({ descriptor, extents, changeTracking, vm }: DiskSource, { identity }: DiskFacts) => [
  identity,
  descriptor?.bytes.toString(),
  extents,
  changeTracking,
  vm?.path,
];

/** Compiles and rehearses into a new journal and puts it in force: `sealed`, unless nothing is to be done. On any failure nothing remains. */
async function prepare(
  disk: Disk,
  { source, facts }: Found,
  plan: Plan,
  runId: string,
  services: Services,
  making: Making,
): Promise<{ rehearsal: Rehearsal; sealed?: RunHeader }> {
  services.onProgress({ why: 'rehearsing' });
  const journal = await JournalWriter.create(source.store, source.path);
  let isSealing = false;
  try {
    const input = compileInput(disk, facts, plan, services, making);
    const rehearsal = await rehearse({ ...input, record: (phase) => journal.append(phase) });
    await checkRoom(source, journal.runTotals, roomFor(rehearsal, source, making));
    await checkFileSize(source, plan.after.sizeBytes);
    services.signal.throwIfAborted();
    if (isCleared(rehearsal.plan)) {
      await journal.discard();
      return { rehearsal };
    }
    const stamps = await stampVolumes(disk.device, rehearsal.plan, services.signal);
    const safetyCopy = making.safetyCopy === true ? await takeSafetyCopy(source) : undefined;
    isSealing = true;
    const head = header({ source, facts }, runId, rehearsal, services, { stamps, safetyCopy });
    return { rehearsal, sealed: await journal.seal(head) };
  } catch (error) {
    // Nobody can tell then whether the run came into force: finding it, or not, is the answer.
    if (isLoss(error)) throw isSealing ? resumable(error, source.path) : error;
    await journal.discard();
    throw error;
  }
}

/** Bytes that the store must have for the changed disk itself. */
const roomFor = (rehearsal: Rehearsal, source: DiskSource, { safetyCopy }: Making): number =>
  safetyCopy === true ? besideCopy(rehearsal, source) : rehearsal.allocates;

function header(
  { source, facts }: Found,
  runId: string,
  rehearsal: Rehearsal,
  services: Services,
  { stamps, safetyCopy }: { stamps: RunHeader['stamps']; safetyCopy: RunHeader['safetyCopy'] },
) {
  const extents = source.extents.map(({ path, sizeBytes, inode }) => ({
    path: source.store.nameOf(path),
    sizeBytes,
    inode,
  }));
  return {
    runId,
    version: services.version,
    startedAt: new Date(services.now()).toISOString(),
    disk: source.store.nameOf(source.path),
    extents,
    plan: rehearsal.plan,
    facts: { ...facts, mbr: null, gpt: null },
    usedAfter: rehearsal.facts.partitions
      .filter(({ number }) => rehearsal.plan.resizes.some((resize) => resize.number === number))
      .map(({ number, filesystem }) => ({ number, usedBytes: filesystem?.usedBytes ?? null })),
    ...(stamps === undefined ? {} : { stamps }),
    fixups: rehearsal.fixups,
    warnings: rehearsal.warnings,
    ...(safetyCopy === undefined ? {} : { safetyCopy }),
  };
}

/** Time and chance: unique enough to name a run in a history. */
export function newRunId(services: Pick<Services, 'now' | 'random'>): string {
  const stamp = new Date(services.now()).toISOString().replace(/[-:]|\.\d+/g, '');
  const chance = Math.floor(services.random() * 0x1000000);
  return `${stamp}-${chance.toString(16).padStart(6, '0')}`;
}
