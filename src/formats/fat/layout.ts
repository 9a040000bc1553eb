import { ascii, bytes, u8, u16le, u32le } from '../../codec/fields.js';
import { defineLayout } from '../../codec/layout.js';

/** FAT as in Microsoft's "FAT32 File System Specification" 1.03 (fatgen103), sections "Boot Sector and BPB" and after. */
export const BOOT_SECTOR_SIZE = 512;
export const BOOT_SIGNATURE = 0xaa55;

export const BOOT_SECTOR = defineLayout('FAT boot sector', BOOT_SECTOR_SIZE, {
  jump: { at: 0x00, type: u8 },
  oemName: { at: 0x03, type: ascii(8) },
  bytesPerSector: { at: 0x0b, type: u16le },
  sectorsPerCluster: { at: 0x0d, type: u8 },
  reservedSectors: { at: 0x0e, type: u16le },
  fatCount: { at: 0x10, type: u8 },
  rootEntries: { at: 0x11, type: u16le },
  totalSectors16: { at: 0x13, type: u16le },
  media: { at: 0x15, type: u8 },
  fatSectors16: { at: 0x16, type: u16le },
  hiddenSectors: { at: 0x1c, type: u32le },
  totalSectors32: { at: 0x20, type: u32le },
  signature: { at: 0x1fe, type: u16le },
});

/** What follows the common part in FAT12 and FAT16. */
export const EXTENDED_16 = defineLayout('FAT16 boot sector', BOOT_SECTOR_SIZE, {
  flags: { at: 0x25, type: u8 },
  extendedSignature: { at: 0x26, type: u8 },
  serial: { at: 0x27, type: u32le },
  label: { at: 0x2b, type: ascii(11) },
});

/** What follows the common part in FAT32. */
export const EXTENDED_32 = defineLayout('FAT32 boot sector', BOOT_SECTOR_SIZE, {
  fatSectors32: { at: 0x24, type: u32le },
  mirroring: { at: 0x28, type: u16le },
  rootCluster: { at: 0x2c, type: u32le },
  backupBootSector: { at: 0x32, type: u16le },
  flags: { at: 0x41, type: u8 },
  extendedSignature: { at: 0x42, type: u8 },
  serial: { at: 0x43, type: u32le },
  label: { at: 0x47, type: ascii(11) },
});

/** Without mirroring only one FAT is kept up to date: that of the number in the lowest bits (fatgen103, BPB_ExtFlags). */
export const MIRRORING_OFF = 0x80;
export const ACTIVE_FAT = 0x0f;

/** Serial and label are there. */
export const EXTENDED_SIGNATURE = 0x29;
/** Flags byte: mounted and not unmounted (Windows and Linux). */
export const FLAG_DIRTY = 0x01;

export const DIRECTORY_ENTRY_SIZE = 32;
export const DIRECTORY_ENTRY = defineLayout('FAT directory entry', DIRECTORY_ENTRY_SIZE, {
  name: { at: 0, type: ascii(11) },
  attributes: { at: 11, type: u8 },
  clusterHigh: { at: 20, type: u16le },
  clusterLow: { at: 26, type: u16le },
  size: { at: 28, type: u32le },
});
/** A piece of a long name: 13 UTF-16 units in three places; pieces stand in front of the short entry, last one first. */
export const LONG_NAME = defineLayout('FAT long name entry', DIRECTORY_ENTRY_SIZE, {
  order: { at: 0, type: u8 },
  first: { at: 1, type: bytes(10) },
  checksum: { at: 13, type: u8 },
  second: { at: 14, type: bytes(12) },
  third: { at: 28, type: bytes(4) },
});
/** Order of the piece that comes first on the disk. */
export const LONG_NAME_LAST = 0x40;
export const ENTRY_END = 0x00;
export const ENTRY_DELETED = 0xe5;
export const ATTRIBUTE_LABEL = 0x08;
export const ATTRIBUTE_DIRECTORY = 0x10;
/** Long file names carry this combination. */
export const ATTRIBUTE_LONG_NAME = 0x0f;
