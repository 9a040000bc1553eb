/**
 * The registry hive. Sources: M. Suhanov's public specification "Windows registry file format", and the hives of
 * Windows 7 to 10 that the tests read.
 */
import { ascii, u16le, u32le, u64le } from '../../codec/fields.js';
import { defineLayout } from '../../codec/layout.js';

export const BASE_BLOCK_BYTES = 4096;
export const HIVE_MAGIC = 'regf';
/** The part of the base block that is protected by the checksum, and the checksum itself. */
export const CHECKED_DWORDS = 127;

export const BASE_BLOCK = defineLayout('registry base block', BASE_BLOCK_BYTES, {
  magic: { at: 0x00, type: ascii(4) },
  primarySequence: { at: 0x04, type: u32le },
  secondarySequence: { at: 0x08, type: u32le },
  lastWritten: { at: 0x0c, type: u64le },
  majorVersion: { at: 0x14, type: u32le },
  minorVersion: { at: 0x18, type: u32le },
  /** 0: a hive; others are transaction logs. */
  fileType: { at: 0x1c, type: u32le },
  rootCell: { at: 0x24, type: u32le },
  binsBytes: { at: 0x28, type: u32le },
  checksum: { at: 0x1fc, type: u32le },
});

/** Of a cell: a signed size, negative when the cell is in use. */
export const CELL_HEADER_BYTES = 4;
/** Cells begin at multiples of this. */
export const CELL_ALIGNMENT = 8;

export const KEY_NODE = defineLayout('registry key', 0x4c, {
  magic: { at: 0x00, type: ascii(2) },
  flags: { at: 0x02, type: u16le },
  subkeyCount: { at: 0x14, type: u32le },
  subkeyList: { at: 0x1c, type: u32le },
  valueCount: { at: 0x24, type: u32le },
  valueList: { at: 0x28, type: u32le },
  nameBytes: { at: 0x48, type: u16le },
});
/** Key flag: the name is one byte a letter. */
export const KEY_NAME_COMPRESSED = 0x0020;

export const VALUE = defineLayout('registry value', 0x14, {
  magic: { at: 0x00, type: ascii(2) },
  nameBytes: { at: 0x02, type: u16le },
  size: { at: 0x04, type: u32le },
  data: { at: 0x08, type: u32le },
  type: { at: 0x0c, type: u32le },
  flags: { at: 0x10, type: u16le },
});
/** Value flag: the name is one byte a letter. */
export const VALUE_NAME_COMPRESSED = 0x0001;
/** In the size of a value: the data, of four bytes at the most, stands in the field `data`. */
export const INLINE_DATA = 0x8000_0000;
export const INLINE_DATA_AT = 0x08;
export const INLINE_DATA_MAX = 4;

export const LIST_HEADER = defineLayout('registry list', 4, {
  magic: { at: 0x00, type: ascii(2) },
  count: { at: 0x02, type: u16le },
});
/** Bytes of an entry of each kind of subkey list; an entry begins with the cell it means. */
export const SUBKEY_ENTRY_BYTES: Readonly<Record<string, number>> = { li: 4, lf: 8, lh: 8 };
export const LIST_OF_LISTS = 'ri';

export const BIG_DATA = defineLayout('registry big data', 8, {
  magic: { at: 0x00, type: ascii(2) },
  count: { at: 0x02, type: u16le },
  list: { at: 0x04, type: u32le },
});
export const BIG_DATA_MAGIC = 'db';
/** Data longer than this is cut into segments of this length, since version 1.4. */
export const SEGMENT_BYTES = 16344;
export const BIG_DATA_MINOR_VERSION = 4;
