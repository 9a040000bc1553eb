import {
  type ByteRange,
  clipRanges,
  complement,
  intersectLists,
  mergeRanges,
  rangeEnd,
} from '../core/range.js';
import { KIB, MIB } from '../core/units.js';
import type { BlockDevice } from '../device/types.js';
import type { UsedMap } from '../formats/types.js';
import { JOURNALED_WINDOW_BYTES } from '../plan/moves.js';
import type { Operation, Phase } from './types.js';

/** Unused stretches up to this length are copied along: cheaper than a second access. */
const MIN_MERGE_GAP_BYTES = 256 * KIB;
/**
 * Where windows share their blocks with the journal, what is written goes to new blocks, and every gap leaves two borders of
 * extents in the file of the disk, for ever. So larger ones are copied along.
 */
const SHARED_MERGE_GAP_BYTES = MIB;
/** For the same reason a window is only shared when its copies are this long on average. */
const SHARED_COPY_BYTES = 4 * MIB;
/** Larger volumes merge more, so that program and overlay stay within bounds whatever the size and fragmentation. */
const MAX_RANGES = 2 ** 19;
/** The volume is looked at in stretches of this length, so that memory does not grow with it. */
export const SCAN_BYTES = 256 * MIB;
/** Bounds the size of a phase in the journal. */
export const MAX_OPERATIONS = 4096;

/** One partition on its way. Offsets are bytes of the disk. */
export interface MoveJob {
  readonly why: string;
  readonly from: number;
  readonly to: number;
  readonly length: number;
  /** What the volume uses; null: every byte. */
  readonly used: UsedMap | null;
  /** Save each window to the journal, instead of keeping it shorter than the distance. */
  readonly journaled: boolean;
  /** Windows that are saved share blocks of the disk, where they are in large pieces. */
  readonly shared?: boolean;
  readonly windowBytes: number;
}

/**
 * The phases of a move. Windows are taken from the end that the data moves towards:
 *
 *     right move:   source  [......|..w2..|..w1..]          left move:  [..w1..|..w2..|......]
 *                   target         [......|..w2..|..w1..]         [..w1..|..w2..|......]
 *
 * so a target only ever covers what was moved before. A direct window is not longer than the distance, hence
 * never covers its own source and can be repeated; a journaled one is repeated from the journal.
 * Holes of a sparse disk are not copied: their target is discarded where it is not a hole already.
 */
export async function* movePhases(device: BlockDevice, job: MoveJob): AsyncGenerator<Phase> {
  const assembler = new Assembler(job);
  for (const scan of scanWindows(job)) {
    for (const piece of await piecesOf(device, job, scan)) yield* assembler.add(piece);
  }
  yield* assembler.finish();
}

interface Piece extends ByteRange {
  readonly hole: boolean;
}

const isRight = (job: MoveJob): boolean => job.to > job.from;

/** Used stretches with no more than this between them are moved as one. Bytes. */
export const mergeGap = ({ length, shared }: MoveJob): number =>
  Math.max(shared === true ? SHARED_MERGE_GAP_BYTES : MIN_MERGE_GAP_BYTES, Math.ceil(length / MAX_RANGES));

function* scanWindows(job: MoveJob): Generator<ByteRange> {
  const count = Math.ceil(job.length / SCAN_BYTES);
  for (let i = 0; i < count; i++) {
    const at = job.from + (isRight(job) ? count - 1 - i : i) * SCAN_BYTES;
    yield { at, length: Math.min(SCAN_BYTES, job.from + job.length - at) };
  }
}

/** What must be copied or discarded for one stretch of the source, in the order of the move. */
async function piecesOf(device: BlockDevice, job: MoveJob, scan: ByteRange): Promise<Piece[]> {
  const used = await usedIn(job, scan);
  const data = mergeRanges(await device.dataRanges(scan.at, scan.length));
  const copies = intersectLists(mergeRanges(used, mergeGap(job)), data);
  const holes = await holesToMake(device, job, intersectLists(used, complement(data, scan)));
  const pieces = [
    ...copies.map((range) => ({ ...range, hole: false })),
    ...holes.map((range) => ({ ...range, hole: true })),
  ].sort((a, b) => a.at - b.at);
  return isRight(job) ? pieces.reverse() : pieces;
}

