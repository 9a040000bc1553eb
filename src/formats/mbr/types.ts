import type { Reason } from '../../core/errors.js';
import type { Lba } from '../../core/units.js';
import type { ChsAddress } from './layout.js';

/** Heads and sectors per track of the disk, for cylinder/head/sector addresses. */
export interface Geometry {
  readonly heads: number;
  readonly sectorsPerTrack: number;
}

/** A used entry of the MBR or of an EBR. */
export interface MbrPartition {
  /** Slot 1 to 4, or 5 and up for logicals in chain order. */
  readonly number: number;
  readonly kind: 'primary' | 'extended' | 'logical';
  readonly type: number;
  readonly active: boolean;
  /** Absolute, for logicals too. */
  readonly startLba: Lba;
  readonly sectorCount: number;
  /** Logicals: the sector of the extended boot record that describes it. */
  readonly ebrLba: Lba | null;
}

/** One link of the chain that describes the logical partitions. */
export interface ExtendedBootRecord {
  readonly lba: Lba;
  /** The 512 bytes as found. */
  readonly sector: Uint8Array;
  /** Entries (slot 1 to 4) that describe a logical: normally one, none or several in the wild. */
  readonly data: readonly { readonly slot: number; readonly number: number }[];
  /** The entry (slot 1 to 4) that points to the next EBR; null in the last one. */
  readonly linkSlot: number | null;
}

/** An MBR partition table with its chain of EBRs, as found. */
export interface MbrTable {
  /** Disk signature at 0x1B8; Windows and GRUB know the disk by it. */
  readonly signature: number;
  readonly sectorSize: number;
  /** Whole sectors of the disk the table was read from. */
  readonly diskSectors: number;
  /** The 512 bytes of the MBR as found. */
  readonly sector: Uint8Array;
  readonly partitions: readonly MbrPartition[];
  /** In chain order: the link of each leads to the next. Empty without an extended partition. */
  readonly ebrs: readonly ExtendedBootRecord[];
  /** What the CHS fields were calculated with; null when they do not tell. */
  readonly geometry: Geometry | null;
  /** By partition number: what the entry holds in place of an address CHS cannot express. */
  readonly chsOverflow: ReadonlyMap<number, ChsAddress>;
  /** An entry of type EE is there: the disk belongs to a GPT. */
  readonly hybridOrProtective: boolean;
  /** Contradictions. While there are any, the table can be shown but not changed. */
  readonly problems: readonly Reason[];
}

/** Where everything shall be afterwards. LBAs and counts are sectors. */
export interface MbrChange {
  /** For CHS addresses, where the table does not tell its own geometry. */
  readonly geometry: Geometry;
  /** Size of the disk afterwards. */
  readonly diskSectors: number;
  /** The final place of every used slot and every logical, the extended partition included. */
  readonly partitions: ReadonlyMap<number, { readonly startLba: number; readonly sectorCount: number }>;
  /** By logical number: the LBA of its EBR afterwards. */
  readonly ebrs: ReadonlyMap<number, number>;
}
