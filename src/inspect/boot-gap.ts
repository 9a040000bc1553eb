import { MIB } from '../core/units.js';
import type { Reader } from '../device/types.js';
import { nonZeroRuns } from '../device/zeros.js';
import type { Tables } from './tables.js';

/** Boot loaders embed themselves right behind the MBR; nobody reaches further than the usual first MiB. */
const GAP_LIMIT_BYTES = MIB;

/**
 * First sector behind everything that is not zero between the MBR and the first partition: GRUB's core image,
 * OEM tools, old boot managers. A partition that moves to the left must not run over it.
 */
export async function bootGapEnd(disk: Reader, { kind, mbr, sectorSize }: Tables): Promise<number> {
  if (kind !== 'mbr' || mbr === null || mbr.partitions.length === 0) return 1;
  const first = Math.min(...mbr.partitions.map(({ startLba }) => startLba)) * sectorSize;
  const end = Math.min(first, GAP_LIMIT_BYTES, disk.sizeBytes);
  if (end <= sectorSize) return 1;
  const gap = await disk.readAt(sectorSize, end - sectorSize);
  const last = nonZeroRuns(gap, sectorSize).at(-1);
  return last === undefined ? 1 : 1 + Math.ceil((last.at + last.length) / sectorSize);
}
