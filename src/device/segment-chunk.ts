import { internalError } from '../core/errors.js';
import { Uint48Column } from './uint48-column.js';

/** Where the bytes of a segment come from. `source` is an offset there. */
export const SegmentKind = {
  /** The device below. */
  base: 0,
  /** Zeros; `source` is 0. */
  zero: 1,
  /** Patched bytes that only this segment shows: may be overwritten where they are. */
  patch: 2,
  /** Patched bytes that a copy shows too. */
  sharedPatch: 3,
} as const;
export type SegmentKind = (typeof SegmentKind)[keyof typeof SegmentKind];

/** [at, at + length) of an overlay reads [source, source + length) of what `kind` says. */
export interface Segment {
  readonly at: number;
  readonly length: number;
  readonly kind: SegmentKind;
  readonly source: number;
}

export const segmentEnd = (segment: Segment): number => segment.at + segment.length;

/** Segments of one chunk: small enough that an insertion in the middle moves little. */
export const CHUNK_CAPACITY = 512;
/** Room that a chunk takes at a time: chunks are split in halves, and what they do not need yet would be a third of all. */
const ROOM_STEP = 64;

interface Columns {
  readonly capacity: number;
  readonly starts: Uint48Column;
  readonly lengths: Uint48Column;
  readonly sources: Uint48Column;
  readonly kinds: Uint8Array;
}

/**
 * A run of sorted segments, stored in columns: 19 bytes a segment instead of an object of 80. A rehearsal of
 * a fragmented volume holds hundreds of thousands.
 */
export class SegmentChunk {
  count = 0;
  private columns: Columns = makeColumns(ROOM_STEP);

  get full(): boolean {
    return this.count === CHUNK_CAPACITY;
  }

  /** End of the last segment; a chunk in use is never empty. */
  get end(): number {
    return this.endOf(this.count - 1);
  }

  get(index: number): Segment {
    const { starts, lengths, sources, kinds } = this.columns;
    return {
      at: starts.get(index),
      length: lengths.get(index),
      kind: (kinds[index] ?? SegmentKind.base) as SegmentKind,
      source: sources.get(index),
    };
  }

  set(index: number, segment: Segment): void {
    const { starts, lengths, sources, kinds } = this.columns;
    starts.set(index, segment.at);
    lengths.set(index, segment.length);
    sources.set(index, segment.source);
    kinds[index] = segment.kind;
  }

  /** Index of the first segment that ends behind the offset; count when none does. */
  firstEndingAfter(offset: number): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.endOf(middle) > offset) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  insert(index: number, segment: Segment): void {
    if (this.full) throw internalError('segment-list', 'segment inserted into a full chunk');
    if (this.count === this.columns.capacity) {
      this.columns = partOf(this.columns, 0, this.count, this.count + ROOM_STEP);
    }
    this.shift(index + 1, index, this.count);
    this.count++;
    this.set(index, segment);
  }

  /** Removes the segments first to end - 1. */
  remove(first: number, end: number): void {
    this.shift(first, end, this.count);
    this.count -= end - first;
  }

  /** Moves the second half to a new chunk. */
  split(): SegmentChunk {
    const upper = new SegmentChunk();
    const half = this.count >>> 1;
    upper.count = this.count - half;
    upper.columns = partOf(this.columns, half, this.count, upper.count + ROOM_STEP);
    this.columns = partOf(this.columns, 0, half, half + ROOM_STEP);
    this.count = half;
    return upper;
  }

  private endOf(index: number): number {
    return this.columns.starts.get(index) + this.columns.lengths.get(index);
  }

  private shift(target: number, first: number, end: number): void {
    const { starts, lengths, sources, kinds } = this.columns;
    for (const column of [starts, lengths, sources, kinds]) column.copyWithin(target, first, end);
  }
}

function makeColumns(capacity: number): Columns {
  return {
    capacity,
    starts: new Uint48Column(capacity),
    lengths: new Uint48Column(capacity),
    sources: new Uint48Column(capacity),
    kinds: new Uint8Array(capacity),
  };
}

/** Columns with the segments from `first` to `end` of others, and this much room. */
function partOf(columns: Columns, first: number, end: number, room: number): Columns {
  const part = makeColumns(Math.min(room, CHUNK_CAPACITY));
  part.starts.take(columns.starts, first, end);
  part.lengths.take(columns.lengths, first, end);
  part.sources.take(columns.sources, first, end);
  part.kinds.set(columns.kinds.subarray(first, end));
  return part;
}
