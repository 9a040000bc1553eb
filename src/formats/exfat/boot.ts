import { damaged } from '../../core/errors.js';
import type { Reader } from '../../device/types.js';
import { readInside } from '../read.js';
import {
  BOOT_SECTOR,
  BOOT_SECTOR_SIZE,
  BOOT_SIGNATURE,
  CHECKSUMMED_SECTORS,
  FLAGS_NOT_CLEAN,
  NOT_CHECKSUMMED,
  REGION_SECTORS,
} from './layout.js';

/** Sectors of 512 to 4096 bytes, clusters of at most 32 MiB. */
const SECTOR_SHIFT_LEAST = 9;
const SECTOR_SHIFT_MAX = 12;
const CLUSTER_BYTES_SHIFT_MAX = 25;
const CLUSTERS_MAX = 0xffff_fff5;

/** A boot sector that passed its bounds. Positions are bytes of the volume. */
export interface ExfatVolume {
  readonly sectorBytes: number;
  readonly clusterBytes: number;
  readonly totalBytes: number;
  readonly fatAt: number;
  readonly heapAt: number;
  readonly clusterCount: number;
  readonly rootCluster: number;
  readonly partitionOffset: number;
  readonly serial: string;
  readonly clean: boolean;
}

function broken(what: string, expected: string | number, actual: string | number) {
  return damaged('exfat-boot-sector', `the exFAT boot sector makes no sense: ${what}`, {
    offset: 0,
    expected,
    actual,
    hint: 'run chkdsk in the guest: it restores the boot sector from its backup',
  });
}

/** Decodes the main boot sector and holds it against the checksum of its region. Damaged when they disagree. */
export async function openExfat(volume: Reader): Promise<ExfatVolume> {
  const head = await readInside(volume, 0, BOOT_SECTOR_SIZE, 'the exFAT boot sector');
  const boot = BOOT_SECTOR.decode(head);
  if (boot.signature !== BOOT_SIGNATURE) throw broken('signature', BOOT_SIGNATURE, boot.signature);
  const { sectorShift, clusterShift, clusterCount } = boot;
  if (sectorShift < SECTOR_SHIFT_LEAST || sectorShift > SECTOR_SHIFT_MAX) {
    throw broken('sector size', `${SECTOR_SHIFT_LEAST} to ${SECTOR_SHIFT_MAX}`, sectorShift);
  }
  if (sectorShift + clusterShift > CLUSTER_BYTES_SHIFT_MAX) {
    throw broken('cluster size', CLUSTER_BYTES_SHIFT_MAX, sectorShift + clusterShift);
  }
  if (clusterCount > CLUSTERS_MAX) throw broken('clusters', CLUSTERS_MAX, clusterCount);
  const sectorBytes = 2 ** sectorShift;
  const opened: ExfatVolume = {
    sectorBytes,
    clusterBytes: sectorBytes * 2 ** clusterShift,
    totalBytes: boot.volumeSectors * sectorBytes,
    fatAt: boot.fatSector * sectorBytes,
    heapAt: boot.heapSector * sectorBytes,
    clusterCount,
    rootCluster: boot.rootCluster,
    partitionOffset: boot.partitionOffset,
    serial: serialText(boot.serial),
    clean: (boot.flags & FLAGS_NOT_CLEAN) === 0,
  };
  requireExtents(opened, volume.sizeBytes);
  const region = await readInside(volume, 0, REGION_SECTORS * sectorBytes, 'the exFAT main boot region');
  if (!hasValidChecksum(region, sectorBytes)) {
    throw broken('checksum of the main boot region', regionChecksum(region, sectorBytes), 'something else');
  }
  return opened;
}

function requireExtents(opened: ExfatVolume, volumeBytes: number): void {
  const { totalBytes, heapAt, clusterCount, clusterBytes, fatAt } = opened;
  if (totalBytes > volumeBytes) throw broken('larger than its partition', volumeBytes, totalBytes);
  const heapEnd = heapAt + clusterCount * clusterBytes;
  if (heapEnd > totalBytes) throw broken('clusters beyond the end', totalBytes, heapEnd);
  if (fatAt >= heapAt) throw broken('FAT behind the clusters', heapAt, fatAt);
}

function serialText(serial: number): string {
  const digits = serial.toString(16).toUpperCase().padStart(8, '0');
  return `${digits.slice(0, 4)}-${digits.slice(4)}`;
}

/** Rotate right by one, add the byte: over eleven sectors, without three bytes of the first (section 3.4). */
function regionChecksum(region: Uint8Array, sectorBytes: number): number {
  let sum = 0;
  for (let i = 0; i < CHECKSUMMED_SECTORS * sectorBytes; i++) {
    if (NOT_CHECKSUMMED.has(i)) continue;
    sum = (((sum & 1 ? 0x8000_0000 : 0) + (sum >>> 1) + (region[i] ?? 0)) & 0xffff_ffff) >>> 0;
  }
  return sum;
}

/** The twelfth sector repeats the checksum from end to end. */
export function hasValidChecksum(region: Uint8Array, sectorBytes: number): boolean {
  const sum = regionChecksum(region, sectorBytes);
  const view = new DataView(region.buffer, region.byteOffset, region.length);
  for (let at = CHECKSUMMED_SECTORS * sectorBytes; at < REGION_SECTORS * sectorBytes; at += 4) {
    if (view.getUint32(at, true) !== sum) return false;
  }
  return true;
}

/** Writes the checksum of a boot region into its last sector. Call it after every other change. */
export function sealRegion(region: Uint8Array, sectorBytes: number): void {
  const sum = regionChecksum(region, sectorBytes);
  const view = new DataView(region.buffer, region.byteOffset, region.length);
  for (let at = CHECKSUMMED_SECTORS * sectorBytes; at < REGION_SECTORS * sectorBytes; at += 4) {
    view.setUint32(at, sum, true);
  }
}
