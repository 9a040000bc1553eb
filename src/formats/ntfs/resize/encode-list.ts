import type { ListEntry } from '../attribute-list.js';
import { ATTRIBUTE, ATTRIBUTE_TYPE, LIST_ENTRY } from '../layout.js';
import { writeReference } from './edit-record.js';
import { encodeMappingPairs, type PlacedRun } from './encode-pairs.js';

/** Bytes of an entry whose name has that many UTF-16 units. */
const entryBytes = (nameLength: number): number =>
  Math.ceil((LIST_ENTRY.headerBytes + nameLength * 2) / 8) * 8;

/** Bytes of the value of a list with these entries. */
export const listBytes = (entries: readonly ListEntry[]): number =>
  entries.reduce((sum, { name }) => sum + entryBytes(name.length), 0);

/** The value of an $ATTRIBUTE_LIST; the entries are in its order: type, name, lowest VCN. */
export function encodeList(entries: readonly ListEntry[]): Uint8Array {
  const bytes = new Uint8Array(listBytes(entries));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const { type, name, lowestVcn, reference, instance } of entries) {
    const length = entryBytes(name.length);
    view.setUint32(at + LIST_ENTRY.type, type, true);
    view.setUint16(at + LIST_ENTRY.length, length, true);
    view.setUint8(at + LIST_ENTRY.nameLength, name.length);
    view.setUint8(at + LIST_ENTRY.nameOffset, LIST_ENTRY.headerBytes);
    view.setBigInt64(at + LIST_ENTRY.lowestVcn, BigInt(lowestVcn), true);
    writeReference(view, at + LIST_ENTRY.record, { number: reference.record, sequence: reference.sequence });
    view.setUint16(at + LIST_ENTRY.instance, instance, true);
    for (let index = 0; index < name.length; index++) {
      view.setUint16(at + LIST_ENTRY.headerBytes + index * 2, name.charCodeAt(index), true);
    }
    at += length;
  }
  return bytes;
}

/** Bytes of an $ATTRIBUTE_LIST with a value of that length in its record. */
export const residentListBytes = (valueBytes: number): number =>
  Math.ceil((ATTRIBUTE.residentHeaderBytes + valueBytes) / 8) * 8;

/** An $ATTRIBUTE_LIST with its value in the record. */
export function residentList(value: Uint8Array, instance: number): Uint8Array {
  const { bytes, view } = header(residentListBytes(value.length), instance);
  view.setUint16(ATTRIBUTE.nameOffset, ATTRIBUTE.residentHeaderBytes, true);
  view.setUint32(ATTRIBUTE.valueLength, value.length, true);
  view.setUint16(ATTRIBUTE.valueOffset, ATTRIBUTE.residentHeaderBytes, true);
  bytes.set(value, ATTRIBUTE.residentHeaderBytes);
  return bytes;
}

/** An $ATTRIBUTE_LIST of `valueBytes` in these clusters. */
export function nonResidentList(
  valueBytes: number,
  runs: readonly PlacedRun[],
  clusterBytes: number,
  instance: number,
): Uint8Array {
  const pairs = encodeMappingPairs(runs);
  const pairsAt = ATTRIBUTE.nonResidentHeaderBytes;
  const { bytes, view } = header(Math.ceil((pairsAt + pairs.length) / 8) * 8, instance);
  const clusters = runs.reduce((sum, { length }) => sum + length, 0);
  view.setUint8(ATTRIBUTE.nonResident, 1);
  view.setUint16(ATTRIBUTE.nameOffset, pairsAt, true);
  view.setUint16(ATTRIBUTE.mappingPairsOffset, pairsAt, true);
  view.setBigInt64(ATTRIBUTE.highestVcn, BigInt(clusters - 1), true);
  view.setBigInt64(ATTRIBUTE.allocatedSize, BigInt(clusters * clusterBytes), true);
  view.setBigInt64(ATTRIBUTE.dataSize, BigInt(valueBytes), true);
  view.setBigInt64(ATTRIBUTE.initializedSize, BigInt(valueBytes), true);
  bytes.set(pairs, pairsAt);
  return bytes;
}

function header(length: number, instance: number): { bytes: Uint8Array; view: DataView } {
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  view.setUint32(ATTRIBUTE.type, ATTRIBUTE_TYPE.attributeList, true);
  view.setUint32(ATTRIBUTE.length, length, true);
  view.setUint16(ATTRIBUTE.instance, instance, true);
  return { bytes, view };
}
