/**
 * Units are types: a logical block address and a byte offset cannot be mixed up. Plain numbers are bytes, or
 * what their name says (clusters inside one format). All of them stay exact: the largest disk in reach
 * (64 TiB) is 2^46 bytes, and decoders refuse values beyond 2^53 - 1.
 */
declare const unit: unique symbol;
type Unit<Name extends string> = number & { readonly [unit]: Name };

/** Logical block address: index of a sector of the disk. */
export type Lba = Unit<'Lba'>;

export const lba = (value: number): Lba => value as Lba;

/** Byte offset of a sector. */
export const lbaToBytes = (start: Lba, sectorSize: number): number => start * sectorSize;

export const KIB = 1024;
export const MIB = 1024 * KIB;
export const GIB = 1024 * MIB;
export const TIB = 1024 * GIB;

/** The largest multiple of step that is not above value. */
export function alignDown(value: number, step: number): number {
  return value - (value % step);
}

/** The smallest multiple of step that is not below value. */
export function alignUp(value: number, step: number): number {
  const rest = value % step;
  return rest === 0 ? value : value + (step - rest);
}

/** The largest power of two that divides value; 0 for 0, which every power divides. */
export function largestPowerOfTwoDividing(value: number): number {
  if (value === 0) return 0;
  let power = 1;
  while (value % (power * 2) === 0) power *= 2;
  return power;
}

/** True for 1, 2, 4, 8 ... */
export function isPowerOfTwo(value: number): boolean {
  return Number.isSafeInteger(value) && value > 0 && largestPowerOfTwoDividing(value) === value;
}
