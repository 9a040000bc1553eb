import { conflict, isFamily, VmreclaimError } from '../../core/errors.js';
import { cleanText, shellQuote } from '../../core/text.js';
import { lockNameOf, type Store, type StoreFile } from '../../device/store.js';
import { machineLockOf } from '../../disk/names.js';
import { isLoss, repeatAfterLoss, toTheEnd } from '../reconnect.js';
import type { Services } from '../services.js';

/** More than a note ever has. */
const MAX_NOTE_BYTES = 4096;
/** A note with names of usual length, at most one sector of a disk; longer ones are kept as they are. */
const NOTE_BYTES = 512;
const SPACE = 0x20;
const LINE_END = 0x0a;
/** How often a lock may slip away between looking and taking it. */
const MAX_TRIES = 3;

/**
 * How far a run is that owes its machine a start. `asked`: the guest was asked to shut down. `off`: it did. `ready`: nothing more
 * is written to its disks.
 */
const STAGES = ['asked', 'off', 'ready'] as const;
type Stage = (typeof STAGES)[number];

/** Whether a machine is to be started by whoever ends the run. */
export interface Owed {
  readonly powerOn: boolean;
  readonly stage?: Stage;
  /** When that was, by the clock of the store, in milliseconds since 1970. Absent: when the file was written. */
  readonly since?: number;
}

export const NOTHING_OWED: Owed = { powerOn: false };

/** What the lock file of a machine says. */
export interface LockNote extends Owed {
  readonly formatVersion: 1;
  readonly runId: string;
  /** Machine and user that run it. */
  readonly host: string;
  readonly by: string;
  readonly startedAt: string;
}

/** The lock on a machine, for the time of a run. */
export interface MachineLock {
  readonly path: string;
  /** What a run of this host left that did not come to its end; null: nothing. It is complete with `stage` and `since`. */
  readonly earlier: LockNote | null;
  /** What it says, or should say: writing may have failed. */
  readonly owed: Owed;
  /** Writes down, durably, what has become of the machine. */
  note(owed: Owed): Promise<void>;
  /** The run is over. */
  release(): Promise<void>;
  /** Lets go of it, and leaves it there as a notice: the next run of this host takes it over. */
  leave(): Promise<void>;
}

/** For looking only: not even a lock file is written. */
export const NO_LOCK: MachineLock = {
  path: '',
  earlier: null,
  owed: NOTHING_OWED,
  note: async () => undefined,
  release: async () => undefined,
  leave: async () => undefined,
};

/**
 * Takes the first lock of a run: a file beside the .vmx (of a lone disk: beside it) that names run, host and time, held by the
 * store's own lock as long as this process lives. One that a dead process of this host left is taken over. Conflict
 * (machine-locked) when somebody else has it, or had it when it died: only a person can tell.
 */
export async function lockMachine(
  store: Store,
  subject: string,
  own: Omit<LockNote, keyof Owed>,
  services: Pick<Services, 'signal'>,
): Promise<MachineLock> {
  const path = machineLockOf(subject);
  for (let tries = 1; ; tries++) {
    const lock = await tryToLock(store, path, own, services);
    if (lock !== undefined) return lock;
    if (tries === MAX_TRIES) throw underWay(path, null, undefined);
  }
}

/**
 * Undefined when the file was another one by the time it was locked: whoever had it before has removed it, so that a lock on what
 * was opened keeps nobody out.
 */
async function tryToLock(
  store: Store,
  path: string,
  own: Omit<LockNote, keyof Owed>,
  services: Pick<Services, 'signal'>,
): Promise<MachineLock | undefined> {
  const modifiedMs = await refuseOddFile(store, path);
  const file = await openLock(store, path);
  if (file === undefined) return undefined;
  try {
    await held(file, path, store);
    const bytes = await file.readAt(0, Math.min(file.sizeBytes, MAX_NOTE_BYTES));
    const found = parseNote(bytes);
    // What has no word in it yet was made by a process that died before it had switched anything.
    if (found === null && bytes.some((byte) => byte !== 0)) throw notOurs(path);
    if (found !== null && found.host !== own.host) throw leftBy(path, found);
    const earlier = found === null ? null : { stage: 'off' as const, since: modifiedMs, ...found };
    const lock = new HeldLock(store, path, file, own, earlier, services);
    await lock.note(earlier === null ? NOTHING_OWED : owedIn(earlier));
    if (await lock.isInPlace()) return lock;
    await lock.leave();
    return undefined;
  } catch (error) {
    await file.close().catch(() => undefined);
    throw error;
  }
}

const owedIn = ({ powerOn, stage, since }: LockNote): Owed => ({
  powerOn,
  ...(stage === undefined ? {} : { stage }),
  ...(since === undefined ? {} : { since }),
});

class HeldLock implements MachineLock {
  owed = NOTHING_OWED;
  private isReleased = false;

  constructor(
    private readonly store: Store,
    readonly path: string,
    private readonly file: StoreFile,
    private readonly own: Omit<LockNote, keyof Owed>,
    readonly earlier: LockNote | null,
    private readonly services: Pick<Services, 'signal'>,
  ) {}

  async note(owed: Owed): Promise<void> {
    const note = { ...this.own, ...owed };
    this.owed = owed;
    try {
      await write(this.file, note);
    } catch (error) {
      if (!isLoss(error)) throw error;
      // The lock outlives the connection, what is open does not.
      await repeatAfterLoss(this.store, toTheEnd(this.services), () => this.writeAnew(note));
    }
  }

