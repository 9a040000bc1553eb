import { internalError } from '../core/errors.js';
import { type Segment, SegmentChunk, SegmentKind, segmentEnd } from './segment-chunk.js';

interface Position {
  readonly chunk: number;
  readonly index: number;
}

/**
 * The segments of an overlay: sorted, never overlapping, neighbours that continue each other joined. What no
 * segment covers is a gap.
 *
 * A sorted list of sorted chunks: a lookup is two binary searches, an insertion moves at most one chunk.
 * Inserting in order, up or down, fills the chunks completely.
 */
export class SegmentList {
  private readonly chunks: SegmentChunk[] = [];
  private total = 0;

  /** Number of segments. */
  get count(): number {
    return this.total;
  }

  /** The segments that share bytes with [at, end), cut to it. */
  overlapping(at: number, end: number): Segment[] {
    const found: Segment[] = [];
    if (end <= at) return found;
    for (const segment of this.from(at)) {
      if (segment.at >= end) break;
      found.push(cut(segment, at, end));
    }
    return found;
  }

  /** Makes [at, end) a gap. */
  clear(at: number, end: number): void {
    if (end <= at || this.isGap(at, end)) return;
    this.splitAt(at);
    this.splitAt(end);
    this.removeBetween(this.find(at), this.find(end));
  }

  /** Replaces what lies in the segment's range. */
  put(segment: Segment): void {
    if (segment.length === 0) return;
    this.clear(segment.at, segmentEnd(segment));
    this.insert(segment);
  }

  /** The first segment that ends behind the offset. */
  private find(offset: number): Position {
    let low = 0;
    let high = this.chunks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.chunkAt(middle).end > offset) high = middle;
      else low = middle + 1;
    }
    return { chunk: low, index: this.chunks[low]?.firstEndingAfter(offset) ?? 0 };
  }

  private isGap(at: number, end: number): boolean {
    const { chunk, index } = this.find(at);
    const next = this.chunks[chunk];
    return next === undefined || next.get(index).at >= end;
  }

  private *from(offset: number): Generator<Segment> {
    let { chunk, index } = this.find(offset);
    for (; chunk < this.chunks.length; chunk++, index = 0) {
      const holder = this.chunkAt(chunk);
      for (; index < holder.count; index++) yield holder.get(index);
    }
  }

  /** Afterwards no segment reaches across the offset. */
  private splitAt(offset: number): void {
    const position = this.find(offset);
    const holder = this.chunks[position.chunk];
    if (holder === undefined) return;
    const segment = holder.get(position.index);
    if (segment.at >= offset) return;
    holder.set(position.index, cut(segment, segment.at, offset));
    this.insertAt(
      { chunk: position.chunk, index: position.index + 1 },
      cut(segment, offset, segmentEnd(segment)),
    );
  }

  private removeBetween(first: Position, end: Position): void {
    for (let i = Math.min(end.chunk, this.chunks.length - 1); i >= first.chunk; i--) {
      const chunk = this.chunkAt(i);
      const from = i === first.chunk ? first.index : 0;
      const to = i === end.chunk ? end.index : chunk.count;
      chunk.remove(from, to);
      this.total -= to - from;
      if (chunk.count === 0) this.chunks.splice(i, 1);
    }
  }

  /** Puts a segment into a gap and joins it with its neighbours. */
  private insert(segment: Segment): void {
    const position = this.find(segment.at);
    const joined = this.joinWithPrevious(position, segment) ?? segment;
    const next = this.chunks[position.chunk]?.get(position.index);
    if (next !== undefined && continues(joined, next)) {
      const whole = { ...joined, length: joined.length + next.length };
      this.chunkAt(position.chunk).set(position.index, whole);
      if (joined !== segment) this.removePrevious(position);
    } else if (joined === segment) {
      this.insertAt(position, segment);
    } else {
      const { chunk, index } = this.previous(position);
      this.chunkAt(chunk).set(index, joined);
    }
  }

  private joinWithPrevious(position: Position, segment: Segment): Segment | undefined {
    if (position.chunk === 0 && position.index === 0) return undefined;
    const { chunk, index } = this.previous(position);
    const previous = this.chunkAt(chunk).get(index);
    if (!continues(previous, segment)) return undefined;
    return { ...previous, length: previous.length + segment.length };
  }

  private removePrevious(position: Position): void {
    const { chunk, index } = this.previous(position);
    this.removeBetween({ chunk, index }, { chunk, index: index + 1 });
  }

  private previous(position: Position): Position {
    if (position.index > 0) return { chunk: position.chunk, index: position.index - 1 };
    const chunk = position.chunk - 1;
    return { chunk, index: this.chunkAt(chunk).count - 1 };
  }

  private insertAt(position: Position, segment: Segment): void {
    const { chunk, index } = this.makeRoom(position);
    this.chunkAt(chunk).insert(index, segment);
    this.total++;
  }

  /** The place for a new segment at the position, in a chunk that is not full. */
  private makeRoom({ chunk, index }: Position): Position {
    const before = this.chunks[chunk - 1];
    if (index === 0 && before !== undefined && !before.full) return { chunk: chunk - 1, index: before.count };
    const holder = this.chunks[chunk];
    if (holder !== undefined && !holder.full) return { chunk, index };
    // At the border of full chunks a new one, so that inserting in order leaves full chunks behind.
    if (holder === undefined || index === 0) {
      this.chunks.splice(chunk, 0, new SegmentChunk());
      return { chunk, index: 0 };
    }
    if (index === holder.count) return this.makeRoom({ chunk: chunk + 1, index: 0 });
    this.chunks.splice(chunk + 1, 0, holder.split());
    return index <= holder.count ? { chunk, index } : { chunk: chunk + 1, index: index - holder.count };
  }

  private chunkAt(index: number): SegmentChunk {
    const chunk = this.chunks[index];
    if (chunk === undefined) throw internalError('segment-list', `chunk ${index} does not exist`);
    return chunk;
  }
}

/** The part of the segment inside [at, end). */
function cut(segment: Segment, at: number, end: number): Segment {
  const from = Math.max(segment.at, at);
  const to = Math.min(segmentEnd(segment), end);
  const source = segment.kind === SegmentKind.zero ? 0 : segment.source + (from - segment.at);
  return { at: from, length: to - from, kind: segment.kind, source };
}

/** True when `next` goes on where `segment` ends, here and at the source. */
function continues(segment: Segment, next: Segment): boolean {
  if (segment.kind !== next.kind || segmentEnd(segment) !== next.at) return false;
  return segment.kind === SegmentKind.zero || segment.source + segment.length === next.source;
}
