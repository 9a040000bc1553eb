import { damaged, type VmreclaimError } from '../../core/errors.js';
import { isPowerOfTwo, MIB } from '../../core/units.js';
import { BOOT_SECTOR, OEM_ID } from './layout.js';

/** What sector 0 tells about a volume. */
export interface BootSector {
  readonly bytesPerSector: number;
  readonly clusterBytes: number;
  readonly totalSectors: number;
  /** Whole clusters inside the total sectors: what $Bitmap describes. */
  readonly clusterCount: number;
  /** totalSectors in bytes. */
  readonly totalBytes: number;
  readonly hiddenSectors: number;
  readonly mftLcn: number;
  readonly mftMirrorLcn: number;
  readonly recordBytes: number;
  readonly indexBlockBytes: number;
  /** Sixteen upper-case hexadecimal digits. */
  readonly serial: string;
}

/** Bytes a boot sector must have before it is looked at. */
export const BOOT_SECTOR_MIN_BYTES = 512;
/** Limits of the NTFS driver of Windows and of ntfs-3g. */
const SECTOR_BYTES = { min: 256, max: 4096 } as const;
const MAX_CLUSTER_BYTES = 2 * MIB;
/** Above this, the sectors-per-cluster byte is a negative power of two. */
const MAX_LITERAL_SECTORS = 128;
/** 1024 everywhere, 4096 on drives with 4096-byte sectors. */
const RECORD_BYTES = { min: 1024, max: 4096 } as const;
/** 4096 nearly everywhere; ntfs-3g accepts the rest. */
const INDEX_BLOCK_BYTES = { min: 512, max: 65536 } as const;

/** Windows numbers clusters with 32 bits; maps of clusters here rely on it. */
export const MAX_CLUSTERS = 2 ** 32 - 1;

const bootError = (what: string, offset: number, expected: string | number, actual: string | number) =>
  damaged('ntfs-boot-sector', `NTFS boot sector: ${what}`, { offset, expected, actual });

/** True when the bytes begin like an NTFS boot sector; says nothing about its fields. */
export function hasNtfsOemId(head: Uint8Array): boolean {
  if (head.length < BOOT_SECTOR_MIN_BYTES) return false;
  return [...OEM_ID].every((letter, index) => head[3 + index] === letter.charCodeAt(0));
}

/**
 * Decodes and checks sector 0. Throws Damaged, located, for every value that no formatter writes. Whether the
 * volume fits its partition is not its business.
 */
export function decodeBootSector(head: Uint8Array): BootSector {
  const raw = BOOT_SECTOR.decode(head);
  if (raw.oemId !== OEM_ID) throw bootError('wrong OEM id', 0x03, OEM_ID, raw.oemId);
  if (raw.fatFields.some((byte) => byte !== 0) || raw.sectorsPerFat !== 0 || raw.largeSectors !== 0) {
    throw bootError('fields of FAT are not zero', 0x0e, 0, 'not zero');
  }
  const { bytesPerSector } = raw;
  if (!within(bytesPerSector, SECTOR_BYTES)) {
    throw bootError('bytes per sector', 0x0b, '256 to 4096, a power of two', bytesPerSector);
  }
  const sectorsPerCluster = decodeSectorsPerCluster(raw.sectorsPerCluster);
  const clusterBytes = bytesPerSector * sectorsPerCluster;
  if (clusterBytes > MAX_CLUSTER_BYTES) throw bootError('cluster size', 0x0d, '2 MiB at most', clusterBytes);
  const clusterCount = Math.floor(raw.totalSectors / sectorsPerCluster);
  const totalBytes = raw.totalSectors * bytesPerSector;
  if (clusterCount === 0) throw bootError('total sectors', 0x28, 'at least one cluster', raw.totalSectors);
  if (clusterCount > MAX_CLUSTERS)
    throw bootError('total sectors', 0x28, `${MAX_CLUSTERS} clusters at most`, clusterCount);
  if (!Number.isSafeInteger(totalBytes)) throw bootError('total sectors', 0x28, 'a disk', raw.totalSectors);
  if (raw.mftLcn >= clusterCount) throw outsideVolume('$MFT', 0x30, clusterCount, raw.mftLcn);
  if (raw.mftMirrorLcn >= clusterCount) throw outsideVolume('$MFTMirr', 0x38, clusterCount, raw.mftMirrorLcn);
  const recordBytes = decodeSizeCode(raw.recordSizeCode, clusterBytes);
  if (!within(recordBytes, RECORD_BYTES)) {
    throw bootError('FILE record size', 0x40, '1024 to 4096, a power of two', recordBytes);
  }
  const indexBlockBytes = decodeSizeCode(raw.indexSizeCode, clusterBytes);
  if (!within(indexBlockBytes, INDEX_BLOCK_BYTES)) {
    throw bootError('index block size', 0x44, '512 to 65536, a power of two', indexBlockBytes);
  }
  const { totalSectors, hiddenSectors, mftLcn, mftMirrorLcn } = raw;
  const geometry = { bytesPerSector, clusterBytes, totalSectors, clusterCount, totalBytes };
  const serial = formatSerial(raw.serial);
  return { ...geometry, hiddenSectors, mftLcn, mftMirrorLcn, recordBytes, indexBlockBytes, serial };
}

/** The serial number as Windows tools print it. */
export const formatSerial = (serial: bigint): string => serial.toString(16).toUpperCase().padStart(16, '0');

const within = (value: number, limits: { readonly min: number; readonly max: number }): boolean =>
  isPowerOfTwo(value) && value >= limits.min && value <= limits.max;

function outsideVolume(file: string, offset: number, end: number, cluster: number): VmreclaimError {
  return bootError(`${file} begins behind the last cluster`, offset, `less than ${end}`, cluster);
}

/** 1 to 128 as they are, 0xF0 to 0xFD as 2^(256 - code). */
function decodeSectorsPerCluster(code: number): number {
  const sectors = code <= MAX_LITERAL_SECTORS ? code : 2 ** (256 - code);
  if (!isPowerOfTwo(sectors) || (code > MAX_LITERAL_SECTORS && (code < 0xf0 || code > 0xfd))) {
    throw bootError('sectors per cluster', 0x0d, 'a power of two up to 128, or 0xF0 to 0xFD', code);
  }
  return sectors;
}

/** Positive: clusters. Negative: 2^-code bytes. */
function decodeSizeCode(code: number, clusterBytes: number): number {
  return code < 0 ? 2 ** -code : code * clusterBytes;
}
