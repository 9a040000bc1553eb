import { conflict, isFamily, VmreclaimError } from '../../core/errors.js';
import { cleanText } from '../../core/text.js';
import type { Store, StoreFile } from '../../device/store.js';
import { machineLockOf } from '../../disk/names.js';

/** More than a note ever has. */
const MAX_NOTE_BYTES = 4096;

/** What the lock file of a machine says. */
export interface LockNote {
  readonly formatVersion: 1;
  readonly runId: string;
  /** Machine and user that run it. */
  readonly host: string;
  readonly by: string;
  readonly startedAt: string;
  /** The run has switched the machine off, and owes it a start. */
  readonly powerOn: boolean;
}

/** The lock on a machine, for the time of a run. */
export interface MachineLock {
  readonly path: string;
  /** What a run of this host left that did not come to its end; null: nothing. */
  readonly earlier: LockNote | null;
  /** Writes down, durably, what has become of the machine. */
  note(powerOn: boolean): Promise<void>;
  /** The run is over. */
  release(): Promise<void>;
  /** Lets go of it, and leaves it there as a notice: the next run of this host takes it over. */
  leave(): Promise<void>;
}

/** For looking only: not even a lock file is written. */
export const NO_LOCK: MachineLock = {
  path: '',
  earlier: null,
  note: async () => undefined,
  release: async () => undefined,
  leave: async () => undefined,
};

/**
 * Takes the first lock of a run: a file beside the .vmx (of a lone disk: beside it) that names run, host and time, held by the
 * store's own lock as long as this process lives. One that a dead process of this host left is taken over. Conflict
 * (machine-locked) when somebody else has it, or had it when it died: only a person can tell.
 */
export async function lockMachine(store: Store, subject: string, own: LockNote): Promise<MachineLock> {
  const path = machineLockOf(subject);
  await refuseOddFile(store, path);
  const file = await openLock(store, path);
  try {
    await held(file, path, store);
    const bytes = await file.readAt(0, Math.min(file.sizeBytes, MAX_NOTE_BYTES));
    const earlier = parseNote(bytes);
    // What has no byte yet was made by a process that died before it had the lock.
    if (earlier === null && file.sizeBytes > 0) throw notOurs(path);
    if (earlier !== null && earlier.host !== own.host) throw leftBy(path, earlier);
    const note = (powerOn: boolean) => write(file, { ...own, powerOn });
    await note(earlier?.powerOn ?? false);
    const leave = () => file.close();
    return { path, earlier, note, leave, release: () => store.remove(path).then(leave) };
  } catch (error) {
    await file.close().catch(() => undefined);
    throw error;
  }
}

/** A link, or anything but a small file of one name, was put there by somebody: never written through. */
async function refuseOddFile(store: Store, path: string): Promise<void> {
  const found = await store.stat(path);
  if (found === undefined) return;
  const isPlain = found.kind === 'file' && found.sizeBytes <= MAX_NOTE_BYTES && (found.linkCount ?? 1) === 1;
  if (!isPlain) throw notOurs(path);
}

const notOurs = (path: string): VmreclaimError =>
  conflict('machine-locked', 'what is in the place of the lock of the virtual machine is not understood', {
    path,
    hint: 'a newer vmreclaim, or a crash, may have left it: see that no run is under way and no disk is half-changed (scan), then remove it',
  });

async function openLock(store: Store, path: string): Promise<StoreFile> {
  try {
    return await store.open(path, 'create');
  } catch (error) {
    if (!isFamily(error, 'conflict') || error.code !== 'exists') throw error;
    return store.open(path, 'write');
  }
}

async function held(file: StoreFile, path: string, store: Store): Promise<void> {
  try {
    await file.lock();
  } catch (error) {
    if (!(error instanceof VmreclaimError) || error.family !== 'conflict') throw error;
    const note = parseNote(await store.readFile(path, MAX_NOTE_BYTES).catch(() => new Uint8Array()));
    throw conflict(
      'machine-locked',
      `a run is under way on this virtual machine${note === null ? '' : `: ${whose(note)}`}`,
      {
        path,
        hint: error.detail.hint ?? 'wait for it to end',
      },
    );
  }
}

/** Never only a part of it: the length comes first, and what is not JSON counts as nothing. */
async function write(file: StoreFile, note: LockNote): Promise<void> {
  const bytes = new TextEncoder().encode(`${JSON.stringify(note)}\n`);
  await file.resize(bytes.length);
  await file.writeAt(0, bytes);
  await file.flush();
}

function parseNote(bytes: Uint8Array): LockNote | null {
  try {
    const note = JSON.parse(new TextDecoder().decode(bytes)) as LockNote;
    const texts = [note.runId, note.host, note.by, note.startedAt];
    const isNote = note.formatVersion === 1 && texts.every((text) => typeof text === 'string');
    return isNote && typeof note.powerOn === 'boolean' ? note : null;
  } catch {
    return null;
  }
}

/** A note in words. */
export const whose = ({ runId, by, startedAt }: LockNote): string =>
  `run ${cleanText(runId)} of ${cleanText(by)}, begun ${cleanText(startedAt)}`;

const leftBy = (path: string, note: LockNote): VmreclaimError =>
  conflict('machine-locked', `the virtual machine is locked by ${whose(note)}, which did not end`, {
    path,
    hint: `run the same command again on ${cleanText(note.host)}: it goes on; when that machine is gone for good, and no disk is half-changed (scan), remove the file`,
  });
