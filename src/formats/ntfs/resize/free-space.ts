import type { ClusterBitmap } from '../cluster-bitmap.js';

/** Free extents kept: 3 MiB of memory. When there are more, the shortest are forgotten, by powers of two. */
export const MAX_FREE_EXTENTS = 256 * 1024;
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
  private readonly starts: Uint32Array;
  private readonly lengths: Uint32Array;
  private readonly next: Uint32Array;
  private readonly heads = new Uint32Array(BINS).fill(NONE);
  private unused = NONE;
  private count = 0;
  /** Extents shorter than this are not kept. */
  private shortest = 1;

  constructor(private readonly capacity = MAX_FREE_EXTENTS) {
    this.starts = new Uint32Array(capacity);
    this.lengths = new Uint32Array(capacity);
    this.next = new Uint32Array(capacity);
  }

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
    else this.unused = this.next[index] ?? NONE;
    this.starts[index] = lcn;
    this.lengths[index] = length;
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
    for (let index = this.heads[own] ?? NONE; index !== NONE; index = this.next[index] ?? NONE) {
      if (tries++ === MAX_TRIES) return undefined;
      if ((this.lengths[index] ?? 0) >= length) return this.carve(own, previous, length);
      previous = index;
    }
    return undefined;
  }

  /** One of the longest extents there are, cut to `length` at the most; undefined when nothing is left. */
  takeUpTo(length: number): Extent | undefined {
    for (let bin = BINS - 1; bin >= 0; bin--) {
      const head = this.heads[bin] ?? NONE;
      if (head === NONE) continue;
      const taken = Math.min(length, this.lengths[head] ?? 0);
      return { lcn: this.carve(bin, NONE, taken), length: taken };
    }
    return undefined;
  }

  /** Takes from the front of the extent behind `previous` in its bin; the rest goes to the bin of its length. */
  private carve(bin: number, previous: number, length: number): number {
    const index = (previous === NONE ? this.heads[bin] : this.next[previous]) ?? NONE;
    const after = this.next[index] ?? NONE;
    if (previous === NONE) this.heads[bin] = after;
    else this.next[previous] = after;
    const lcn = this.starts[index] ?? 0;
    const rest = (this.lengths[index] ?? 0) - length;
    this.starts[index] = lcn + length;
    this.lengths[index] = rest;
    if (rest >= this.shortest) this.push(index);
    else this.release(index);
    return lcn;
  }

  private push(index: number): void {
    const bin = binOf(this.lengths[index] ?? 0);
    this.next[index] = this.heads[bin] ?? NONE;
    this.heads[bin] = index;
  }

  private release(index: number): void {
    this.next[index] = this.unused;
    this.unused = index;
  }

  /** Drops the shortest bin that there is; another extent is worth more. */
  private forgetShortest(): void {
    const bin = this.heads.findIndex((head) => head !== NONE);
    for (let index = this.heads[bin] ?? NONE; index !== NONE; ) {
      const after = this.next[index] ?? NONE;
      this.release(index);
      index = after;
    }
    this.heads[bin] = NONE;
    this.shortest = 2 ** (bin + 1);
  }
}

/** Extents of 2^bin to 2^(bin + 1) - 1 clusters share a bin. */
const binOf = (length: number): number => 31 - Math.clz32(length);
