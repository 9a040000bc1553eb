import { internalError, type Reason } from '../core/errors.js';
import { type ByteRange, complement, intersection, mergeRanges, rangeEnd } from '../core/range.js';
import { KIB, lba } from '../core/units.js';
import type { BlockDevice } from '../device/types.js';
import { windowReader } from '../device/window.js';
import type { VolumeMove } from '../formats/types.js';
import { probeFilesystem, type RecognisedVolume } from '../inspect/registry.js';
import type { LayoutPartition, Plan, PlannedFixup, PlannedMove } from '../plan/types.js';
import type { CompileInput } from './compile-input.js';
import { finishPhases, hidePhases } from './files.js';
import { type MoveJob, movePhases } from './move.js';
import { releasePhases } from './release.js';
import { tablePhases } from './tables.js';
import type { Operation, Phase } from './types.js';

/** What compiling found out on the way, for the report. */
export interface CompileNotes {
  readonly fixups: PlannedFixup[];
  readonly warnings: Reason[];
}

/**
 * The program of a plan, phase by phase; nothing is held whole. Order: hide the descriptor; enlarge the disk;
 * move the partitions; patch the volumes at their new places; write the tables; give back what was left behind;
 * (here the result is verified) adapt the descriptor and put it back.
 *
 * Tables come after the data: a half-moved partition is wrong under either table, and the hidden descriptor keeps
 * everybody out meanwhile. The descriptor comes last because it is what makes the disk usable.
 */
export async function* compile(input: CompileInput, notes: CompileNotes): AsyncGenerator<Phase> {
  const { disk, plan } = input;
  yield* hidePhases(disk.source);
  if (plan.after.sizeBytes !== plan.before.sizeBytes) {
    yield change('resize the disk', [{ op: 'resize', to: plan.after.sizeBytes }]);
  }
  const edits: Operation[] = [];
  const jobs: MoveJob[] = [];
  for (const move of plan.moves) {
    // One look at the volume serves both: it reads the whole allocation bitmap.
    const found = await probeFilesystem(volumeOf(input, move.number));
    edits.push(...(await volumeEdits(input, move.number, found, notes)));
    jobs.push(yield* moveOne(input, move, found));
  }
  for (const job of jobs) yield* releasePhases(disk.device, job, jobs);
  for (const number of resizedInPlace(plan)) {
    const found = await probeFilesystem(volumeOf(input, number));
    edits.push(...(await volumeEdits(input, number, found, notes)));
  }
  if (edits.length > 0) yield change('patch the boot sectors', edits);
  yield* tablePhases(input);
  const vacated = vacatedRanges(input);
  if (vacated.length > 0) yield change('clear what was left behind', vacated);
  yield* finishPhases(input);
}

const change = (why: string, operations: Operation[]): Phase => ({ stage: 'change', why, operations });

async function* moveOne(
  input: CompileInput,
  move: PlannedMove,
  found: RecognisedVolume | null,
): AsyncGenerator<Phase, MoveJob> {
  const { device } = input.disk;
  const { sectorSize } = input.facts;
  const from = move.fromLba * sectorSize;
  const length = move.sectorCount * sectorSize;
  const used = move.copies === 'used' ? await found?.format.usedMap?.(volumeOf(input, move.number)) : null;
  if (used === undefined) {
    throw internalError('no-used-map', `partition ${move.number} has no map of its used ranges`);
  }
  const job = {
    why: `move partition ${move.number}`,
    from,
    to: move.toLba * sectorSize,
    length,
    used,
    journaled: move.mode === 'journaled',
    windowBytes: move.windowBytes,
  };
  yield* movePhases(device, job);
  return job;
}

/** Partitions that get larger without moving: their volumes may keep something at the partition's end. */
function resizedInPlace(plan: Plan): number[] {
  return plan.after.partitions
    .filter(({ number, kind, startLba, sectorCount }) => {
      const before = partitionOf(plan.before.partitions, number);
      return kind !== 'extended' && before.startLba === startLba && before.sectorCount !== sectorCount;
    })
    .map(({ number }) => number);
}

/** What must change inside a volume that moves or whose partition grows, as writes at its new place. */
async function volumeEdits(
  input: CompileInput,
  number: number,
  found: RecognisedVolume | null,
  notes: CompileNotes,
): Promise<Operation[]> {
  if (found?.format.onMove === undefined) return [];
  const move = volumeMove(input, number);
  const edit = await found.format.onMove(volumeOf(input, number), move);
  notes.fixups.push(...edit.fixups.map((fixup) => ({ ...fixup, partition: number })));
  notes.warnings.push(...edit.warnings);
  const base = move.newStart * move.sectorSize;
  return edit.writes.map(({ at, bytes }) => ({ op: 'write', at: base + at, bytes }));
}

/** The volume where it is now; read before its move is executed, because compiling ends before the first write. */
function volumeOf({ disk, facts, plan }: CompileInput, number: number) {
  const { startLba, sectorCount } = partitionOf(plan.before.partitions, number);
  const { sectorSize } = facts;
  return windowReader(disk.device, startLba * sectorSize, sectorCount * sectorSize, `partition ${number}`);
}

function volumeMove({ facts, plan }: CompileInput, number: number): VolumeMove {
  const before = partitionOf(plan.before.partitions, number);
  const after = partitionOf(plan.after.partitions, number);
  return {
    sectorSize: facts.sectorSize,
    oldStart: before.startLba,
    newStart: after.startLba,
    oldSectorCount: before.sectorCount,
    newSectorCount: after.sectorCount,
    oldEbr: before.ebrLba,
    newEbr: after.ebrLba,
  };
}

/** The partition of that number in a layout; Internal when it is missing: layouts of a plan hold the same ones. */
export function partitionOf(partitions: readonly LayoutPartition[], number: number): LayoutPartition {
  const found = partitions.find((partition) => partition.number === number);
  if (found === undefined) throw internalError('layout', `partition ${number} is missing in the plan`);
  return found;
}

/** Enough to make sure that no left-over boot sector or superblock is found where a partition used to start. */
const SIGNATURE_BYTES = 128 * KIB;

/**
 * What partitions left behind: no longer part of any. Given back to the store where that costs nothing; else only
 * the old start is zeroed, so that no tool takes its stale signatures for a file system.
 */
function vacatedRanges({ disk, facts, plan }: CompileInput): Operation[] {
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
      .concat(tableRanges(plan, sectorSize))
      .sort((a, b) => a.at - b.at),
  );
  return plan.moves.flatMap((move) => {
    const free = complement(kept, toRange(move.fromLba, move.sectorCount));
    return free.flatMap((range) => clear(disk.device, range, move.fromLba * sectorSize));
  });
}

/** First EBR: the first sector of the extended partition, whether or not a logical names it. */
function tableRanges(plan: Plan, sectorSize: number): ByteRange[] {
  return plan.after.partitions
    .filter(({ kind }) => kind === 'extended')
    .map(({ startLba }) => ({ at: lba(startLba) * sectorSize, length: sectorSize }));
}

function clear(device: BlockDevice, range: ByteRange, oldStart: number): Operation[] {
  const what = device.capabilities.discard
    ? range
    : intersection(range, { at: oldStart, length: Math.min(SIGNATURE_BYTES, rangeEnd(range) - oldStart) });
  return what === undefined ? [] : [{ op: 'discard', ...what }];
}