  /** True when the file that is locked is the one that others find. */
  async isInPlace(): Promise<boolean> {
    const bytes = await this.store.readFile(this.path, MAX_NOTE_BYTES).catch(nothingThere);
    return parseNote(bytes)?.runId === this.own.runId;
  }

  /** While it is held, and once: behind, it could be that of the next one. */
  async release(): Promise<void> {
    if (this.isReleased) return;
    await this.store.remove(this.path);
    this.isReleased = true;
    await this.file.close();
  }

  leave(): Promise<void> {
    return this.file.close();
  }

  private async writeAnew(note: LockNote): Promise<void> {
    if (!(await this.isInPlace())) throw notOurs(this.path);
    const file = await this.store.open(this.path, 'write');
    try {
      await write(file, note);
    } finally {
      await file.close();
    }
  }
}

function nothingThere(error: unknown): Uint8Array {
  if (isFamily(error, 'device') && error.code === 'not-found') return new Uint8Array();
  throw error;
}

/**
 * A link, or anything but a small file of one name, was put there by somebody: never written through. Returns when what is there
 * was written; 0 for nothing.
 */
async function refuseOddFile(store: Store, path: string): Promise<number> {
  const found = await store.stat(path);
  if (found === undefined) return 0;
  const isPlain = found.kind === 'file' && found.sizeBytes <= MAX_NOTE_BYTES && (found.linkCount ?? 1) === 1;
  if (!isPlain) throw notOurs(path);
  return found.modifiedMs;
}

const notOurs = (path: string): VmreclaimError =>
  conflict('machine-locked', 'what is in the place of the lock of the virtual machine is not understood', {
    path,
    hint: 'a newer vmreclaim, or a crash, may have left it: see that no run is under way and no disk is half-changed (scan), then remove it',
  });

/** Undefined when it has gone between two looks. */
async function openLock(store: Store, path: string): Promise<StoreFile | undefined> {
  try {
    return await store.open(path, 'create');
  } catch (error) {
    if (!isFamily(error, 'conflict') || error.code !== 'exists') throw error;
  }
  try {
    return await store.open(path, 'write');
  } catch (error) {
    if (!isFamily(error, 'device') || error.code !== 'not-found') throw error;
    return undefined;
  }
}

async function held(file: StoreFile, path: string, store: Store): Promise<void> {
  try {
    await file.lock();
  } catch (error) {
    if (!(error instanceof VmreclaimError) || error.family !== 'conflict') throw error;
    const note = parseNote(await store.readFile(path, MAX_NOTE_BYTES).catch(() => new Uint8Array()));
    throw underWay(path, note, error);
  }
}

/**
 * Somebody holds it. A store whose locks are files cannot tell the living from the dead, and then there are two to be removed: the
 * lock of the machine and, beside it, that of the store.
 */
function underWay(path: string, note: LockNote | null, held: VmreclaimError | undefined): VmreclaimError {
  const storeLock = lockNameOf(path);
  const message = `a run is under way on this virtual machine${note === null ? '' : `: ${whose(note)}`}`;
  if (held?.detail.path !== storeLock)
    return conflict('machine-locked', message, { path, hint: 'wait for it to end' });
  const where = note === null ? 'the machine that it runs on' : cleanText(note.host);
  return conflict('machine-locked', `${message}, or it did not come to its end`, {
    path,
    hint: `wait for it to end; if it has died, run the same command again on ${where}; when that machine is gone for good, and no disk is half-changed (scan), remove ${shellQuote(storeLock)} and ${shellQuote(path)}`,
  });
}

/** Always of one length, so that a crash in the middle of a later one leaves the old or the new one: it is one write. */
async function write(file: StoreFile, note: LockNote): Promise<void> {
  const bytes = new TextEncoder().encode(JSON.stringify(note));
  const padded = new Uint8Array(Math.max(NOTE_BYTES, bytes.length + 1)).fill(SPACE);
  padded.set(bytes);
  padded[padded.length - 1] = LINE_END;
  if (file.sizeBytes !== padded.length) await file.resize(padded.length);
  await file.writeAt(0, padded);
  await file.flush();
}

/** What a lock file says; null for anything else. */
function parseNote(bytes: Uint8Array): LockNote | null {
  try {
    const note = JSON.parse(new TextDecoder().decode(bytes)) as LockNote;
    const { formatVersion, powerOn, stage, since } = note;
    const texts = [note.runId, note.host, note.by, note.startedAt];
    const isNote = formatVersion === 1 && texts.every((text) => typeof text === 'string');
    const isStage = stage === undefined || STAGES.includes(stage);
    const isTime = since === undefined || Number.isFinite(since);
    return isNote && isStage && isTime && typeof powerOn === 'boolean' ? note : null;
  } catch {
    return null;
  }
}

/** What the lock file of a machine says, without taking it; null: there is none, or none that is understood. */
export async function readMachineLock(store: Store, subject: string): Promise<LockNote | null> {
  const path = machineLockOf(subject);
  if ((await store.stat(path))?.kind !== 'file') return null;
  return parseNote(await store.readFile(path, MAX_NOTE_BYTES));
}

/** A note in words. */
export const whose = ({ runId, by, startedAt }: LockNote): string =>
  `run ${cleanText(runId)} of ${cleanText(by)}, begun ${cleanText(startedAt)}`;

const leftBy = (path: string, note: LockNote): VmreclaimError =>
  conflict('machine-locked', `the virtual machine is locked by ${whose(note)}, which did not end`, {
    path,
    hint: `run the same command again on ${cleanText(note.host)}: it goes on; when that machine is gone for good, and no disk is half-changed (scan), remove ${shellQuote(path)}`,
  });
