import type { Decoded } from '../../codec/layout.js';
import { damaged } from '../../core/errors.js';
import { isPowerOfTwo } from '../../core/units.js';
import {
  ACTIVE_FAT,
  BOOT_SECTOR,
  BOOT_SECTOR_SIZE,
  BOOT_SIGNATURE,
  DIRECTORY_ENTRY_SIZE,
  EXTENDED_16,
  EXTENDED_32,
  EXTENDED_SIGNATURE,
  FLAG_DIRTY,
  MIRRORING_OFF,
} from './layout.js';

/** A boot sector begins with a short or a near jump; anything else is a sector that only looks like one. */
const JUMPS: readonly number[] = [0xeb, 0xe9];
const SECTOR_SIZES: readonly number[] = [512, 1024, 2048, 4096];
/** These have boot sectors with a signature too, and fields that may pass for a BPB. */
const OTHER_OEM_NAMES: readonly string[] = ['NTFS    ', 'EXFAT   ', '-FVE-FS-'];
const MEDIA_REMOVABLE = 0xf0;
const MEDIA_LEAST = 0xf8;
const FAT_COUNT_MAX = 2;
/** Cluster counts up to which a volume is FAT12 and FAT16. */
const FAT12_CLUSTERS_MAX = 4084;
const FAT16_CLUSTERS_MAX = 65524;
const FAT32_CLUSTERS_MAX = 0x0fff_fff5;

export type FatKind = 'fat12' | 'fat16' | 'fat32';

/** A boot sector that passed its bounds. Positions are bytes of the volume. */
export interface FatVolume {
  readonly kind: FatKind;
  readonly sectorBytes: number;
  readonly clusterBytes: number;
  readonly totalBytes: number;
  /** The FAT that is up to date. */
  readonly fatAt: number;
  readonly fatBytes: number;
  /** FAT12 and FAT16 only; FAT32 has its root in clusters. */
  readonly rootAt: number;
  readonly rootEntries: number;
  readonly rootCluster: number;
  readonly dataAt: number;
  readonly clusterCount: number;
  readonly hiddenSectors: number;
  /** FAT32 only: null where there is none. */
  readonly backupAt: number | null;
  readonly serial: string | null;
  readonly label: string | null;
  readonly flaggedDirty: boolean;
}

type Common = Decoded<typeof BOOT_SECTOR>;

/** True when the first sector can be nothing but a FAT boot sector. */
export function isFat(head: Uint8Array): boolean {
  if (head.length < BOOT_SECTOR_SIZE) return false;
  const common = BOOT_SECTOR.decode(head);
  return isPlausible(common) && geometry(common, head) !== undefined;
}

/** Decodes the boot sector. Damaged when it is larger than its volume or is not one any more. */
export function decodeFat(head: Uint8Array, volumeBytes: number): FatVolume {
  const common = BOOT_SECTOR.decode(head);
  const volume = isPlausible(common) ? geometry(common, head) : undefined;
  if (volume === undefined)
    throw damaged('fat-boot-sector', 'the FAT boot sector makes no sense', { offset: 0 });
  if (volume.totalBytes > volumeBytes) {
    throw damaged('fat-larger-than-volume', 'the FAT file system is larger than its partition', {
      offset: 0,
      expected: `at most ${volumeBytes} bytes`,
      actual: volume.totalBytes,
      hint: 'the partition was cut, or its table is wrong: restore the old size of the partition before anything else',
    });
  }
  return volume;
}

function isPlausible(common: Common): boolean {
  return (
    common.signature === BOOT_SIGNATURE &&
    JUMPS.includes(common.jump) &&
    !OTHER_OEM_NAMES.includes(common.oemName) &&
    SECTOR_SIZES.includes(common.bytesPerSector) &&
    isPowerOfTwo(common.sectorsPerCluster) &&
    common.reservedSectors > 0 &&
    common.fatCount > 0 &&
    common.fatCount <= FAT_COUNT_MAX &&
    (common.media === MEDIA_REMOVABLE || common.media >= MEDIA_LEAST)
  );
}

/** Places and counts; undefined when they contradict each other. */
function geometry(common: Common, head: Uint8Array): FatVolume | undefined {
  const { bytesPerSector: sectorBytes, sectorsPerCluster, reservedSectors, fatCount, rootEntries } = common;
  const wide = common.fatSectors16 === 0;
  // FAT32 has no fixed root directory, the others always have one.
  if (wide !== (rootEntries === 0)) return undefined;
  const extended = wide ? EXTENDED_32.decode(head) : undefined;
  const fatSectors = extended?.fatSectors32 ?? common.fatSectors16;
  const totalSectors = common.totalSectors16 === 0 ? common.totalSectors32 : common.totalSectors16;
  const rootSectors = Math.ceil((rootEntries * DIRECTORY_ENTRY_SIZE) / sectorBytes);
  const dataSector = reservedSectors + fatCount * fatSectors + rootSectors;
  const clusterCount = Math.floor((totalSectors - dataSector) / sectorsPerCluster);
  const kind = kindOf(wide, clusterCount);
  if (kind === undefined || fatSectors * sectorBytes * 8 < (clusterCount + 2) * entryBits(kind))
    return undefined;
  const backup = extended?.backupBootSector ?? 0;
  const mirroring = extended?.mirroring ?? 0;
  const activeFat = (mirroring & MIRRORING_OFF) === 0 ? 0 : mirroring & ACTIVE_FAT;
  if (activeFat >= fatCount) return undefined;
  return {
    kind,
    sectorBytes,
    clusterBytes: sectorsPerCluster * sectorBytes,
    totalBytes: totalSectors * sectorBytes,
    fatAt: (reservedSectors + activeFat * fatSectors) * sectorBytes,
    fatBytes: fatSectors * sectorBytes,
    rootAt: (dataSector - rootSectors) * sectorBytes,
    rootEntries,
    rootCluster: extended?.rootCluster ?? 0,
    dataAt: dataSector * sectorBytes,
    clusterCount,
    hiddenSectors: common.hiddenSectors,
    backupAt: backup > 0 && backup < reservedSectors ? backup * sectorBytes : null,
    ...names(wide ? EXTENDED_32.decode(head) : EXTENDED_16.decode(head)),
  };
}

function kindOf(wide: boolean, clusters: number): FatKind | undefined {
  if (clusters < 1) return undefined;
  if (wide) return clusters <= FAT32_CLUSTERS_MAX ? 'fat32' : undefined;
  if (clusters <= FAT12_CLUSTERS_MAX) return 'fat12';
  return clusters <= FAT16_CLUSTERS_MAX ? 'fat16' : undefined;
}

/** Bits of an entry of the file allocation table. */
export function entryBits(kind: FatKind): 12 | 16 | 32 {
  if (kind === 'fat12') return 12;
  return kind === 'fat16' ? 16 : 32;
}

interface Extended {
  readonly flags: number;
  readonly extendedSignature: number;
  readonly serial: number;
  readonly label: string;
}

function names({ flags, extendedSignature, serial, label }: Extended) {
  if (extendedSignature !== EXTENDED_SIGNATURE) return { serial: null, label: null, flaggedDirty: false };
  const digits = serial.toString(16).toUpperCase().padStart(8, '0');
  return {
    serial: `${digits.slice(0, 4)}-${digits.slice(4)}`,
    label: labelText(label),
    flaggedDirty: (flags & FLAG_DIRTY) !== 0,
  };
}

/** A label without its padding; null for the words that stand for none. */
export function labelText(raw: string): string | null {
  const text = raw.replace(/[ \0]+$/, '');
  return text === '' || text === 'NO NAME' ? null : text;
}
