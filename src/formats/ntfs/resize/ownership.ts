import { MIB } from '../../../core/units.js';
import { forEachSetRun } from '../bits.js';
import type { ClusterBitmap } from '../cluster-bitmap.js';
import { damagedNtfs } from '../remedies.js';

/**
 * Clusters audited in one walk of $MFT: 16 MiB of bits, 512 GiB of 4 KiB clusters. Larger volumes take one walk
 * for each such window, so that memory stays bounded.
 */
export const WINDOW_CLUSTERS = 16 * MIB * 8;
/** Bytes of $Bitmap compared at a time. */
const COMPARE_BYTES = MIB / 4;

/** Who owns which cluster, for one window [from, end) of the volume. One bit a cluster. */
export class Ownership {
  private readonly bits: Uint8Array;
  readonly end: number;

  constructor(
    private readonly bitmap: ClusterBitmap,
    readonly from: number,
    windowClusters = WINDOW_CLUSTERS,
  ) {
    this.end = Math.min(from + windowClusters, bitmap.clusterCount);
    this.bits = new Uint8Array(Math.ceil((this.end - from) / 8));
  }

  /** Claims the part of a run inside the window. Throws Damaged (ntfs-owned-twice). */
  add(lcn: number, length: number, owner: number): void {
    const first = Math.max(lcn, this.from) - this.from;
    const end = Math.min(lcn + length, this.end) - this.from;
    for (let at = first; at < end; ) {
      const index = at >>> 3;
      const stop = Math.min(end, (index + 1) * 8);
      // Whole bytes are the rule in long runs.
      const mask = stop - at === 8 ? 0xff : ((1 << (stop - at)) - 1) << (at & 7);
      const before = this.bits[index] ?? 0;
      if ((before & mask) !== 0) throw this.ownedTwice(owner, this.from + at);
      this.bits[index] = before | mask;
      at = stop;
    }
  }

  /**
   * Compares with $Bitmap: calls `unowned` for clusters that it marks used and no file owns, in order. Throws
   * Damaged (ntfs-bitmap-mismatch) for a cluster that is owned and marked free.
   */
  async compare(unowned: (lcn: number, length: number) => void, signal?: AbortSignal): Promise<void> {
    for (let base = this.from; base < this.end; base += COMPARE_BYTES * 8) {
      const count = Math.min(COMPARE_BYTES * 8, this.end - base);
      const used = await this.bitmap.read(base, count, signal);
      const offset = (base - this.from) / 8;
      const missing = new Uint8Array(used.length);
      const extra = new Uint8Array(used.length);
      for (let index = 0; index < used.length; index++) {
        const owned = this.bits[offset + index] ?? 0;
        const marked = used[index] ?? 0;
        missing[index] = owned & ~marked;
        extra[index] = marked & ~owned;
      }
      forEachSetRun(missing, 0, count, (bit, length) => {
        throw damagedNtfs('ntfs-bitmap-mismatch', 'files own clusters that $Bitmap marks free', {
          actual: `clusters ${base + bit} to ${base + bit + length - 1}`,
        });
      });
      forEachSetRun(extra, 0, count, (bit, length) => unowned(base + bit, length));
    }
  }

  private ownedTwice(owner: number, lcn: number) {
    return damagedNtfs('ntfs-owned-twice', `FILE record ${owner} owns a cluster that another file owns too`, {
      actual: `cluster ${lcn}`,
    });
  }
}
