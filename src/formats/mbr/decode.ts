import { isPowerOfTwo } from '../../core/units.js';
import {
  BOOT_SIGNATURE,
  bootRecordLayout,
  ENTRIES_PER_RECORD,
  type Entry,
  entryLayout,
  entryOffset,
} from './layout.js';

/** An entry with its slot, 1 to 4. */
export interface SlotEntry extends Entry {
  readonly slot: number;
}

/** Types of an extended partition and of a link in the EBR chain: CHS, LBA, Linux. */
const EXTENDED_TYPES = new Set([0x05, 0x0f, 0x85]);
/** The whole disk (or a part of it) belongs to a GPT. */
export const PROTECTIVE_TYPE = 0xee;
const STATUS_ACTIVE = 0x80;

/** True for an extended partition in the MBR and for a link in an EBR. */
export const isExtended = (entry: Entry): boolean => EXTENDED_TYPES.has(entry.type);
/** True for the partition that firmware starts. */
export const isActive = (entry: Entry): boolean => entry.status === STATUS_ACTIVE;

/** True when the sector ends with 55 AA. */
export const hasBootSignature = (sector: Uint8Array): boolean =>
  bootRecordLayout.decode(sector).bootSignature === BOOT_SIGNATURE;

/** The entries that hold something, as Linux sees it: the count decides, not the type. */
export function usedEntries(sector: Uint8Array): SlotEntry[] {
  return allEntries(sector).filter(({ count }) => count !== 0);
}

function allEntries(sector: Uint8Array): SlotEntry[] {
  return Array.from({ length: ENTRIES_PER_RECORD }, (_, index) => {
    const slot = index + 1;
    return { slot, ...entryLayout.decode(sector, entryOffset(slot)) };
  });
}

/**
 * Is sector 0 a partition table, or the boot sector of a volume without one, which ends with 55 AA as well?
 * Judged as Linux (block/partitions/msdos.c) and libblkid do: status bytes 00 or 80 only, and the sector of
 * an NTFS, exFAT or FAT volume is none. Such a sector can still be a table (a loader that keeps a BPB in the
 * MBR), then all its entries make sense; mkfs.fat writes an entry that begins at LBA 0, which makes none.
 */
export function isPartitionTable(sector: Uint8Array, diskSectors: number): boolean {
  if (!hasBootSignature(sector)) return false;
  const entries = allEntries(sector);
  if (entries.some(({ status }) => status !== 0 && status !== STATUS_ACTIVE)) return false;
  const used = entries.filter(({ count }) => count !== 0);
  const isPlausible = ({ start }: Entry): boolean => start >= 1 && start < diskSectors;
  if (isVolumeBootSector(sector)) return used.length > 0 && used.every(isPlausible);
  return used.length === 0 || used.some(isPlausible);
}

/** OEM names at byte 3 of volumes that a table never has. */
const VOLUME_NAMES = new Set(['NTFS    ', 'EXFAT   ', '-FVE-FS-', 'ReFS\0\0\0\0']);

function isVolumeBootSector(sector: Uint8Array): boolean {
  const name = String.fromCharCode(...sector.subarray(3, 11));
  return VOLUME_NAMES.has(name) || isFatBootSector(sector);
}

/** The checks of Linux' FAT driver, on the fields every FAT has. */
function isFatBootSector(sector: Uint8Array): boolean {
  const at = (offset: number): number => sector[offset] ?? 0;
  const bytesPerSector = at(11) + at(12) * 256;
  const reservedSectors = at(14) + at(15) * 256;
  const media = at(21);
  return (
    (at(0) === 0xeb || at(0) === 0xe9) &&
    isPowerOfTwo(bytesPerSector) &&
    bytesPerSector >= 512 &&
    bytesPerSector <= 4096 &&
    isPowerOfTwo(at(13)) &&
    reservedSectors > 0 &&
    (at(16) === 1 || at(16) === 2) &&
    (media === 0xf0 || media >= 0xf8)
  );
}
