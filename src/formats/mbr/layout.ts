import { u8, u16le, u32le } from '../../codec/fields.js';
import { type Decoded, defineLayout, type FieldType } from '../../codec/layout.js';

/** Bytes of an MBR or EBR, whatever the sector size of the disk. */
export const BOOT_RECORD_SIZE = 512;
/** 55 AA at 0x1FE, read little-endian. */
export const BOOT_SIGNATURE = 0xaa55;
/** Entries of an MBR and of an EBR. */
export const ENTRIES_PER_RECORD = 4;
/** Where the entries begin. */
export const ENTRIES_AT = 0x1be;
/** Bytes of one entry. */
export const ENTRY_SIZE = 16;

/** An address as the BIOS counts: cylinders and heads from 0, sectors from 1. */
export interface ChsAddress {
  readonly cylinder: number;
  readonly head: number;
  readonly sector: number;
}

/** Three bytes: head; sector in bits 0 to 5 with cylinder bits 8 and 9 above; low byte of the cylinder. */
const chs: FieldType<ChsAddress> = {
  size: 3,
  read: (view, at) => {
    const middle = view.getUint8(at + 1);
    return {
      head: view.getUint8(at),
      sector: middle % 64,
      cylinder: Math.floor(middle / 64) * 256 + view.getUint8(at + 2),
    };
  },
  write: (view, at, { cylinder, head, sector }) => {
    view.setUint8(at, head);
    view.setUint8(at + 1, Math.floor(cylinder / 256) * 64 + sector);
    view.setUint8(at + 2, cylinder % 256);
  },
};

/** The parts of an MBR or EBR outside its entries. An EBR has no disk signature. */
export const bootRecordLayout = defineLayout('master boot record', BOOT_RECORD_SIZE, {
  diskSignature: { at: 0x1b8, type: u32le },
  bootSignature: { at: 0x1fe, type: u16le },
});

/** A partition entry. Start is absolute in the MBR; in an EBR it is relative, see walk.ts. */
export const entryLayout = defineLayout('partition table entry', ENTRY_SIZE, {
  status: { at: 0, type: u8 },
  firstChs: { at: 1, type: chs },
  type: { at: 4, type: u8 },
  lastChs: { at: 5, type: chs },
  start: { at: 8, type: u32le },
  count: { at: 12, type: u32le },
});

/** The values of a partition entry. */
export type Entry = Decoded<typeof entryLayout>;

/** Byte offset of entry `slot` (1 to 4) in its record. */
export const entryOffset = (slot: number): number => ENTRIES_AT + (slot - 1) * ENTRY_SIZE;
