import { internalError } from '../core/errors.js';
import { intersects } from '../core/range.js';
import type { Reader, Shift } from './types.js';

type Sized = Pick<Reader, 'label' | 'sizeBytes'>;

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;

/**
 * Throws Internal (out-of-bounds) unless [offset, offset + length) lies inside the device. `doing` names the
 * access in the message: `read`, `write`. A range that does not fit is a bug of the caller: decoders check
 * offsets found on a disk against their structure before they read.
 */
export function checkRange(device: Sized, offset: number, length: number, doing: string): void {
  if (isCount(offset) && isCount(length) && offset <= device.sizeBytes - length) return;
  throw internalError('out-of-bounds', `${doing} of ${length} bytes at ${offset} outside ${device.label}`, {
    offset,
    expected: `inside [0, ${device.sizeBytes})`,
    actual: `[${offset}, ${offset + length})`,
  });
}

/** checkRange for both ranges of a copy; throws Internal (overlap) when they share a byte. */
export function checkCopy(device: Sized, from: number, to: number, length: number): void {
  checkRange(device, from, length, 'copy from');
  checkRange(device, to, length, 'copy to');
  if (!intersects({ at: from, length }, { at: to, length })) return;
  throw internalError('overlap', `copy of ${length} bytes inside ${device.label} onto itself`, {
    offset: from,
    expected: `a distance of at least ${length}`,
    actual: to - from,
  });
}

/** Throws Internal (out-of-bounds) unless the value can be the size of a device. */
export function checkSize(device: Sized, sizeBytes: number): void {
  if (isCount(sizeBytes)) return;
  throw internalError('out-of-bounds', `${device.label} cannot have a size of ${sizeBytes} bytes`, {
    actual: sizeBytes,
  });
}

/** A stretch that moves to the left by no more than its length: a longer way would run over what lies between the two places. */
export const isShift = ({ from, to, length }: Shift): boolean => to < from && from - to <= length;

/** Throws Internal (shift) unless it is one. */
export function checkShift(label: string, shift: Shift): void {
  if (isShift(shift)) return;
  const { from, to, length } = shift;
  throw internalError('shift', `a shift of ${length} bytes of ${label} from ${from} to ${to}`);
}
