import { ascii, size64le, u8, u16le, u32le } from '../../codec/fields.js';
import { defineLayout } from '../../codec/layout.js';

/** exFAT as in Microsoft's "exFAT file system specification", sections 3 (boot regions) and 6 (directories). */
export const BOOT_SECTOR_SIZE = 512;
export const OEM_AT = 3;
export const OEM_NAME = 'EXFAT   ';

export const BOOT_SECTOR = defineLayout('exFAT boot sector', BOOT_SECTOR_SIZE, {
  oemName: { at: OEM_AT, type: ascii(8) },
  partitionOffset: { at: 0x40, type: size64le },
  volumeSectors: { at: 0x48, type: size64le },
  fatSector: { at: 0x50, type: u32le },
  fatSectors: { at: 0x54, type: u32le },
  heapSector: { at: 0x58, type: u32le },
  clusterCount: { at: 0x5c, type: u32le },
  rootCluster: { at: 0x60, type: u32le },
  serial: { at: 0x64, type: u32le },
  flags: { at: 0x6a, type: u16le },
  sectorShift: { at: 0x6c, type: u8 },
  clusterShift: { at: 0x6d, type: u8 },
  signature: { at: 0x1fe, type: u16le },
});
export const BOOT_SIGNATURE = 0xaa55;
/** VolumeFlags: mounted and not unmounted; a medium failure was seen. */
export const FLAGS_NOT_CLEAN = 0x2 | 0x4;

/** Eleven sectors, then one that repeats their checksum; the backup region follows at once. */
export const CHECKSUMMED_SECTORS = 11;
export const REGION_SECTORS = 12;
/** Flags (2 bytes) and PercentInUse change while mounted: the checksum leaves them out. */
export const NOT_CHECKSUMMED: ReadonlySet<number> = new Set([0x6a, 0x6b, 0x70]);

export const ENTRY_SIZE = 32;
export const ENTRY_END = 0x00;
export const ENTRY_BITMAP = 0x81;
export const ENTRY_LABEL = 0x83;
/** First of the two allocation bitmaps that TexFAT knows: bit 0 of the flags of its entry is 0. */
export const BITMAP_ENTRY = defineLayout('exFAT allocation bitmap entry', ENTRY_SIZE, {
  flags: { at: 1, type: u8 },
  firstCluster: { at: 20, type: u32le },
  lengthBytes: { at: 24, type: size64le },
});
export const LABEL_ENTRY = defineLayout('exFAT volume label entry', ENTRY_SIZE, {
  characters: { at: 1, type: u8 },
});
export const LABEL_TEXT_AT = 2;
export const LABEL_CHARACTERS_MAX = 11;
