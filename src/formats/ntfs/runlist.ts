import { HOLE, type MappingPairs } from './mapping-pairs.js';
import { damagedNtfs } from './remedies.js';

/**
 * Runs a stream may have. Ours: no format limit exists, but $MFT, $Bitmap and $LogFile have a few thousand at
 * the very most, and the cap bounds the memory that a hostile attribute list can ask for.
 */
export const MAX_RUNS = 1_000_000;

/** A piece of a stream that is contiguous on the volume. Counts in clusters. */
export interface Run {
  readonly vcn: number;
  /** HOLE (-1) when no clusters stand behind it. */
  readonly lcn: number;
  readonly length: number;
}

/** Where a stream's clusters are: runs in order of VCN, from 0, without gaps. Three plain arrays, no objects. */
export class Runlist {
  private readonly vcns: number[] = [];
  private readonly lcns: number[] = [];
  private end = 0;

  /** Number of runs. */
  get count(): number {
    return this.vcns.length;
  }

  /** First VCN behind the last run. */
  get endVcn(): number {
    return this.end;
  }

  /** True when part of the stream has no clusters. */
  get hasHoles(): boolean {
    return this.lcns.includes(HOLE);
  }

  /** Adds all runs of one attribute, which continues where the list ends. Throws Damaged. */
  append(pairs: MappingPairs): void {
    while (pairs.next()) {
      if (this.vcns.length >= MAX_RUNS) {
        throw damagedNtfs('ntfs-runlist', 'a stream has too many runs', { expected: MAX_RUNS });
      }
      this.vcns.push(this.end);
      this.lcns.push(pairs.lcn);
      this.end += pairs.length;
    }
    if (!Number.isSafeInteger(this.end))
      throw damagedNtfs('ntfs-runlist', 'a stream is larger than any disk');
  }

  /** The run with the given index. */
  at(index: number): Run {
    const vcn = this.vcns[index];
    const lcn = this.lcns[index];
    if (vcn === undefined || lcn === undefined) throw damagedNtfs('ntfs-runlist', 'a stream has no such run');
    return { vcn, lcn, length: (this.vcns[index + 1] ?? this.end) - vcn };
  }

  /** Index of the run that holds the VCN; Damaged when the stream ends before it. */
  indexOf(vcn: number): number {
    if (vcn < 0 || vcn >= this.end) {
      throw damagedNtfs('ntfs-runlist', 'a stream has fewer clusters than its size says', {
        expected: vcn,
        actual: this.end,
      });
    }
    let low = 0;
    let high = this.vcns.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.vcns[middle] ?? 0) <= vcn) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
