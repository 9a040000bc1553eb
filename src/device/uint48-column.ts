import { internalError } from '../core/errors.js';

const LOW = 2 ** 32;
const LIMIT = 2 ** 48;

/** Numbers below 2^48 (as bytes: 256 TiB) of six bytes each: a quarter less than doubles. */
export class Uint48Column {
  private low: Uint32Array;
  private high: Uint16Array;

  constructor(capacity: number) {
    this.low = new Uint32Array(capacity);
    this.high = new Uint16Array(capacity);
  }

  /** The number at the index, which must be inside. */
  get(index: number): number {
    const low = this.low[index];
    const high = this.high[index];
    if (low === undefined || high === undefined) {
      throw internalError('uint48-column', `there is no number ${index}`);
    }
    return high * LOW + low;
  }

  set(index: number, value: number): void {
    if (!(value >= 0 && value < LIMIT))
      throw internalError('uint48-column', `${value} does not fit in 48 bits`);
    this.low[index] = value % LOW;
    this.high[index] = Math.floor(value / LOW);
  }

  /** Copies the numbers from `first` to `end` to another place of the column. */
  copyWithin(target: number, first: number, end: number): void {
    this.low.copyWithin(target, first, end);
    this.high.copyWithin(target, first, end);
  }

  /** Copies the numbers from `first` to `end` of another column to the beginning of this one. */
  take(other: Uint48Column, first: number, end: number): void {
    this.low.set(other.low.subarray(first, end));
    this.high.set(other.high.subarray(first, end));
  }
}
