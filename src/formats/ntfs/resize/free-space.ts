import type { ClusterBitmap } from '../cluster-bitmap.js';
import { Uint32List } from '../uint32-list.js';

/**
 * Free extents kept, 12 bytes each: 7.5 MiB of memory at the most. When there are more, the shortest are forgotten, by powers of two;
 * a minimum has to be searched for then.
 */
export const MAX_FREE_EXTENTS = 640 * 1024;
const NONE = 0xffff_ffff;
const BINS = 33;
/** Extents of about the right length that are looked at: bounds the time on a volume in crumbs. */
const MAX_TRIES = 4096;

export interface Extent {
  readonly lcn: number;
  readonly length: number;
}

/**
 * Free clusters below the new end, in bins by power of two of their length (segregated fit): a request takes the
 * front of the smallest extent that surely holds it, so that what is asked for in succession lies in succession.
 * Equal input, equal answers. LCNs and lengths are below 2^32.
 */
export class FreeSpace {
  private readonly starts = new Uint32List();
  private readonly lengths = new Uint32List();
  private readonly next = new Uint32List();
  private readonly heads = new Uint32Array(BINS).fill(NONE);
  private unused = NONE;
  private count = 0;
  /** Extents shorter than this are not kept. */
  private shortest = 1;

  constructor(private readonly capacity = MAX_FREE_EXTENTS) {}

  /** The free clusters of [0, end): one pass over that part of $Bitmap. */
  static async read(bitmap: ClusterBitmap, end: number): Promise<FreeSpace> {
    const space = new FreeSpace();
    let freeFrom = 0;
    await bitmap.forEachUsed(0, end, (lcn, length) => {
      space.add(freeFrom, lcn - freeFrom);
      freeFrom = lcn + length;
    });
    space.add(freeFrom, end - freeFrom);
    return space;
  }

  /** Adds free clusters. */
  add(lcn: number, length: number): void {
    if (length < this.shortest) return;
    while (this.unused === NONE && this.count === this.capacity) this.forgetShortest();
    if (length < this.shortest) return;
    let index = this.unused;
    if (index === NONE) index = this.count++;
    else this.unused = this.next.at(index);
    this.starts.set(index, lcn);
    this.lengths.set(index, length);
    this.push(index);
  }

  /** The first cluster of a contiguous stretch, or undefined when none that is long enough was found. */
  take(length: number): number | undefined {
    const own = binOf(length);
    for (let bin = own + 1; bin < BINS; bin++) {
      if (this.heads[bin] !== NONE) return this.carve(bin, NONE, length);
    }
    let previous = NONE;
    let tries = 0;
    for (let index = this.heads[own] ?? NONE; index !== NONE; index = this.next.at(index)) {
      if (tries++ === MAX_TRIES) return undefined;
      if (this.lengths.at(index) >= length) return this.carve(own, previous, length);
      previous = index;
    }
    return undefined;
  }

  /** One of the longest extents there are, cut to `length` at the most; undefined when nothing is left. */
  takeUpTo(length: number): Extent | undefined {
    for (let bin = BINS - 1; bin >= 0; bin--) {
      const head = this.heads[bin] ?? NONE;
      if (head === NONE) continue;
      const taken = Math.min(length, this.lengths.at(head));
      return { lcn: this.carve(bin, NONE, taken), length: taken };
    }
    return undefined;
  }

  /** Takes from the front of the extent behind `previous` in its bin; the rest goes to the bin of its length. */
  private carve(bin: number, previous: number, length: number): number {
    const index = previous === NONE ? (this.heads[bin] ?? NONE) : this.next.at(previous);
    const after = this.next.at(index);
    if (previous === NONE) this.heads[bin] = after;
    else this.next.set(previous, after);
    const lcn = this.starts.at(index);
    const rest = this.lengths.at(index) - length;
    this.starts.set(index, lcn + length);
    this.lengths.set(index, rest);
    if (rest >= this.shortest) this.push(index);
    else this.release(index);
    return lcn;
  }

  private push(index: number): void {
    const bin = binOf(this.lengths.at(index));
    this.next.set(index, this.heads[bin] ?? NONE);
    this.heads[bin] = index;
  }

  private release(index: number): void {
    this.next.set(index, this.unused);
    this.unused = index;
  }

  /** Drops the shortest bin that there is; another extent is worth more. */
  private forgetShortest(): void {
    const bin = this.heads.findIndex((head) => head !== NONE);
    for (let index = this.heads[bin] ?? NONE; index !== NONE; ) {
      const after = this.next.at(index);
      this.release(index);
      index = after;
    }
    this.heads[bin] = NONE;
    this.shortest = 2 ** (bin + 1);
  }
}

/** Extents of 2^bin to 2^(bin + 1) - 1 clusters share a bin. */
const binOf = (length: number): number => 31 - Math.clz32(length);
