import { ATTRIBUTE, FILE_RECORD, MULTI_SECTOR } from '../layout.js';
import type { Attribute, FileRecord } from '../record.js';
import { encodeMappingPairs, type PlacedRun } from './encode-pairs.js';

/** New runs of one piece of a stream; sizes and last VCN where they change. */
export interface PieceChange {
  readonly runs: readonly PlacedRun[];
  readonly highestVcn?: number;
  /** Bytes; only in a stream's first piece. */
  readonly allocatedSize?: number;
  readonly dataSize?: number;
  readonly initializedSize?: number;
}

const FIXUP_STRIDE = 512;
/** Update sequence numbers that Windows never writes. */
const FORBIDDEN_USN: readonly number[] = [0, 0xffff];

/**
 * Replaces the mapping pairs of an attribute in the (unstamped) record and moves what stands behind it. False, and
 * nothing changed, when the record has no room. Attribute objects of later attributes are stale afterwards: edit
 * from the last to the first.
 */
export function replacePairs(attribute: Attribute, change: PieceChange): boolean {
  const { record, at } = attribute;
  const pairs = encodeMappingPairs(change.runs);
  const pairsAt = attribute.mappingPairsAt;
  const length = Math.ceil((pairsAt - at + pairs.length) / 8) * 8;
  const growth = length - attribute.length;
  const { bytes, view, bytesInUse } = record;
  if (bytesInUse + growth > bytes.length) return false;
  const oldEnd = attribute.end;
  bytes.copyWithin(at + length, oldEnd, bytesInUse);
  if (growth < 0) bytes.fill(0, bytesInUse + growth, bytesInUse);
  bytes.fill(0, pairsAt, at + length);
  bytes.set(pairs, pairsAt);
  view.setUint32(at + ATTRIBUTE.length, length, true);
  view.setUint32(FILE_RECORD.bytesInUse, bytesInUse + growth, true);
  const set = (field: number, value: number | undefined): void => {
    if (value !== undefined) view.setBigInt64(at + field, BigInt(value), true);
  };
  set(ATTRIBUTE.highestVcn, change.highestVcn);
  set(ATTRIBUTE.allocatedSize, change.allocatedSize);
  set(ATTRIBUTE.dataSize, change.dataSize);
  set(ATTRIBUTE.initializedSize, change.initializedSize);
  return true;
}

/**
 * The bytes of a record as they stand on the volume: next update sequence number, true last words of each stride
 * saved in the update sequence array. The record itself stays unstamped, but remembers its number.
 */
export function stampRecord(record: FileRecord): Uint8Array {
  const bytes = record.bytes.slice();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const { usaOffset, usaCount } = MULTI_SECTOR.decode(bytes);
  let usn = view.getUint16(usaOffset, true);
  do usn = (usn + 1) % 0x1_0000;
  while (FORBIDDEN_USN.includes(usn));
  view.setUint16(usaOffset, usn, true);
  record.view.setUint16(usaOffset, usn, true);
  for (let stride = 1; stride < usaCount; stride++) {
    const stampAt = stride * FIXUP_STRIDE - 2;
    view.setUint16(usaOffset + stride * 2, view.getUint16(stampAt, true), true);
    view.setUint16(stampAt, usn, true);
  }
  return bytes;
}
