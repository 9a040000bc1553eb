import type { VmreclaimError } from '../../core/errors.js';
import type { Attribute } from './record.js';
import { damagedNtfs } from './remedies.js';

/** LCN of a run that has no clusters. */
export const HOLE = -1;

/** Bytes of a length or LCN field that a number holds exactly together with its sign. */
const MAX_FIELD_BYTES = 8;

/**
 * Walks the mapping pairs of one attribute: after each `next()` that returned true, `lcn` and `length` are the
 * run, in clusters. One object serves a whole volume (`open` starts over), because a deep check decodes millions.
 * Every run lies inside the volume and every length is positive, or Damaged (ntfs-runlist) is thrown.
 */
export class MappingPairs {
  /** First cluster of the run, or HOLE. */
  lcn = HOLE;
  /** Clusters of the run; more than 0. */
  length = 0;
  private attribute: Attribute | undefined;
  private bytes: Uint8Array = new Uint8Array(0);
  private at = 0;
  private end = 0;
  private previousLcn = 0;
  private total = 0;

  /** `clusterCount`: clusters of the volume, the bound of every LCN. */
  constructor(private readonly clusterCount: number) {}

  /** Starts at the first run of a non-resident attribute. */
  open(attribute: Attribute): this {
    this.attribute = attribute;
    this.bytes = attribute.record.bytes;
    this.at = attribute.mappingPairsAt;
    this.end = attribute.end;
    this.previousLcn = 0;
    this.total = 0;
    return this;
  }

  /** Clusters of all runs so far, holes included. */
  get totalClusters(): number {
    return this.total;
  }

  /** Moves to the next run; false at the end. */
  next(): boolean {
    for (;;) {
      if (this.at >= this.end) throw this.error('mapping pairs do not end');
      const header = this.bytes[this.at] ?? 0;
      if (header === 0) return false;
      if (this.decodePair(header & 0x0f, header >> 4)) return true;
    }
  }

  /** False for a hole without clusters, which some drivers leave behind. */
  private decodePair(lengthBytes: number, lcnBytes: number): boolean {
    const lcnAt = this.at + 1 + lengthBytes;
    if (lengthBytes === 0 || lengthBytes > MAX_FIELD_BYTES || lcnBytes > MAX_FIELD_BYTES) {
      throw this.error('impossible mapping pair');
    }
    if (lcnAt + lcnBytes > this.end) throw this.error('mapping pairs are cut off');
    const length = this.signed(this.at + 1, lengthBytes);
    if (length < 0 || (length === 0 && lcnBytes > 0))
      throw this.error('run without clusters', 'more than 0', length);
    const total = this.total + length;
    if (!Number.isSafeInteger(total)) throw this.error('runs beyond any disk');
    const lcn = lcnBytes === 0 ? HOLE : this.previousLcn + this.signed(lcnAt, lcnBytes);
    if (lcnBytes > 0) {
      if (lcn < 0 || lcn + length > this.clusterCount) {
        throw this.error(
          'run outside the volume',
          `clusters 0 to ${this.clusterCount - 1}`,
          `${length} at ${lcn}`,
        );
      }
      this.previousLcn = lcn;
    }
    this.at = lcnAt + lcnBytes;
    this.lcn = lcn;
    this.length = length;
    this.total = total;
    return length > 0;
  }

  /** Signed little-endian, sign first: exact up to 2^53, and what is larger stays far outside every bound. */
  private signed(at: number, count: number): number {
    let value = ((this.bytes[at + count - 1] ?? 0) ^ 0x80) - 0x80;
    for (let index = count - 2; index >= 0; index--) value = value * 256 + (this.bytes[at + index] ?? 0);
    return value;
  }

  private error(what: string, expected?: string, actual?: string | number): VmreclaimError {
    const record = this.attribute?.record;
    return damagedNtfs('ntfs-runlist', `${this.attribute?.label ?? 'attribute'}: ${what}`, {
      ...(record === undefined ? {} : { offset: record.offset + this.at }),
      ...(expected === undefined ? {} : { expected }),
      ...(actual === undefined ? {} : { actual }),
    });
  }
}
