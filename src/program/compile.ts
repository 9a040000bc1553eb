import { internalError } from '../core/errors.js';
import { type ByteRange, complement, intersection, mergeRanges, rangeEnd } from '../core/range.js';
import { KIB, lba, MIB } from '../core/units.js';
import type { BlockDevice, Reader } from '../device/types.js';
import { windowReader } from '../device/window.js';
import type { VolumeMove } from '../formats/types.js';
import { probeFilesystem, type RecognisedVolume } from '../inspect/registry.js';
import { sectorsBehind } from '../plan/lay-out.js';
import type { Plan, PlannedMove, PlannedResize } from '../plan/types.js';
import { bootPhases } from './boot.js';
import type { CompileInput } from './compile-input.js';
import { type CompileNotes, partitionOf } from './compile-notes.js';
import { finishPhases, hidePhases } from './files.js';
import { type MoveJob, movePhases } from './move.js';
import { type LeftBehind, releasePhases } from './release.js';
import { type ResizeJob, resizePhases, workOut } from './resize.js';
import { servedPhases } from './served.js';
import { shiftPhase, whereOf } from './shift.js';
import { tablePhases } from './tables.js';
import type { Operation, Phase } from './types.js';
import { zeroPhases } from './zero.js';

/**
 * The program of a plan, phase by phase; nothing is held whole. Order:
 *
 *     hide the descriptor
 *     shrink: copy clusters below the new ends     gather: the run can still be dropped
 *     shrink: metadata of all volumes
 *     enlarge the disk
 *     move the partitions, give back what they left inside, patch their boot sectors
 *     enlarge volumes at their new places
 *     patch what the guest finds by position: registry, boot configuration, boot loaders
 *     partition tables, the boot loader beside them, clear what was left behind, cut the disk
 *     (here the result is verified) adapt the descriptor and put it back
 *
 * `zero` has only one step between hiding and putting back, and it can be dropped as well.
 *
 * Tables come after the data: a half-moved partition is wrong under either table, and the hidden descriptor keeps
 * everybody out meanwhile. The descriptor comes last because it is what makes the disk usable.
 */
export async function* compile(input: CompileInput, notes: CompileNotes): AsyncGenerator<Phase> {
  const { disk, plan } = input;
  yield* hidePhases(disk.source);
  if (input.served !== undefined) yield* servedPhases(input.served, input.signal);
  if (plan.zero === undefined) yield* layoutPhases(input, notes);
  else yield* zeroPhases(input, plan.zero.areas, notes.cleared);
  yield* finishPhases(input);
}

async function* layoutPhases(input: CompileInput, notes: CompileNotes): AsyncGenerator<Phase> {
  const { plan } = input;
  yield* shrinkPhases(input, notes);
  if (plan.after.sizeBytes > plan.before.sizeBytes) yield* growPhases(plan);
  yield* movingPhases(input, notes);
  yield* enlargePhases(input, notes);
  const boot = await bootPhases(input, notes);
  yield* boot.volumes;
  yield* tablePhases(input);
  yield* boot.disk;
  const vacated = vacatedRanges(input);
  if (vacated.length > 0) yield change('clear what was left behind', vacated);
  if (plan.after.sizeBytes < plan.before.sizeBytes) {
    yield change('cut the disk', [{ op: 'resize', to: plan.after.sizeBytes }]);
  }
}

const change = (why: string, operations: Operation[]): Phase => ({ stage: 'change', why, operations });

/** All volumes gather before the first one changes. */
async function* shrinkPhases(input: CompileInput, notes: CompileNotes): AsyncGenerator<Phase> {
  const { disk, plan, signal } = input;
  const jobs: ResizeJob[] = [];
  try {
    for (const resize of plan.resizes.filter(({ direction }) => direction === 'shrink')) {
      const { startLba } = partitionOf(plan.before.partitions, resize.number);
      const job = await workOut(disk.device, plan, resize, startLba, input);
      jobs.push(job);
      noteResize(job, notes);
    }
    for (const job of jobs) yield* resizePhases(job, 'gather', signal);
    for (const job of jobs) yield* resizePhases(job, 'change', signal);
  } finally {
    for (const { work } of jobs) await work.close?.();
  }
}

async function* enlargePhases(input: CompileInput, notes: CompileNotes): AsyncGenerator<Phase> {
  const { plan, preview, signal } = input;
  for (const resize of plan.resizes.filter(({ direction }) => direction === 'enlarge')) {
    const { startLba } = partitionOf(plan.after.partitions, resize.number);
    const job = await workOut(preview.freeze(), plan, resize, startLba, input);
    try {
      noteResize(job, notes);
      yield* cleanRoom(input, resize, job.at);
      yield* resizePhases(job, 'change', signal);
    } finally {
      await job.work.close?.();
    }
  }
}

