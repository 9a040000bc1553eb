import { MULTI_SECTOR } from './layout.js';
import { damagedNtfs } from './remedies.js';

/** Distance of the fix-ups, on drives of every sector size. */
export const FIXUP_STRIDE = 512;
/** Bytes at the end of each stride that a fix-up replaces. */
const STAMP_BYTES = 2;

/**
 * Undoes the fix-ups of a FILE record, INDX block or restart page in place: the update sequence array holds the
 * true last word of every 512-byte stride, and the stride ends with the update sequence number instead. A stride
 * that does not is a torn write: Damaged (ntfs-fixup). `offset` locates the structure in messages.
 */
export function undoFixups(record: Uint8Array, name: string, offset: number): void {
  const { usaOffset, usaCount } = MULTI_SECTOR.decode(record);
  const strides = record.length / FIXUP_STRIDE;
  const usaEnd = usaOffset + usaCount * 2;
  const outside = usaOffset < MULTI_SECTOR.size || usaEnd > FIXUP_STRIDE - STAMP_BYTES;
  if (usaCount !== strides + 1 || usaOffset % 2 !== 0 || outside) {
    throw damagedNtfs('ntfs-fixup', `${name} has an impossible update sequence array`, {
      offset,
      expected: `${strides + 1} words in the first sector`,
      actual: `${usaCount} words at ${usaOffset}`,
    });
  }
  const low = record[usaOffset];
  const high = record[usaOffset + 1];
  for (let stride = 1; stride <= strides; stride++) {
    const stamp = stride * FIXUP_STRIDE - STAMP_BYTES;
    if (record[stamp] !== low || record[stamp + 1] !== high) {
      throw damagedNtfs('ntfs-fixup', `${name} was written only in part`, { offset: offset + stamp });
    }
    record[stamp] = record[usaOffset + stride * 2] ?? 0;
    record[stamp + 1] = record[usaOffset + stride * 2 + 1] ?? 0;
  }
}
