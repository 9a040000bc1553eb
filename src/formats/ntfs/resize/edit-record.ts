import { ATTRIBUTE, ATTRIBUTE_TYPE, FILE_RECORD, MAGIC, MULTI_SECTOR, RECORD_IN_USE } from '../layout.js';
import type { Attribute, FileRecord } from '../record.js';
import { encodeMappingPairs, type PlacedRun } from './encode-pairs.js';
import type { FreeRecord } from './free-records.js';

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
/** The end mark of the attributes, filled up to eight bytes. */
const END_BYTES = 8;
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
 * The bytes of a record as they stand on the volume. The record itself stays unstamped, but remembers the update
 * sequence number.
 */
export function stampRecord(record: FileRecord): Uint8Array {
  const bytes = record.bytes.slice();
  const usaOffset = record.view.getUint16(FILE_RECORD.usaOffset, true);
  record.view.setUint16(usaOffset, stamp(bytes), true);
  return bytes;
}

/**
 * Puts the fix-ups into the bytes of a record: next update sequence number, true last words of each stride saved
 * in the update sequence array. Returns the number.
 */
export function stamp(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const { usaOffset, usaCount } = MULTI_SECTOR.decode(bytes);
  let usn = view.getUint16(usaOffset, true);
  do usn = (usn + 1) % 0x1_0000;
  while (FORBIDDEN_USN.includes(usn));
  view.setUint16(usaOffset, usn, true);
  for (let stride = 1; stride < usaCount; stride++) {
    const stampAt = stride * FIXUP_STRIDE - 2;
    view.setUint16(usaOffset + stride * 2, view.getUint16(stampAt, true), true);
    view.setUint16(stampAt, usn, true);
  }
  return usn;
}

/** Bytes for attributes in a record whose first one is there: behind them stands the end mark. */
export const attributeRoom = (recordBytes: number, firstAttribute: number): number =>
  recordBytes - firstAttribute - END_BYTES;

/** Replaces all attributes of an (unstamped) record; they fit attributeRoom(). Instances are the caller's. */
export function replaceAttributes(bytes: Uint8Array, attributes: readonly Uint8Array[]): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = view.getUint16(FILE_RECORD.firstAttribute, true);
  let nextInstance = view.getUint16(FILE_RECORD.nextInstance, true);
  bytes.fill(0, at);
  for (const attribute of attributes) {
    bytes.set(attribute, at);
    nextInstance = Math.max(nextInstance, view.getUint16(at + ATTRIBUTE.instance, true) + 1);
    at += attribute.length;
  }
  view.setUint32(at, ATTRIBUTE_TYPE.end, true);
  view.setUint32(FILE_RECORD.bytesInUse, at + END_BYTES, true);
  view.setUint16(FILE_RECORD.nextInstance, nextInstance, true);
}

/** A new (unstamped) extension record of `base`, in the form of its header, with these attributes. */
export function newExtension(
  base: FileRecord,
  free: FreeRecord,
  attributes: readonly Uint8Array[],
): Uint8Array {
  const bytes = new Uint8Array(base.bytes.length);
  const view = new DataView(bytes.buffer);
  const usaOffset = extensionHeaderBytes(base);
  view.setUint32(0, MAGIC.FILE, true);
  view.setUint16(FILE_RECORD.usaOffset, usaOffset, true);
  view.setUint16(FILE_RECORD.usaCount, bytes.length / FIXUP_STRIDE + 1, true);
  view.setUint16(FILE_RECORD.sequence, free.sequence, true);
  view.setUint16(FILE_RECORD.firstAttribute, extensionStart(base), true);
  view.setUint16(FILE_RECORD.flags, RECORD_IN_USE, true);
  view.setUint32(FILE_RECORD.bytesAllocated, bytes.length, true);
  writeReference(view, FILE_RECORD.baseRecord, base);
  if (usaOffset >= FILE_RECORD.longHeaderBytes) view.setUint32(FILE_RECORD.number, free.number, true);
  view.setUint16(usaOffset, free.updateSequence, true);
  replaceAttributes(bytes, attributes);
  return bytes;
}

const extensionHeaderBytes = (base: FileRecord): number =>
  base.view.getUint16(FILE_RECORD.usaOffset, true) >= FILE_RECORD.longHeaderBytes
    ? FILE_RECORD.longHeaderBytes
    : FILE_RECORD.headerBytes;

/** Where the attributes of an extension record of `base` begin. */
export const extensionStart = (base: FileRecord): number =>
  Math.ceil((extensionHeaderBytes(base) + (base.bytes.length / FIXUP_STRIDE + 1) * 2) / 8) * 8;

/** Writes a reference: 48 bits of number, 16 bits of sequence. */
export function writeReference(view: DataView, at: number, to: { number: number; sequence: number }): void {
  view.setUint32(at, to.number % 2 ** 32, true);
  view.setUint16(at + 4, Math.floor(to.number / 2 ** 32), true);
  view.setUint16(at + 6, to.sequence, true);
}
