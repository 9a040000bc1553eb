import { refused } from '../core/errors.js';
import { lba, MIB } from '../core/units.js';
import type { DiskFacts, PartitionFacts } from '../inspect/types.js';
import { placeOf } from './check.js';
import { byStart, type Place, type Places } from './place.js';
import type { MoveMode, PlannedMove } from './types.js';

/**
 * A window of a direct move may be as long as the distance it moves by, and costs two flushes. From this
 * distance on that is cheap; below it larger windows with a copy in the journal are faster.
 */
const DIRECT_DISTANCE_BYTES = 16 * MIB;
/** Bytes of a window in the journal: large enough to keep the disk busy, small enough for 100 MiB of memory. */
export const JOURNALED_WINDOW_BYTES = 8 * MIB;
/**
 * Where saving a window costs no copy, it is limited by what a crash may cost. Each is written to new blocks, so small
 * ones would leave the file of the disk in pieces.
 */
const SHARED_WINDOW_BYTES = 256 * MIB;
/** What is less is a few windows in the journal, and the file stays in one piece. */
const MIN_SHARED_BYTES = 64 * MIB;
/** A direct window is not longer than this, whatever the distance: what a crash costs. */
const DIRECT_WINDOW_BYTES = 256 * MIB;

/** What is less is copied as fast, by operations that need no record. */
const MIN_SHIFT_BYTES = 64 * MIB;
/** Where the store refuses after all, windows are copied that are as long as the distance. */
const MIN_SHIFT_DISTANCE_BYTES = MIB;
/** Of a file in some thousand pieces. */
const SHIFT_SECONDS = 0.1;

/** What the time estimate assumes. A guess that is said to be one: the store decides. */
export interface Rates {
  readonly bytesPerSecond: number;
  readonly secondsPerFlush: number;
}

export const DEFAULT_RATES: Rates = { bytesPerSecond: 200 * MIB, secondsPerFlush: 0.01 };

interface Pending {
  readonly partition: PartitionFacts;
  readonly toLba: number;
  /** A file system is shrunk before it moves, and enlarged afterwards. */
  readonly sectorCount: number;
}

/**
 * The moves in the order they must run. By start: a left move runs at once, a right move after everything it
 * would run over has moved away. Where partitions change places in a circle there is no such order: refused.
 */
export function planMoves(facts: DiskFacts, places: Places, rates: Rates): PlannedMove[] {
  let waiting = byStart(facts.partitions)
    .filter(({ kind }) => kind !== 'extended')
    .map((partition) => pending(partition, placeOf(places, partition)))
    .filter(({ partition, toLba }) => toLba !== partition.startLba);
  const ordered: Pending[] = [];
  while (waiting.length > 0) {
    const next = waiting.find((move) => waiting.every((other) => other === move || !runsOver(move, other)));
    if (next === undefined) throw circle(waiting);
    ordered.push(next);
    waiting = waiting.filter((move) => move !== next);
  }
  return ordered.map((move) => describe(facts, move, rates));
}

const pending = (partition: PartitionFacts, { startLba, sectorCount }: Place): Pending => ({
  partition,
  toLba: startLba,
  sectorCount: Math.min(partition.sectorCount, sectorCount),
});

/** Would the move write where the other partition still has its data? */
function runsOver(move: Pending, { partition: { startLba }, sectorCount }: Pending): boolean {
  return move.toLba < startLba + sectorCount && startLba < move.toLba + move.sectorCount;
}

function circle(moves: readonly Pending[]): Error {
  const numbers = moves.map(({ partition }) => partition.number).join(', ');
  return refused('circular-move', `partitions ${numbers} would have to pass through each other`, {
    hint: 'move one of them to free space in a first run, then the others',
  });
}

function describe(facts: DiskFacts, { partition, toLba, sectorCount }: Pending, rates: Rates): PlannedMove {
  const size = sectorCount * facts.sectorSize;
  const distance = Math.abs(toLba - partition.startLba) * facts.sectorSize;
  const copies = partition.filesystem?.move.copies ?? 'all';
  const bytesToCopy = copies === 'used' ? Math.min(size, partition.filesystem?.usedBytes ?? size) : size;
  const direction = toLba < partition.startLba ? 'left' : 'right';
  const place = { number: partition.number, fromLba: partition.startLba, toLba: lba(toLba), sectorCount };
  if (direction === 'left' && isWorthAShift(facts, place, bytesToCopy)) {
    return {
      ...place,
      direction,
      mode: 'direct',
      copies,
      copiedBy: 'shift',
      windowBytes: size,
      bytesToCopy: 0,
      estimatedSeconds: SHIFT_SECONDS,
    };
  }
  const mode: MoveMode = distance >= Math.min(DIRECT_DISTANCE_BYTES, size) ? 'direct' : 'journaled';
  const isShared = mode === 'journaled' && facts.sharesBlocks && bytesToCopy >= MIN_SHARED_BYTES;
  const journaledBytes = isShared ? SHARED_WINDOW_BYTES : (facts.windowBytes ?? JOURNALED_WINDOW_BYTES);
  const windowBytes = mode === 'direct' ? Math.min(distance, DIRECT_WINDOW_BYTES) : journaledBytes;
  return {
    ...place,
    direction,
    mode,
    copies,
    copiedBy: mode === 'direct' && facts.storeCopies ? 'store' : 'program',
    ...(isShared ? { spill: 'shared' as const } : {}),
    windowBytes,
    bytesToCopy,
    estimatedSeconds: estimate(bytesToCopy, windowBytes, mode === 'journaled' && !isShared ? 2 : 1, rates),
  };
}

/**
 * Can the store shift the partition, and is there enough to copy otherwise? Whole blocks only; and no further than its own
 * length, because what lies between the two places would be lost.
 */
function isWorthAShift(
  { shiftBlockBytes, sectorSize }: DiskFacts,
  { fromLba, toLba, sectorCount }: Pick<PlannedMove, 'fromLba' | 'toLba' | 'sectorCount'>,
  bytesToCopy: number,
): boolean {
  if (shiftBlockBytes === null || bytesToCopy < MIN_SHIFT_BYTES) return false;
  const distance = (fromLba - toLba) * sectorSize;
  if (distance < MIN_SHIFT_DISTANCE_BYTES || fromLba - toLba > sectorCount) return false;
  return [fromLba, toLba, sectorCount].every((count) => (count * sectorSize) % shiftBlockBytes === 0);
}

/** A window in the journal is written twice; each window waits for the disk, and for the journal. */
function estimate(bytes: number, windowBytes: number, passes: number, rates: Rates): number {
  const windows = Math.ceil(bytes / windowBytes);
  const seconds = (bytes * passes) / rates.bytesPerSecond + windows * 2 * rates.secondsPerFlush;
  return Math.ceil(seconds * 10) / 10;
}