/** What the volume uses of a stretch of the disk, at its old place. */
export async function usedIn(job: Pick<MoveJob, 'from' | 'used'>, scan: ByteRange): Promise<ByteRange[]> {
  if (job.used === null) return [scan];
  const ranges = await job.used.ranges(scan.at - job.from, scan.length);
  return clipRanges(
    ranges.map(({ at, length }) => ({ at: at + job.from, length })),
    scan,
  );
}

/** Holes in the source whose target holds data today, in source coordinates. */
async function holesToMake(device: BlockDevice, job: MoveJob, holes: ByteRange[]): Promise<ByteRange[]> {
  const shift = job.to - job.from;
  const needed: ByteRange[] = [];
  for (const { at, length } of holes) {
    // Behind the present end lies what a disk that grows gets new: zeros.
    const inside = Math.min(length, device.sizeBytes - (at + shift));
    const data = inside > 0 ? await device.dataRanges(at + shift, inside) : [];
    needed.push(...data.map((range) => ({ at: range.at - shift, length: range.length })));
  }
  return needed;
}

/** Packs pieces into phases that keep the laws. */
class Assembler {
  private operations: Operation[] = [];
  private bytes = 0;
  private copies = 0;
  /** Direct moves: the stretch of source the open phase may still take pieces from. */
  private span: ByteRange | undefined;
  private readonly distance: number;

  constructor(private readonly job: MoveJob) {
    this.distance = Math.abs(job.to - job.from);
  }

  *add(piece: Piece): Generator<Phase> {
    let rest: ByteRange = piece;
    while (rest.length > 0) {
      const take = Math.min(rest.length, this.room(rest, piece.hole));
      if (take <= 0 || this.operations.length >= MAX_OPERATIONS) {
        yield* this.finish();
        continue;
      }
      const at = isRight(this.job) ? rangeEnd(rest) - take : rest.at;
      this.push({ at, length: take }, piece.hole);
      rest = isRight(this.job)
        ? { at: rest.at, length: rest.length - take }
        : { at: rest.at + take, length: rest.length - take };
    }
  }

  *finish(): Generator<Phase> {
    if (this.operations.length > 0) {
      const phase = { stage: 'change' as const, why: this.job.why, operations: this.operations };
      const isShared = this.job.shared === true && this.bytes > JOURNALED_WINDOW_BYTES;
      yield this.job.journaled ? { ...phase, spill: isShared ? 'shared' : true } : phase;
    }
    this.operations = [];
    this.bytes = 0;
    this.copies = 0;
    this.span = undefined;
  }

  /** Bytes of the piece, from the end that comes first, that the open phase can take. */
  private room(piece: ByteRange, hole: boolean): number {
    const bytes = hole ? Number.MAX_SAFE_INTEGER : this.window(piece) - this.bytes;
    if (this.job.journaled) return bytes;
    this.span ??= isRight(this.job)
      ? { at: rangeEnd(piece) - this.distance, length: this.distance }
      : { at: piece.at, length: this.distance };
    const span = isRight(this.job) ? rangeEnd(piece) - this.span.at : rangeEnd(this.span) - piece.at;
    return Math.min(bytes, span);
  }

  /** A window that is not shared goes through the journal, and through memory. */
  private window({ length }: ByteRange): number {
    const { shared, windowBytes } = this.job;
    const mean = (this.bytes + length) / (this.copies + 1);
    return shared === true && mean < SHARED_COPY_BYTES ? JOURNALED_WINDOW_BYTES : windowBytes;
  }

  private push(range: ByteRange, hole: boolean): void {
    const to = range.at + this.job.to - this.job.from;
    if (hole) {
      this.operations.push({ op: 'discard', at: to, length: range.length });
      return;
    }
    this.operations.push({ op: 'copy', from: range.at, to, length: range.length });
    this.bytes += range.length;
    this.copies++;
  }
}
