import { conflict, internalError } from '../core/errors.js';
import { MIB } from '../core/units.js';
import type { Overlay } from '../device/overlay.js';
import type { Store } from '../device/store.js';
import type { BlockDevice } from '../device/types.js';
import { vacatedBy } from '../program/shift.js';
import type { FileOperation, Operation, Phase, ShiftOperation } from '../program/types.js';
import type { Counters } from './types.js';

/** Accesses under way at once: enough to keep a disk busy, few enough to stay sequential. */
const CONCURRENCY = 4;
/** Zeros written by one access. */
const FILL_BYTES = 1024 * 1024;
/** As large as the largest text file that is compiled into a program, a .vmx: else the run could not be finished. */
const MAX_TEXT_BYTES = 4 * 1024 * 1024;

/** A copy, or a part of one, with its place in the buffer. */
interface Transfer {
  readonly from: number;
  readonly to: number;
  readonly bytes: Uint8Array;
}

/** Runs `work` over all items, a few at a time; the first failure stops the rest and is thrown. */
async function forAll<T>(
  items: readonly T[],
  work: (item: T) => Promise<void>,
  width = CONCURRENCY,
): Promise<void> {
  let next = 0;
  let failed = false;
  const worker = async (): Promise<void> => {
    while (!failed) {
      const item = items[next++];
      if (item === undefined) return;
      try {
        await work(item);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const results = await Promise.allSettled(Array.from({ length: width }, worker));
  const failure = results.find((result) => result.status === 'rejected');
  if (failure !== undefined) throw failure.reason;
}

/** Splits the copies of a phase into batches that fit into a buffer; with several they take turns. */
function* batches(phase: Phase, ...buffers: Uint8Array[]): Generator<Transfer[]> {
  let batch: Transfer[] = [];
  let filled = 0;
  let turn = 0;
  let buffer = buffers[0] ?? new Uint8Array(0);
  for (const operation of phase.operations) {
    if (operation.op !== 'copy') continue;
    for (let done = 0; done < operation.length; ) {
      const length = Math.min(operation.length - done, buffer.length - filled);
      const bytes = buffer.subarray(filled, filled + length);
      batch.push({ from: operation.from + done, to: operation.to + done, bytes });
      done += length;
      filled += length;
      if (filled < buffer.length) continue;
      yield batch;
      batch = [];
      filled = 0;
      buffer = buffers[++turn % buffers.length] ?? buffer;
    }
  }
  if (batch.length > 0) yield batch;
}

/** Reads the sources of a phase that spills into the buffer, one behind the other; the part that was filled. */
export async function gather(device: BlockDevice, phase: Phase, buffer: Uint8Array): Promise<Uint8Array> {
  let filled = 0;
  for (const batch of batches(phase, buffer)) {
    if (filled > 0) throw internalError('spill', 'a phase that spills is larger than the buffer');
    await forAll(batch, ({ from, bytes }) => device.readInto(from, bytes));
    filled = batch.reduce((total, { bytes }) => total + bytes.length, 0);
  }
  return buffer.subarray(0, filled);
}

/** Writes gathered bytes to the targets of the phase. */
export async function scatter(device: BlockDevice, phase: Phase, buffer: Uint8Array): Promise<void> {
  for (const batch of batches(phase, buffer)) {
    await forAll(batch, ({ to, bytes }) => device.writeAt(to, bytes));
  }
}

/** Copies shorter than this are faster in batches, and a store that shares blocks would be left in crumbs. */
const STORE_COPY_BYTES = MIB;

/**
 * Copies of a phase that does not spill: large ones by the store, where it can; else one buffer is written while the other is
 * filled. No copy of such a phase overlaps itself.
 */
export async function copyAll(
  device: BlockDevice,
  phase: Phase,
  buffers: readonly [Uint8Array, Uint8Array],
): Promise<void> {
  const { rangeCopy, smallestCopy } = device.capabilities;
  const least = rangeCopy ? (smallestCopy ?? STORE_COPY_BYTES) : Number.POSITIVE_INFINITY;
  const copies = phase.operations.filter((each) => each.op === 'copy');
  const byStore = copies.filter(({ length }) => length >= least);
  // A server far away answers late: some requests are under way together. A disk likes one after the other.
  const width = smallestCopy === undefined ? 1 : CONCURRENCY;
  await forAll(byStore, ({ from, to, length }) => device.copyRange(from, to, length), width);
  await stream(
    device,
    device,
    { ...phase, operations: copies.filter(({ length }) => length < least) },
    buffers,
  );
}

/** Copies of a phase whose sources are somewhere else, at the same places: one buffer is written while the other is filled. */
export async function stream(
  source: Pick<BlockDevice, 'readInto'>,
  device: BlockDevice,
  phase: Phase,
  buffers: readonly [Uint8Array, Uint8Array],
): Promise<void> {
  let writing: Promise<void> = Promise.resolve();
  try {
    for (const batch of batches(phase, ...buffers)) {
      await Promise.all([writing, forAll(batch, ({ from, bytes }) => source.readInto(from, bytes))]);
      writing = forAll(batch, ({ to, bytes }) => device.writeAt(to, bytes));
    }
  } finally {
    await writing;
  }
}

/** Everything of a phase but its copies, and but a shift. */
export async function applyOthers(device: BlockDevice, store: Store, phase: Phase): Promise<void> {
  for (const operation of phase.operations) {
    if (operation.op !== 'copy' && operation.op !== 'shift') await applyOne(device, store, operation);
  }
}

async function applyOne(
  device: BlockDevice,
  store: Store,
  operation: Exclude<Operation, { op: 'copy' | 'shift' }>,
): Promise<void> {
  switch (operation.op) {
    case 'write':
      return device.writeAt(operation.at, operation.bytes);
    case 'discard':
      return device.discard(operation.at, operation.length);
    case 'fill':
      return fillWithZeros(device, operation.at, operation.length);
    case 'resize':
      return operation.to === device.sizeBytes ? undefined : device.resize(operation.to);
    default:
      return applyToFile(store, operation);
  }
}

/** Written, not discarded: the store shall keep room for them. */
async function fillWithZeros(device: BlockDevice, at: number, length: number): Promise<void> {
  const zeros = new Uint8Array(Math.min(length, FILL_BYTES));
  for (let done = 0; done < length; done += zeros.length) {
    await device.writeAt(at + done, zeros.subarray(0, Math.min(zeros.length, length - done)));
  }
}

/** Each of them may have been done already, completely or not at all: all are atomic. */
async function applyToFile(store: Store, operation: FileOperation): Promise<void> {
  if (operation.op === 'remove') return store.remove(operation.file);
  if (operation.op === 'rename') {
    const { from, to } = operation;
    const there = (await store.stat(from)) !== undefined;
    if (!there && (await store.stat(to)) !== undefined) return undefined;
    return store.rename(from, to);
  }
  const now = await store.readFile(operation.file, MAX_TEXT_BYTES);
  if (Buffer.compare(now, operation.after) === 0) return undefined;
  if (Buffer.compare(now, operation.before) !== 0) {
    throw conflict('file-changed', 'a file was changed by somebody else while the run was in flight', {
      path: operation.file,
      hint: 'put it back as it was when the run began, and resume; the disk itself is finished by now',
    });
  }
  return store.replaceFile(operation.file, operation.after);
}

/** What a phase adds to the counters. */
export function countPhase(counters: Counters, phase: Phase): Counters {
  let { bytesCopied, bytesWritten, bytesDiscarded } = counters;
  for (const operation of phase.operations) {
    if (operation.op === 'copy') bytesCopied += operation.length;
    if (operation.op === 'copy') bytesWritten += operation.length;
    if (operation.op === 'write') bytesWritten += operation.bytes.length;
    if (operation.op === 'fill') bytesWritten += operation.length;
    if (operation.op === 'discard') bytesDiscarded += operation.length;
  }
  return { bytesCopied, bytesWritten, bytesDiscarded };
}

/**
 * Applies a phase to an overlay, as the runner would: all sources are looked up before the first target changes,
 * and copies become aliases. Operations on files are left out.
 */
export async function rehearsePhase(overlay: Overlay, phase: Phase): Promise<void> {
  await overlay.copyTogether(phase.operations.filter((operation) => operation.op === 'copy'));
  for (const operation of phase.operations) {
    if (operation.op === 'write') await overlay.writeAt(operation.at, operation.bytes);
    else if (operation.op === 'discard' || operation.op === 'fill')
      await overlay.discard(operation.at, operation.length);
    else if (operation.op === 'resize') await overlay.resize(operation.to);
    else if (operation.op === 'shift') await rehearseShift(overlay, operation);
  }
}

async function rehearseShift(overlay: Overlay, shift: ShiftOperation): Promise<void> {
  await overlay.copyTogether([shift]);
  const { at, length } = vacatedBy(shift);
  await overlay.discard(at, length);
}
