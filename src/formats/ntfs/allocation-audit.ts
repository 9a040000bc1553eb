import { KIB } from '../../core/units.js';
import { allSet } from './bits.js';
import type { ClusterBitmap } from './cluster-bitmap.js';
import { damagedNtfs } from './remedies.js';
import { Uint32List } from './uint32-list.js';

/** Runs collected before they are compared: 20 bytes each. */
const BATCH_RUNS = 64 * KIB;
/** Clusters whose bits are looked at together: 64 KiB of $Bitmap. */
const WINDOW_CLUSTERS = 512 * KIB;

/**
 * Compares owned clusters with $Bitmap. Files lie anywhere, so runs are collected, sorted by window of $Bitmap,
 * and compared window by window: each batch reads $Bitmap once at the most, whatever its size.
 */
export class AllocationAudit {
  /** Pieces of runs, none across the border of a window. */
  private readonly lcns = new Uint32List();
  private readonly lengths = new Uint32List();
  private readonly owners = new Uint32List();
  private owned = 0;

  constructor(
    private readonly bitmap: ClusterBitmap,
    private readonly signal: AbortSignal | undefined,
  ) {}

  /** True when flush() should be called before more is added. */
  get isFull(): boolean {
    return this.lcns.length >= BATCH_RUNS;
  }

  /**
   * Notes a run inside the volume; `owner` is the number of its FILE record. Throws Damaged when files own more
   * clusters than there are, so that some belong to two: it bounds the work on a hostile volume as well.
   */
  add(lcn: number, length: number, owner: number): void {
    this.owned += length;
    if (this.owned > this.bitmap.clusterCount) {
      throw damagedNtfs('ntfs-owned-twice', 'files own more clusters than the NTFS volume has', {
        expected: this.bitmap.clusterCount,
        actual: this.owned,
      });
    }
    for (let at = lcn; at < lcn + length; ) {
      const windowEnd = at - (at % WINDOW_CLUSTERS) + WINDOW_CLUSTERS;
      const end = Math.min(windowEnd, lcn + length);
      this.lcns.push(at);
      this.lengths.push(end - at);
      this.owners.push(owner);
      at = end;
    }
  }

  /** Compares what was added. Throws Damaged (ntfs-bitmap-mismatch) for an owned cluster that is marked free. */
  async flush(): Promise<void> {
    let window = -1;
    let bits: Uint8Array = new Uint8Array(0);
    for (const index of this.order()) {
      const lcn = this.lcns.at(index);
      const base = lcn - (lcn % WINDOW_CLUSTERS);
      if (base !== window) {
        const count = Math.min(WINDOW_CLUSTERS, this.bitmap.clusterCount - base);
        bits = await this.bitmap.read(base, count, this.signal);
        window = base;
      }
      if (!allSet(bits, lcn - base, this.lengths.at(index))) throw this.mismatch(index);
    }
    for (const column of [this.lcns, this.lengths, this.owners]) column.clear();
  }

  /** Indexes in order of window: window and index share one number, which typed arrays sort fast. */
  private order(): Float64Array {
    const scale = this.lcns.length;
    const keys = new Float64Array(scale);
    for (let index = 0; index < scale; index++) {
      keys[index] = Math.floor(this.lcns.at(index) / WINDOW_CLUSTERS) * scale + index;
    }
    keys.sort();
    for (let at = 0; at < scale; at++) keys[at] = (keys[at] ?? 0) % scale;
    return keys;
  }

  private mismatch(index: number) {
    const owner = this.owners.at(index);
    const lcn = this.lcns.at(index);
    return damagedNtfs('ntfs-bitmap-mismatch', `FILE record ${owner} owns clusters that $Bitmap marks free`, {
      expected: `clusters ${lcn} to ${lcn + (this.lengths.at(index)) - 1} used`,
    });
  }
}
