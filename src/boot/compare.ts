import { KIB } from '../core/units.js';
import type { Reader } from '../device/types.js';

const STEP = 64 * KIB;

/** True when two ranges of the same length hold the same bytes; false when one leaves its device. */
export async function compareRange(
  a: Reader,
  atA: number,
  b: Reader,
  atB: number,
  length: number,
): Promise<boolean> {
  if (atA < 0 || atB < 0 || atA + length > a.sizeBytes || atB + length > b.sizeBytes) return false;
  for (let done = 0; done < length; done += STEP) {
    const step = Math.min(STEP, length - done);
    const [left, right] = [await a.readAt(atA + done, step), await b.readAt(atB + done, step)];
    if (left.some((byte, index) => byte !== right[index])) return false;
  }
  return true;
}
