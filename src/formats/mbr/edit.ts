import type { MetadataWrite } from '../types.js';
import { defaultOverflow, isGeometry, restyle, USUAL_GEOMETRY } from './chs.js';
import { type ChsAddress, entryLayout, entryOffset } from './layout.js';
import { type EbrPlace, type Places, placesAfter, type Span, type SpanChange } from './places.js';
import type { Geometry, MbrChange, MbrTable } from './types.js';

/** How CHS addresses are written in this table. */
interface ChsRules {
  readonly geometry: Geometry;
  readonly overflow: ChsAddress;
}

/**
 * The writes that turn the table into the wished one, each a boot record as found with the changed entries
 * patched. Order: EBRs from the last to the first, then the MBR, so that whatever a record points to is there
 * before the record is. Nothing to change: no writes.
 *
 * Throws Refused: `mbr-problems`, `hybrid-mbr`, `mbr-limit` (beyond 32-bit sectors), `ebr-layout` (the chain
 * cannot express the wish). Throws Internal when the wish contradicts itself.
 */
export function editMbr(table: MbrTable, change: MbrChange): MetadataWrite[] {
  const after = placesAfter(table, change);
  if (after === null) return [];
  const rules = chsRules(table, change);
  const writes: MetadataWrite[] = [];
  for (const [index, place] of [...after.ebrs.entries()].reverse()) {
    const bytes = editedEbr(after, place, rules);
    if (place.at === place.record.lba && sameBytes(bytes, place.record.sector)) continue;
    writes.push({ at: place.at * table.sectorSize, bytes, why: `extended boot record ${index + 1}` });
  }
  const bytes = editedMbr(table, after, rules);
  if (!sameBytes(bytes, table.sector)) writes.push({ at: 0, bytes, why: 'master boot record' });
  return writes;
}

/** The table's own geometry first: an entry must not contradict its neighbours. */
function chsRules(table: MbrTable, change: MbrChange): ChsRules {
  const wished = isGeometry(change.geometry) ? change.geometry : USUAL_GEOMETRY;
  const geometry = table.geometry ?? wished;
  const [marker] = table.chsOverflow.values();
  return { geometry, overflow: marker ?? defaultOverflow(geometry) };
}

function editedMbr(table: MbrTable, { partitions }: Places, rules: ChsRules): Uint8Array {
  const bytes = table.sector.slice();
  for (const { kind, number } of table.partitions) {
    const change = partitions.get(number);
    if (kind !== 'logical' && change !== undefined) patchEntry(bytes, number, change, 0, rules);
  }
  return bytes;
}

function editedEbr(after: Places, { record, at, link }: EbrPlace, rules: ChsRules): Uint8Array {
  const bytes = record.sector.slice();
  for (const { slot, number } of record.data) {
    const change = after.partitions.get(number);
    if (change !== undefined) patchEntry(bytes, slot, change, at, rules);
  }
  if (record.linkSlot !== null && link !== null) {
    patchEntry(bytes, record.linkSlot, link, after.containerStart, rules);
  }
  return bytes;
}

/** Writes place and CHS addresses of one entry; status, type and what does not change stay as they are. */
function patchEntry(
  bytes: Uint8Array,
  slot: number,
  { before, after }: SpanChange,
  base: number,
  { geometry, overflow }: ChsRules,
): void {
  const at = entryOffset(slot);
  const { firstChs, lastChs } = entryLayout.decode(bytes, at);
  const first = { lba: before.startLba, address: firstChs, isLast: false };
  const last = { lba: lastLba(before), address: lastChs, isLast: true };
  entryLayout.patch(bytes, at, {
    firstChs: restyle(first, after.startLba, geometry, overflow),
    lastChs: restyle(last, lastLba(after), geometry, overflow),
    start: after.startLba - base,
    count: after.sectorCount,
  });
}

const lastLba = ({ startLba, sectorCount }: Span): number => startLba + sectorCount - 1;

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => a.every((byte, index) => byte === b[index]);
