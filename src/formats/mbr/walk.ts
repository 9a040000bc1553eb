import { lba } from '../../core/units.js';
import type { Reader } from '../../device/types.js';
import { type Described, NO_CHAIN, readBootRecord, type Sectors, walkChain } from './chain.js';
import { type ChsEvidence, deriveGeometry, overflowOf, USUAL_GEOMETRY } from './chs.js';
import {
  isActive,
  isExtended,
  isPartitionTable,
  PROTECTIVE_TYPE,
  type SlotEntry,
  usedEntries,
} from './decode.js';
import { BOOT_RECORD_SIZE, bootRecordLayout, type ChsAddress } from './layout.js';
import { findProblems } from './problems.js';
import type { Geometry, MbrPartition, MbrTable } from './types.js';

/**
 * Reads the partition table of a disk. Null when sector 0 is none (no signature, or a bare volume).
 * Contradictions between entries end up in `problems`. Throws Damaged (`ebr-chain`) when the chain of EBRs
 * cannot be followed to its end, because logical partitions would be missing.
 */
export async function readMbr(disk: Reader, sectorSize: number): Promise<MbrTable | null> {
  if (disk.sizeBytes < Math.max(BOOT_RECORD_SIZE, sectorSize)) return null;
  const sectors: Sectors = { disk, sectorSize, count: Math.floor(disk.sizeBytes / sectorSize) };
  const sector = await readBootRecord(sectors, 0);
  if (!isPartitionTable(sector, sectors.count)) return null;
  const primaries = usedEntries(sector).map((entry) => ({ entry, partition: primaryOf(entry) }));
  const container = primaries.find(({ entry }) => isExtended(entry))?.partition;
  const chain = container === undefined ? NO_CHAIN : await walkChain(sectors, container);
  const described = [...primaries, ...chain.logicals];
  const layout = {
    partitions: described.map(({ partition }) => partition),
    ebrLbas: chain.ebrs.map((ebr) => ebr.lba),
    diskSectors: sectors.count,
  };
  const geometry = deriveGeometry(described.flatMap(chsEvidence));
  return {
    signature: bootRecordLayout.decode(sector).diskSignature,
    sectorSize,
    diskSectors: sectors.count,
    sector,
    partitions: layout.partitions,
    ebrs: chain.ebrs,
    geometry,
    chsOverflow: overflowMarkers(described, geometry ?? USUAL_GEOMETRY),
    hybridOrProtective: layout.partitions.some(({ type }) => type === PROTECTIVE_TYPE),
    problems: [...chain.problems, ...findProblems(layout)],
  };
}

/** The sectors the table lives in: the MBR and all EBRs, as LBAs. */
export function tableSectorsOfMbr(table: MbrTable): number[] {
  return [0, ...table.ebrs.map((ebr) => ebr.lba)];
}

function primaryOf(entry: SlotEntry): MbrPartition {
  return {
    number: entry.slot,
    kind: isExtended(entry) ? 'extended' : 'primary',
    type: entry.type,
    active: isActive(entry),
    startLba: lba(entry.start),
    sectorCount: entry.count,
    ebrLba: null,
  };
}

/** The CHS addresses of an entry beside the LBAs they stand for. */
function chsEvidence({ entry, partition: { startLba, sectorCount } }: Described): ChsEvidence[] {
  return [
    { lba: startLba, address: entry.firstChs, isLast: false },
    { lba: startLba + sectorCount - 1, address: entry.lastChs, isLast: true },
  ];
}

function overflowMarkers(
  described: readonly Described[],
  geometry: Geometry,
): ReadonlyMap<number, ChsAddress> {
  const markers = new Map<number, ChsAddress>();
  for (const item of described) {
    for (const evidence of chsEvidence(item)) {
      const marker = overflowOf(evidence, geometry);
      if (marker !== null) markers.set(item.partition.number, marker);
    }
  }
  return markers;
}
