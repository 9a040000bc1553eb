import { internalError } from '../core/errors.js';

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

/**
 * A run of sorted segments, stored in columns: 25 bytes a segment instead of an object of 80. A rehearsal of
 * a fragmented volume holds hundreds of thousands.
 */
export class SegmentChunk {
  count = 0;
  private readonly starts = new Float64Array(CHUNK_CAPACITY);
  private readonly lengths = new Float64Array(CHUNK_CAPACITY);
  private readonly sources = new Float64Array(CHUNK_CAPACITY);
  private readonly kinds = new Uint8Array(CHUNK_CAPACITY);

  get full(): boolean {
    return this.count === CHUNK_CAPACITY;
  }

  /** End of the last segment; a chunk in use is never empty. */
  get end(): number {
    return this.endOf(this.count - 1);
  }

  get(index: number): Segment {
    return {
      at: cell(this.starts, index),
      length: cell(this.lengths, index),
      kind: cell(this.kinds, index) as SegmentKind,
      source: cell(this.sources, index),
    };
  }

  set(index: number, segment: Segment): void {
    this.starts[index] = segment.at;
    this.lengths[index] = segment.length;
    this.sources[index] = segment.source;
    this.kinds[index] = segment.kind;
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
    for (const column of this.columns()) column.copyWithin(index + 1, index, this.count);
    this.count++;
    this.set(index, segment);
  }

  /** Removes the segments first to end - 1. */
  remove(first: number, end: number): void {
    for (const column of this.columns()) column.copyWithin(first, end, this.count);
    this.count -= end - first;
  }

  /** Moves the second half to a new chunk. */
  split(): SegmentChunk {
    const upper = new SegmentChunk();
    const half = this.count >>> 1;
    upper.starts.set(this.starts.subarray(half, this.count));
    upper.lengths.set(this.lengths.subarray(half, this.count));
    upper.sources.set(this.sources.subarray(half, this.count));
    upper.kinds.set(this.kinds.subarray(half, this.count));
    upper.count = this.count - half;
    this.count = half;
    return upper;
  }

  private endOf(index: number): number {
    return cell(this.starts, index) + cell(this.lengths, index);
  }

  private columns(): readonly (Float64Array | Uint8Array)[] {
    return [this.starts, this.lengths, this.sources, this.kinds];
  }
}

function cell(column: Float64Array | Uint8Array, index: number): number {
  const value = column[index];
  if (value === undefined) throw internalError('segment-list', `segment ${index} of a chunk does not exist`);
  return value;
}
