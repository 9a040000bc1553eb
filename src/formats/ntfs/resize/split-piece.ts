import { ATTRIBUTE, COMPRESSED_MASK, SPARSE } from '../layout.js';
import { HOLE } from '../mapping-pairs.js';
import type { Attribute } from '../record.js';
import { encodeMappingPairs, type PlacedRun, signedBytes } from './encode-pairs.js';

/** A non-resident attribute as its bytes stand in a record. */
export interface EncodedPiece {
  readonly bytes: Uint8Array;
  readonly lowestVcn: number;
}

/** Bytes that an attribute may have: where the first piece goes, and in a record of its own. */
export interface Rooms {
  readonly first: number;
  readonly others: number;
}

/**
 * The attribute with these runs, in as many pieces as the rooms ask for. Every piece keeps the header and the name;
 * only the first has sizes. Streams with compression units are cut between units. Undefined when a room is too
 * small for any run.
 */
export function splitPiece(
  attribute: Attribute,
  runs: readonly PlacedRun[],
  rooms: Rooms,
): EncodedPiece[] | undefined {
  const header = attribute.record.bytes.slice(attribute.at, attribute.mappingPairsAt);
  const unit = unitClusters(header);
  const pieces: EncodedPiece[] = [];
  const rest = [...runs];
  let vcn = attribute.lowestVcn;
  for (let at = 0; at < rest.length; ) {
    const room = pieces.length === 0 ? rooms.first : rooms.others;
    const taken = takeRuns(rest, at, vcn, { unit, bytes: room - (room % 8) - header.length });
    if (taken.length === 0) return undefined;
    pieces.push({ bytes: encodePiece(header, taken, vcn, pieces.length === 0), lowestVcn: vcn });
    vcn += clustersOf(taken);
    at = leaveRest(rest, at + taken.length - 1, taken);
  }
  return pieces;
}

/** Index of the first run that is not taken; the one at `index` is shortened when it was taken in part. */
function leaveRest(runs: PlacedRun[], index: number, taken: readonly PlacedRun[]): number {
  const run = runs[index];
  const cut = taken.at(-1)?.length ?? 0;
  if (run === undefined || run.length === cut) return index + 1;
  runs[index] = { lcn: run.lcn === HOLE ? HOLE : run.lcn + cut, length: run.length - cut };
  return index;
}

/** Bytes of the attribute with these runs in one piece. */
export const wholeLength = (attribute: Attribute, runs: readonly PlacedRun[]): number =>
  Math.ceil((attribute.mappingPairsAt - attribute.at + encodeMappingPairs(runs).length) / 8) * 8;

/** A cut may stand between two compression units only; sparse streams have them too. */
function unitClusters(header: Uint8Array): number {
  const flags = (header[ATTRIBUTE.flags] ?? 0) + (header[ATTRIBUTE.flags + 1] ?? 0) * 256;
  return (flags & (COMPRESSED_MASK | SPARSE)) === 0 ? 1 : 2 ** (header[ATTRIBUTE.compressionUnit] ?? 0);
}

/** The longest stretch of runs that fits the room and ends between units. */
function takeRuns(
  runs: readonly PlacedRun[],
  from: number,
  lowestVcn: number,
  room: { readonly unit: number; readonly bytes: number },
): PlacedRun[] {
  const taken: PlacedRun[] = [];
  let vcn = lowestVcn;
  let previous = 0;
  // One byte ends the mapping pairs.
  let bytes = 1;
  for (let index = from; index < runs.length; index++) {
    const { lcn, length } = runs[index] ?? { lcn: HOLE, length: 0 };
    bytes += 1 + signedBytes(length) + (lcn === HOLE ? 0 : signedBytes(lcn - previous));
    if (bytes > room.bytes) return cutBack(taken, vcn % room.unit);
    if (lcn !== HOLE) previous = lcn;
    taken.push({ lcn, length });
    vcn += length;
  }
  return taken;
}

/** Takes clusters off the end; a shorter run never needs more bytes. */
function cutBack(taken: PlacedRun[], clusters: number): PlacedRun[] {
  for (let excess = clusters; excess > 0; ) {
    const last = taken.pop();
    if (last === undefined) break;
    if (last.length > excess) taken.push({ lcn: last.lcn, length: last.length - excess });
    excess -= Math.min(excess, last.length);
  }
  return taken;
}

const clustersOf = (runs: readonly PlacedRun[]): number => runs.reduce((sum, { length }) => sum + length, 0);

function encodePiece(
  header: Uint8Array,
  runs: readonly PlacedRun[],
  lowestVcn: number,
  isFirst: boolean,
): Uint8Array {
  const pairs = encodeMappingPairs(runs);
  const bytes = new Uint8Array(Math.ceil((header.length + pairs.length) / 8) * 8);
  bytes.set(header);
  bytes.set(pairs, header.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(ATTRIBUTE.length, bytes.length, true);
  view.setBigInt64(ATTRIBUTE.lowestVcn, BigInt(lowestVcn), true);
  view.setBigInt64(ATTRIBUTE.highestVcn, BigInt(lowestVcn + clustersOf(runs) - 1), true);
  if (!isFirst) bytes.fill(0, ATTRIBUTE.allocatedSize, sizesEnd(header));
  return bytes;
}

/** Compressed and sparse streams have a fourth size, unless the header ends before it. */
function sizesEnd(header: Uint8Array): number {
  const hasName = (header[ATTRIBUTE.nameLength] ?? 0) > 0;
  const nameAt = (header[ATTRIBUTE.nameOffset] ?? 0) + (header[ATTRIBUTE.nameOffset + 1] ?? 0) * 256;
  const end = hasName ? Math.min(nameAt, header.length) : header.length;
  return Math.max(ATTRIBUTE.nonResidentHeaderBytes, Math.min(end, ATTRIBUTE.totalAllocated + 8));
}
