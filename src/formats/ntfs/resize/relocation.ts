import { refused } from '../../../core/errors.js';
import { HOLE } from '../mapping-pairs.js';
import { Uint32List } from '../uint32-list.js';
import type { PlacedRun } from './encode-pairs.js';
import type { FreeSpace } from './free-space.js';
import { noSpace } from './refusals.js';

/** Runs that one shrink moves: 12 bytes each, 34 while they get their places. Ours; a million files have fewer. */
export const MAX_MOVED_RUNS = 2 ** 20;
/** What must move: runs, in units that should lie together (the runs of one piece of a stream). */
export class Demand {
  private readonly lcns = new Uint32List();
  private readonly lengths = new Uint32List();
  /** Index of each unit's first run. */
  private readonly units = new Uint32List();
  private readonly urgent = new Set<number>();
  /** Clusters of all runs. */
  clusters = 0;

  /** Begins a unit; an urgent one is placed before all others. */
  begin(isUrgent: boolean): void {
    if (isUrgent) this.urgent.add(this.units.length);
    this.units.push(this.lcns.length);
  }

  /** Adds a run to the unit. Throws Refused when there are more than memory has room for. */
  add(lcn: number, length: number): void {
    if (this.lcns.length >= MAX_MOVED_RUNS) throw tooFragmented();
    this.lcns.push(lcn);
    this.lengths.push(length);
    this.clusters += length;
  }

  /**
   * Gives every run a place: $MFT and other urgent units first, then the largest ones, each in one piece if there
   * is room, else each run in one piece, else in as few as possible. Throws Refused when the space ends. What must move
   * is forgotten then.
   */
  place(space: FreeSpace): Moves {
    const moves = new MoveList();
    const order = this.largestFirst();
    for (const unit of this.urgent) this.placeUnit(unit, space, moves);
    for (const unit of order) if (!this.urgent.has(unit)) this.placeUnit(unit, space, moves);
    for (const list of [this.lcns, this.lengths, this.units]) list.free();
    return moves.sort(order);
  }

  private largestFirst(): Float64Array {
    const scale = this.units.length;
    const keys = new Float64Array(scale);
    for (let unit = 0; unit < scale; unit++) {
      let total = 0;
      for (let run = this.units.at(unit); run < this.unitEnd(unit); run++) total += this.lengths.at(run);
      // Longest first, equal ones in the order of $MFT: below 2^32 * 2^20 in size, so exact.
      keys[unit] = unit - total * scale;
    }
    keys.sort();
    for (const [at, key] of keys.entries()) keys[at] = ((key % scale) + scale) % scale;
    return keys;
  }

  private unitEnd(unit: number): number {
    return unit + 1 < this.units.length ? this.units.at(unit + 1) : this.lcns.length;
  }

  private placeUnit(unit: number, space: FreeSpace, moves: MoveList): void {
    const first = this.units.at(unit);
    const end = this.unitEnd(unit);
    let total = 0;
    for (let run = first; run < end; run++) total += this.lengths.at(run);
    if (total === 0) return;
    let place = space.take(total);
    for (let run = first; run < end; run++) {
      const lcn = this.lcns.at(run);
      const length = this.lengths.at(run);
      const to = place ?? space.take(length);
      if (place !== undefined) place += length;
      if (to === undefined) splitRun(lcn, length, space, moves);
      else moves.add(lcn, to, length);
    }
  }
}

function splitRun(lcn: number, length: number, space: FreeSpace, moves: MoveList): void {
  for (let done = 0; done < length; ) {
    const extent = space.takeUpTo(length - done);
    if (extent === undefined) throw noSpace();
    moves.add(lcn + done, extent.lcn, extent.length);
    done += extent.length;
  }
}

const tooFragmented = () =>
  refused('ntfs-too-fragmented', 'too many pieces of files lie behind the new end of the NTFS volume', {
    expected: `${MAX_MOVED_RUNS} at the most`,
    hint: 'defragment the volume in the guest, or choose a larger size',
  });

/** A stretch of clusters and its new place. */
export interface Move {
  readonly from: number;
  readonly to: number;
  readonly length: number;
}

class MoveList {
  private readonly from = new Uint32List();
  private readonly to = new Uint32List();
  private readonly lengths = new Uint32List();

  add(from: number, to: number, length: number): void {
    if (this.from.length >= MAX_MOVED_RUNS) throw tooFragmented();
    this.from.push(from);
    this.to.push(to);
    this.lengths.push(length);
  }

  /**
   * Sorts in place: what is thrown away stays in memory until the next collection. `scratch` is used where it is long
   * enough.
   */
  sort(scratch: Float64Array): Moves {
    const { from, to, lengths } = this;
    const count = from.length;
    const order = count <= scratch.length ? scratch.subarray(0, count) : new Float64Array(count);
    // Below 2^32 * 2^20: exact.
    for (let index = 0; index < count; index++) order[index] = from.at(index) * count + index;
    order.sort();
    for (const [at, key] of order.entries()) order[at] = key % count;
    const sorted = new Uint32Array(count);
    for (const list of [from, to, lengths]) {
      for (const [at, index] of order.entries()) sorted[at] = list.at(index);
      for (const [at, value] of sorted.entries()) list.set(at, value);
    }
    return new Moves(from, to, lengths);
  }
}

/** Where every cluster that moves goes, by its old place. */
export class Moves {
  constructor(
    private readonly from: Uint32List,
    private readonly to: Uint32List,
    private readonly lengths: Uint32List,
  ) {}

  static none(): Moves {
    return new Moves(new Uint32List(), new Uint32List(), new Uint32List());
  }

  get count(): number {
    return this.from.length;
  }

  at(index: number): Move {
    return { from: this.from.at(index), to: this.to.at(index), length: this.lengths.at(index) };
  }

  /** True when a cluster of [lcn, lcn + length) moves. */
  touches(lcn: number, length: number): boolean {
    const index = this.firstEndingBehind(lcn);
    return index < this.count && this.from.at(index) < lcn + length;
  }

  /** Appends the pieces that [lcn, lcn + length) is in after the move; a hole stays one. */
  map(lcn: number, length: number, placed: PlacedRun[]): void {
    if (lcn === HOLE) {
      placed.push({ lcn, length });
      return;
    }
    const end = lcn + length;
    let index = this.firstEndingBehind(lcn);
    for (let at = lcn; at < end; ) {
      const move = index < this.count ? this.at(index) : undefined;
      const isMoved = move !== undefined && move.from <= at;
      const stop = Math.min(end, move === undefined ? end : isMoved ? move.from + move.length : move.from);
      placed.push({ lcn: isMoved ? move.to + at - move.from : at, length: stop - at });
      if (isMoved) index++;
      at = stop;
    }
  }

  /** Index of the first move whose source ends behind the cluster. */
  private firstEndingBehind(lcn: number): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.from.at(middle) + this.lengths.at(middle) > lcn) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/** Joins runs that follow each other in the stream and on the volume. */
export function joinRuns(runs: readonly PlacedRun[]): PlacedRun[] {
  const joined: { lcn: number; length: number }[] = [];
  for (const { lcn, length } of runs) {
    const last = joined.at(-1);
    const follows = last !== undefined && (last.lcn === HOLE ? lcn === HOLE : last.lcn + last.length === lcn);
    if (last !== undefined && follows) last.length += length;
    else joined.push({ lcn, length });
  }
  return joined;
}
