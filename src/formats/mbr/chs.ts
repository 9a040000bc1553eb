import type { ChsAddress } from './layout.js';
import type { Geometry } from './types.js';

/**
 * Cylinder/head/sector addresses. Only firmware and systems of the last century read them, but a table whose
 * addresses contradict its LBAs makes them refuse the disk, so changed entries get new ones in the style of
 * the old. Sources: libfdisk (dos.c), and tables written by Windows, sfdisk, parted and ESXi.
 */

/** Ten bits hold the cylinder. */
const LAST_CYLINDER = 1023;
/** Six bits hold the sector, and sectors count from 1. */
const MAX_SECTORS_PER_TRACK = 63;
/** A byte holds the head; DOS cannot count to 256, but some BIOSes do. */
const MAX_HEADS = 256;

/** An LBA beside the CHS address that an entry holds for it. */
export interface ChsEvidence {
  readonly lba: number;
  readonly address: ChsAddress;
  /** The address ends a partition, so it may be rounded to a cylinder. */
  readonly isLast: boolean;
}

/** How one address of an entry was written. */
type AddressStyle = 'exact' | 'cylinder-end' | 'constant' | 'overflow' | 'unknown';

/** True when both name the same sector. */
const sameAddress = (a: ChsAddress, b: ChsAddress): boolean =>
  a.cylinder === b.cylinder && a.head === b.head && a.sector === b.sector;

/** The address of an LBA, or null where the cylinder does not fit into ten bits. */
export function chsOfLba(lba: number, { heads, sectorsPerTrack }: Geometry): ChsAddress | null {
  const track = Math.floor(lba / sectorsPerTrack);
  const cylinder = Math.floor(track / heads);
  if (cylinder > LAST_CYLINDER) return null;
  return { cylinder, head: track % heads, sector: (lba % sectorsPerTrack) + 1 };
}

/** The last sector of the last whole cylinder up to and including `lba`: what Windows writes as the end. */
function cylinderEnd(lba: number, { heads, sectorsPerTrack }: Geometry): ChsAddress | null {
  const cylinder = Math.floor((lba + 1) / (heads * sectorsPerTrack)) - 1;
  if (cylinder < 0 || cylinder > LAST_CYLINDER) return null;
  return { cylinder, head: heads - 1, sector: sectorsPerTrack };
}

/** What stands for an address out of reach, where the table has no example of its own. */
export const defaultOverflow = ({ heads, sectorsPerTrack }: Geometry): ChsAddress => ({
  cylinder: LAST_CYLINDER,
  head: heads - 1,
  sector: sectorsPerTrack,
});

/** True for a geometry that CHS addresses can be counted with. */
export const isGeometry = ({ heads, sectorsPerTrack }: Geometry): boolean =>
  Number.isInteger(heads) &&
  Number.isInteger(sectorsPerTrack) &&
  heads >= 1 &&
  heads <= MAX_HEADS &&
  sectorsPerTrack >= 1 &&
  sectorsPerTrack <= MAX_SECTORS_PER_TRACK;

/** Recognises how `address` was written for `lba`. */
function styleOf({ lba, address, isLast }: ChsEvidence, geometry: Geometry): AddressStyle {
  const exact = chsOfLba(lba, geometry);
  if (exact !== null && sameAddress(address, exact)) return 'exact';
  const rounded = isLast ? cylinderEnd(lba, geometry) : null;
  if (rounded !== null && sameAddress(address, rounded)) return 'cylinder-end';
  const isZero = address.cylinder === 0 && address.head === 0 && address.sector === 0;
  if (isZero) return 'constant';
  if (address.cylinder !== LAST_CYLINDER) return 'unknown';
  // The marker where the true address would have fitted: this writer uses LBA only.
  return exact === null ? 'overflow' : 'constant';
}

/** The marker that the address is, or null when it is a real address. */
export function overflowOf(evidence: ChsEvidence, geometry: Geometry): ChsAddress | null {
  const { address } = evidence;
  if (address.cylinder !== LAST_CYLINDER) return null;
  const style = styleOf(evidence, geometry);
  return style === 'overflow' || style === 'constant' ? address : null;
}

/**
 * The address for `newLba`, written as the old address was written for its LBA. `overflow` stands for what
 * CHS cannot express. An address nobody can explain (another geometry) is replaced by the exact one.
 */
export function restyle(
  old: ChsEvidence,
  newLba: number,
  geometry: Geometry,
  overflow: ChsAddress,
): ChsAddress {
  const style = styleOf(old, geometry);
  if (newLba === old.lba || style === 'constant') return old.address;
  const marker = style === 'overflow' ? old.address : overflow;
  const rounded = style === 'cylinder-end' ? cylinderEnd(newLba, geometry) : null;
  return rounded ?? chsOfLba(newLba, geometry) ?? marker;
}

/** True when the geometry explains the address: exact, rounded, or this geometry's own overflow marker. */
function explains(evidence: ChsEvidence, geometry: Geometry): boolean {
  const style = styleOf(evidence, geometry);
  if (style === 'exact' || style === 'cylinder-end') return true;
  const { head, sector } = evidence.address;
  return style === 'overflow' && head === geometry.heads - 1 && sector === geometry.sectorsPerTrack;
}

/** Two addresses at least must fit: one alone fits many geometries. */
const MIN_EXPLAINED = 2;
/** Linux and Windows count so unless the firmware tells otherwise: decides a tie, and where nothing else tells. */
export const USUAL_GEOMETRY: Geometry = { heads: 255, sectorsPerTrack: 63 };
/** Addresses beyond these tell nothing new, and a scan of many disks cannot wait for them. */
const MAX_EVIDENCE = 16;

/**
 * The geometry that explains most of the addresses, found by trying: the usual rule "last head + 1, last
 * sector" is wrong for partitions that do not end on a cylinder. Null when the addresses leave it open.
 */
export function deriveGeometry(evidence: readonly ChsEvidence[]): Geometry | null {
  const used = evidence.slice(0, MAX_EVIDENCE);
  let best: Geometry[] = [];
  let bestScore = MIN_EXPLAINED;
  for (const geometry of possibleGeometries(used)) {
    const score = used.filter((item) => explains(item, geometry)).length;
    if (score < bestScore) continue;
    if (score > bestScore) best = [];
    bestScore = score;
    best.push(geometry);
  }
  if (best.length === 1) return best[0] ?? null;
  return best.find(isUsual) ?? null;
}

const isUsual = ({ heads, sectorsPerTrack }: Geometry): boolean =>
  heads === USUAL_GEOMETRY.heads && sectorsPerTrack === USUAL_GEOMETRY.sectorsPerTrack;

/** All geometries, less the sectors per track that the sector numbers rule out. */
function* possibleGeometries(evidence: readonly ChsEvidence[]): Generator<Geometry> {
  for (let sectorsPerTrack = 1; sectorsPerTrack <= MAX_SECTORS_PER_TRACK; sectorsPerTrack++) {
    const fits = ({ lba, address: { sector } }: ChsEvidence): boolean =>
      sector === sectorsPerTrack || sector === (lba % sectorsPerTrack) + 1;
    if (evidence.filter(fits).length < MIN_EXPLAINED) continue;
    for (let heads = 1; heads <= MAX_HEADS; heads++) yield { heads, sectorsPerTrack };
  }
}
