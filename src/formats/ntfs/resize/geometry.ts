import { refused, unsupported } from '../../../core/errors.js';
import { alignUp } from '../../../core/units.js';
import { type BootSector, decodeBootSector, MAX_CLUSTERS } from '../boot-sector.js';
import { BOOT_FILE_BYTES } from '../layout.js';

/** $Bitmap is a multiple of this. */
const BITMAP_UNIT_BYTES = 8;

/** Where a volume of another size ends. */
export interface Geometry {
  /** What the boot sector says: one sector less than the partition, as Windows formats. */
  readonly totalSectors: number;
  readonly totalBytes: number;
  readonly clusterCount: number;
  /** The partition's last sector, in bytes of the volume: where Windows looks for the copy of the boot sector. */
  readonly backupAt: number;
  /** Bytes and clusters of $Bitmap. */
  readonly bitmapBytes: number;
  readonly bitmapClusters: number;
}

/** The geometry in a partition of `sizeBytes`. Throws Refused or Unsupported when no volume fits it. */
export function geometryFor(boot: BootSector, sizeBytes: number): Geometry {
  const { bytesPerSector, clusterBytes } = boot;
  const totalSectors = Math.floor(sizeBytes / bytesPerSector) - 1;
  const clusterCount = Math.floor((totalSectors * bytesPerSector) / clusterBytes);
  if (clusterCount * clusterBytes < BOOT_FILE_BYTES) {
    throw refused('ntfs-too-small', 'the NTFS volume has no room in so small a partition', {
      actual: sizeBytes,
      hint: 'choose a larger size; `vmreclaim scan --deep` tells the smallest',
    });
  }
  if (clusterCount > MAX_CLUSTERS) {
    throw unsupported('ntfs-too-large', 'NTFS on Windows has no more than 2^32 - 1 clusters', {
      expected: MAX_CLUSTERS,
      actual: clusterCount,
      hint: `keep the volume below ${MAX_CLUSTERS * clusterBytes} bytes`,
    });
  }
  const bitmapBytes = alignUp(Math.ceil(clusterCount / 8), BITMAP_UNIT_BYTES);
  return {
    totalSectors,
    totalBytes: totalSectors * bytesPerSector,
    clusterCount,
    backupAt: totalSectors * bytesPerSector,
    bitmapBytes,
    bitmapClusters: Math.ceil(bitmapBytes / clusterBytes),
  };
}

/** True when the bytes are a copy of this volume's boot sector. */
export function isBootCopy(bytes: Uint8Array, boot: BootSector): boolean {
  try {
    return decodeBootSector(bytes).serial === boot.serial;
  } catch {
    return false;
  }
}
