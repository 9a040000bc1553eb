import type { ByteRange } from '../core/range.js';

/** What bytes are held against: comparing memory is several times faster than a loop over words. */
const ZEROS = new Uint8Array(64 * 1024);

/** True when every byte is 0. Fast: discards look at whole disks. */
export function isZero(bytes: Uint8Array): boolean {
  // Most of what is not zero shows it at once.
  if (bytes.length > 0 && bytes[0] !== 0) return false;
  for (let at = 0; at < bytes.length; at += ZEROS.length) {
    const part = bytes.subarray(at, at + ZEROS.length);
    if (Buffer.compare(part, ZEROS.subarray(0, part.length)) !== 0) return false;
  }
  return true;
}

/** The stretches of whole grains that hold something else than zeros; neighbours joined. Offsets in `bytes`. */
export function nonZeroRuns(bytes: Uint8Array, grain: number): ByteRange[] {
  const runs: { at: number; length: number }[] = [];
  for (let at = 0; at < bytes.length; at += grain) {
    const part = bytes.subarray(at, at + grain);
    if (isZero(part)) continue;
    const last = runs.at(-1);
    if (last !== undefined && last.at + last.length === at) last.length += part.length;
    else runs.push({ at, length: part.length });
  }
  return runs;
}
