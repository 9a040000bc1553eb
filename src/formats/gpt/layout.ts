import { ascii, guid, size64le, u8, u32le, u64le } from '../../codec/fields.js';
import { type Decoded, defineLayout, type FieldType } from '../../codec/layout.js';

/** UEFI specification, chapter 5 (GUID Partition Table Disk Layout). */
export const GPT_SIGNATURE = 'EFI PART';
/** Where the primary header is, always. */
export const PRIMARY_HEADER_LBA = 1;
/** Bytes every header has; it may be longer, up to a sector. */
export const HEADER_SIZE = 92;
/** Entry sizes are 128 times a power of two. */
export const MIN_ENTRY_SIZE = 128;
/** Nobody writes larger ones; bounds what a damaged header can make us read. */
export const MAX_ENTRY_SIZE = 4096;
/** Usual are 128; sgdisk makes more on request. With the above: 4 MiB of entries at the most. */
export const MAX_ENTRY_COUNT = 1024;

/** What tells a header from other bytes, safe to read from anything. */
export const headerGuardLayout = defineLayout('GPT header', HEADER_SIZE, {
  signature: { at: 0, type: ascii(8) },
  headerSize: { at: 0x0c, type: u32le },
  headerCrc: { at: 0x10, type: u32le },
});

/** A header whose checksum is right: positions beyond 2^53 are Damaged. */
export const headerLayout = defineLayout('GPT header', HEADER_SIZE, {
  headerSize: { at: 0x0c, type: u32le },
  headerCrc: { at: 0x10, type: u32le },
  myLba: { at: 0x18, type: size64le },
  alternateLba: { at: 0x20, type: size64le },
  firstUsable: { at: 0x28, type: size64le },
  lastUsable: { at: 0x30, type: size64le },
  diskGuid: { at: 0x38, type: guid },
  entriesLba: { at: 0x48, type: size64le },
  entryCount: { at: 0x50, type: u32le },
  entrySize: { at: 0x54, type: u32le },
  entriesCrc: { at: 0x58, type: u32le },
});

/** The values of a header. */
export type Header = Decoded<typeof headerLayout>;

/** UTF-16 text up to the first NUL. Only read: names are never changed. */
const utf16 = (size: number): FieldType<string> => ({
  size,
  read: (view, at) => {
    let text = '';
    for (let i = 0; i < size; i += 2) {
      const unit = view.getUint16(at + i, true);
      if (unit === 0) break;
      text += String.fromCharCode(unit);
    }
    return text;
  },
  write: (view, at, value) => {
    for (let i = 0; i < size; i += 2) {
      const unit = value.charCodeAt(i / 2);
      view.setUint16(at + i, Number.isNaN(unit) ? 0 : unit, true);
    }
  },
});

/** The known part of an entry. Both LBAs are inclusive. */
export const entryLayout = defineLayout('GPT entry', MIN_ENTRY_SIZE, {
  typeGuid: { at: 0, type: guid },
  uniqueGuid: { at: 0x10, type: guid },
  firstLba: { at: 0x20, type: size64le },
  lastLba: { at: 0x28, type: size64le },
  attributes: { at: 0x30, type: u64le },
  name: { at: 0x38, type: utf16(72) },
});

/** The parts of an MBR entry that a GPT needs to know about. */
export const mbrEntryLayout = defineLayout('protective MBR entry', 16, {
  type: { at: 4, type: u8 },
  start: { at: 8, type: u32le },
  count: { at: 12, type: u32le },
});