/** What others left where a volume grows to: given back, unless the store is to keep every byte. */
function* cleanRoom({ disk, plan }: CompileInput, { number, fromBytes, toBytes }: PlannedResize, at: number) {
  if (!disk.device.capabilities.discard || plan.request.allocate === 'full') return;
  const room = { at: at + fromBytes, length: toBytes - fromBytes };
  yield change(`make room for partition ${number}`, [{ op: 'discard', ...room }]);
}

function noteResize({ resize, work }: ResizeJob, notes: CompileNotes): void {
  notes.fixups.push(...work.fixups.map((fixup) => ({ ...fixup, partition: resize.number })));
  notes.warnings.push(...work.warnings);
}

/** Zeros written by one phase of a disk that is to be kept whole by the store. */
const FILL_PHASE_BYTES = 256 * MIB;

function* growPhases({ before, after, request }: Plan): Generator<Phase> {
  yield change('enlarge the disk', [{ op: 'resize', to: after.sizeBytes }]);
  if (request.allocate !== 'full') return;
  for (let at = before.sizeBytes; at < after.sizeBytes; at += FILL_PHASE_BYTES) {
    const length = Math.min(FILL_PHASE_BYTES, after.sizeBytes - at);
    yield change('allocate the new room', [{ op: 'fill', at, length }]);
  }
}

/** Everything that concerns starts: read from a look that stays, while the phases change what is below it. */
async function* movingPhases(input: CompileInput, notes: CompileNotes): AsyncGenerator<Phase> {
  const { plan, preview } = input;
  const now = preview.freeze();
  const edits: Operation[] = [];
  const jobs: MoveJob[] = [];
  for (const move of plan.moves) {
    // One look at the volume serves both: it reads the whole allocation bitmap.
    const volume = volumeOf(now, input, move.number);
    const found = await probeFilesystem(volume);
    edits.push(...(await volumeEdits(volume, input, move.number, found, notes)));
    jobs.push(yield* moveOne(now, volume, input, move, found));
  }
  const left = [...jobs, ...tailsOf(plan)];
  for (const job of jobs) yield* releasePhases(now, job, left);
  for (const number of grownInPlace(plan)) {
    const volume = volumeOf(now, input, number);
    edits.push(...(await volumeEdits(volume, input, number, await probeFilesystem(volume), notes)));
  }
  if (edits.length > 0) yield change('patch the boot sectors', edits);
}

async function* moveOne(
  now: BlockDevice,
  volume: Reader,
  input: CompileInput,
  move: PlannedMove,
  found: RecognisedVolume | null,
): AsyncGenerator<Phase, MoveJob> {
  const { sectorSize } = input.facts;
  const where = whereOf(move, sectorSize);
  if (move.copiedBy === 'shift') {
    yield shiftPhase(where);
    // Nothing of it is left at the old place, and what the volume has free has moved along.
    return { ...where, used: null, journaled: false, windowBytes: move.windowBytes };
  }
  const used = move.copies === 'used' ? await found?.format.usedMap?.(volume) : null;
  if (used === undefined) {
    throw internalError('no-used-map', `partition ${move.number} has no map of its used ranges`);
  }
  const [journaled, shared] = [move.mode === 'journaled', move.spill === 'shared'];
  const job = { ...where, used, journaled, shared, windowBytes: move.windowBytes };
  yield* movePhases(now, job);
  return job;
}

/** What shrunk volumes gave up at their old places: all of it is left behind. */
function tailsOf({ resizes, before, disk }: Plan): LeftBehind[] {
  return resizes
    .filter(({ direction }) => direction === 'shrink')
    .map(({ number, fromBytes, toBytes }) => {
      const from = partitionOf(before.partitions, number).startLba * disk.sectorSize + toBytes;
      return { from, length: fromBytes - toBytes, used: null };
    });
}

/** Partitions that get larger around the same volume: it may keep something at the partition's end. */
function grownInPlace(plan: Plan): number[] {
  const resized = new Set(plan.resizes.map(({ number }) => number));
  return plan.after.partitions
    .filter(({ number, kind, startLba, sectorCount }) => {
      const before = partitionOf(plan.before.partitions, number);
      const isSame = before.startLba === startLba && before.sectorCount === sectorCount;
      return kind !== 'extended' && before.startLba === startLba && !isSame && !resized.has(number);
    })
    .map(({ number }) => number);
}

