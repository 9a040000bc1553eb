import { locate } from '../../backends/registry.js';
import { conflict, hintOf, isFamily, type Reason, VmreclaimError } from '../../core/errors.js';
import { baseName, shellQuote } from '../../core/text.js';
import type { Store } from '../../device/store.js';
import { openSource } from '../../disk/open.js';
import type { DiskSource } from '../../disk/types.js';
import type { PowerState } from '../../host/types.js';
import { withoutRunSuffix } from '../find-run.js';
import type { OpenOptions } from '../open.js';
import type { Outcome } from '../outcome.js';
import type { Dropped } from '../restore.js';
import { isUnfinished, type Machine } from './machine.js';
import {
  type LockNote,
  type MachineLock,
  NOTHING_OWED,
  type Owed,
  readMachineLock,
  whose,
} from './machine-lock.js';

/** A guest that was asked to shut down may take its time: updates, databases. */
const LATE_MS = 2 * 60 * 60 * 1000;
/** Clocks of a store tell whole seconds, and a host writes its last words behind a shutdown. */
const SLACK_MS = 2 * 60 * 1000;
/** Where nothing tells whether a machine ran since, a start is owed for this long. */
const UNPROVEN_MS = 24 * 60 * 60 * 1000;
/** What a host writes while a machine runs, beside its .vmx. */
const LOG_NAME = 'vmware.log';

/** What an earlier run leaves to this one. */
export interface Inheritance {
  readonly owed: Owed;
  /** Nothing is left of it but its file. */
  readonly isOver: boolean;
  /** Why the start that it owed is no longer owed; null: there was none, or it still is. */
  readonly why: string | null;
}

/**
 * Whether the start that an earlier run owed its machine is still owed. A machine that ran since, and was switched off, was
 * switched off by somebody on purpose: it is not started.
 */
export async function inheritFrom(
  earlier: LockNote,
  machine: Machine,
  lock: MachineLock,
  power: PowerState,
  options: OpenOptions,
): Promise<Inheritance> {
  const { store, disks } = machine;
  const sources: DiskSource[] = [];
  for (const disk of disks) sources.push(await openSource(store, disk, options));
  const owed: Owed = { powerOn: earlier.powerOn, stage: earlier.stage ?? 'off', since: earlier.since ?? 0 };
  // Its descriptor is hidden: nobody has started it.
  if (sources.some(isUnfinished)) return { owed, isOver: false, why: null };
  if (!earlier.powerOn) return { owed: NOTHING_OWED, isOver: true, why: null };
  const now = (await store.stat(lock.path))?.modifiedMs ?? Number.POSITIVE_INFINITY;
  const why = await whyNotOwed(owed, machine, sources, power, now);
  return why === null ? { owed, isOver: false, why } : { owed: NOTHING_OWED, isOver: true, why };
}

async function whyNotOwed(
  { stage, since = 0 }: Owed,
  machine: Machine,
  sources: readonly DiskSource[],
  power: PowerState,
  now: number,
): Promise<string | null> {
  const isAsked = stage === 'asked';
  if (power === 'on') {
    // It may still be shutting down, and then nobody would start it.
    return isAsked && now - since < LATE_MS ? null : 'it runs';
  }
  const { store, vmx } = machine;
  const log = vmx === null ? undefined : await modifiedOf(store, store.join(store.folderOf(vmx), LOG_NAME));
  const extents = stage === 'off' ? [] : sources.flatMap((source) => source.extents);
  const written = await Promise.all(extents.map(({ path }) => modifiedOf(store, path)));
  const last = Math.max(...[log, ...written].map((time) => time ?? 0));
  if (last > since + (isAsked ? LATE_MS : SLACK_MS)) {
    return `it has run since (until ${new Date(last).toISOString()}), and somebody switched it off`;
  }
  if (log !== undefined || extents.length > 0 || now - since < UNPROVEN_MS) return null;
  return 'nothing tells whether it has run since';
}

const modifiedOf = async (store: Store, path: string): Promise<number | undefined> =>
  (await store.stat(path))?.modifiedMs;

/**
 * Resumes a disk, and says it when a run of its machine has switched that off and not on again: resuming the disk starts nothing. What
 * cannot be found out about it stops nothing.
 */
export async function sayingStartOwed<T extends Outcome | Dropped>(
  target: string,
  options: OpenOptions,
  work: () => Promise<T>,
): Promise<T> {
  try {
    const ended = await work();
    const owed = 'restored' in ended ? undefined : await startOwed(target, options);
    return owed === undefined || 'restored' in ended
      ? ended
      : { ...ended, warnings: [...ended.warnings, owed] };
  } catch (error) {
    if (!isFamily(error, 'conflict') || error.code !== 'no-run') throw error;
    const owed = await startOwed(target, options);
    if (owed === undefined) throw error;
    throw conflict('no-run', `${error.message}; ${owed.message}`, { ...error.detail, ...hintOf(owed) });
  }
}

async function startOwed(target: string, options: OpenOptions): Promise<Reason | undefined> {
  try {
    const { store, path } = await locate(target, options.remote);
    const { vm, path: disk } = await openSource(store, withoutRunSuffix(path), options);
    const subject = vm?.path ?? disk;
    const note = await readMachineLock(store, subject);
    if (note === null || !note.powerOn) return undefined;
    return {
      code: 'start-owed',
      message: `${whose(note)}, has switched the virtual machine ${vm?.name ?? baseName(disk)} off, and not on again`,
      hint: `vmreclaim run ${shellQuote(subject)} with the same options goes on, and starts it`,
    };
  } catch (error) {
    if (error instanceof VmreclaimError) return undefined;
    throw error;
  }
}