/** What must change inside a volume that moves or whose partition grows, as writes at its new place. */
async function volumeEdits(
  volume: Reader,
  input: CompileInput,
  number: number,
  found: RecognisedVolume | null,
  notes: CompileNotes,
): Promise<Operation[]> {
  if (found?.format.onMove === undefined) return [];
  const move = volumeMove(input, number);
  const edit = await found.format.onMove(volume, move);
  notes.fixups.push(...edit.fixups.map((fixup) => ({ ...fixup, partition: number })));
  notes.warnings.push(...edit.warnings);
  const base = move.newStart * move.sectorSize;
  return edit.writes.map(({ at, bytes }) => ({ op: 'write', at: base + at, bytes }));
}

/** Sectors of the partition while it moves: a file system is shrunk before and enlarged after. */
function movingCount(plan: Plan, number: number): number {
  const before = partitionOf(plan.before.partitions, number).sectorCount;
  return Math.min(before, partitionOf(plan.after.partitions, number).sectorCount);
}

/** The volume where it is before the moves. */
function volumeOf(now: Reader, { facts, plan }: CompileInput, number: number): Reader {
  const { startLba } = partitionOf(plan.before.partitions, number);
  const { sectorSize } = facts;
  const length = movingCount(plan, number) * sectorSize;
  return windowReader(now, startLba * sectorSize, length, `partition ${number}`);
}

function volumeMove({ facts, plan }: CompileInput, number: number): VolumeMove {
  const before = partitionOf(plan.before.partitions, number);
  const after = partitionOf(plan.after.partitions, number);
  const isEnlarged = plan.resizes.some((each) => each.number === number && each.direction === 'enlarge');
  return {
    sectorSize: facts.sectorSize,
    oldStart: before.startLba,
    newStart: after.startLba,
    oldSectorCount: movingCount(plan, number),
    newSectorCount: isEnlarged ? before.sectorCount : after.sectorCount,
    oldEbr: before.ebrLba,
    newEbr: after.ebrLba,
  };
}

/** Enough to make sure that no left-over boot sector or superblock is found where a partition used to start. */
const SIGNATURE_BYTES = 128 * KIB;

/**
 * What partitions left behind: no longer part of any. Given back to the store where that costs nothing; else only
 * the old start is zeroed, so that no tool takes its stale signatures for a file system.
 */
function vacatedRanges(input: CompileInput): Operation[] {
  const { facts, plan } = input;
  const { sectorSize } = facts;
  const toRange = (start: number, count: number): ByteRange => ({
    at: start * sectorSize,
    length: count * sectorSize,
  });
  const kept = mergeRanges(
    plan.after.partitions
      .filter(({ kind }) => kind !== 'extended')
      .flatMap(({ startLba, sectorCount, ebrLba }) => [
        toRange(startLba, sectorCount),
        ...(ebrLba === null ? [] : [toRange(ebrLba, 1)]),
      ])
      .concat(tableRanges(input))
      .sort((a, b) => a.at - b.at),
  );
  const disk = { at: 0, length: Math.min(plan.before.sizeBytes, plan.after.sizeBytes) };
  return plan.before.partitions.flatMap(({ number, kind, startLba, sectorCount }) => {
    const after = partitionOf(plan.after.partitions, number);
    const isSame = after.startLba === startLba && after.sectorCount === sectorCount;
    // What is cut off goes with the disk.
    const old = intersection(toRange(startLba, sectorCount), disk);
    if (kind === 'extended' || isSame || old === undefined) return [];
    const free = complement(kept, old);
    return free.flatMap((range) => clear(input.disk.device, range, startLba * sectorSize));
  });
}

/**
 * First EBR: the first sector of the extended partition, whether or not a logical names it. Backup GPT: at the end of
 * the disk, where something else may have been before it was cut.
 */
function tableRanges({ facts, plan }: CompileInput): ByteRange[] {
  const { sectorSize } = facts;
  const ebrs = plan.after.partitions
    .filter(({ kind }) => kind === 'extended')
    .map(({ startLba }) => ({ at: lba(startLba) * sectorSize, length: sectorSize }));
  const length = sectorsBehind(facts) * sectorSize;
  return length === 0 ? ebrs : [...ebrs, { at: plan.after.sizeBytes - length, length }];
}

function clear(device: BlockDevice, range: ByteRange, oldStart: number): Operation[] {
  const what = device.capabilities.discard
    ? range
    : intersection(range, { at: oldStart, length: Math.min(SIGNATURE_BYTES, rangeEnd(range) - oldStart) });
  return what === undefined ? [] : [{ op: 'discard', ...what }];
}
