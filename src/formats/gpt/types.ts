import type { Reason } from '../../core/errors.js';
import type { Lba } from '../../core/units.js';

/**
 * What is known about one of the two copies.
 * `bad-crc`: the signature is there, the rest is not to be trusted. `disagrees`: sound, but tells something else
 * than the other copy. `misplaced`: sound, but the backup is not in the last sector (the disk has grown).
 */
export type GptCopyState = 'good' | 'bad-crc' | 'missing' | 'disagrees' | 'misplaced';

/** A used entry. */
export interface GptPartition {
  /** Slot + 1: what Linux shows and EFI boot options refer to. */
  readonly number: number;
  /** Lower case, with dashes. */
  readonly typeGuid: string;
  readonly uniqueGuid: string;
  readonly startLba: Lba;
  /** Inclusive, as stored. */
  readonly lastLba: Lba;
  readonly sectorCount: number;
  readonly attributes: bigint;
  /** Up to the first NUL, not cleaned. */
  readonly name: string;
}

/** One copy of the table as bytes. */
export interface GptCopy {
  readonly headerLba: Lba;
  readonly entriesLba: Lba;
  /** The whole sector of the header. */
  readonly headerSector: Uint8Array;
  /** The whole sectors of the entries. */
  readonly entrySectors: Uint8Array;
}

/** A GUID partition table: the values of the copy that is used, the bytes of both. */
export interface GptTable {
  readonly diskGuid: string;
  readonly sectorSize: number;
  /** Whole sectors of the disk the table was read from. */
  readonly diskSectors: number;
  readonly firstUsable: Lba;
  /** Inclusive, as stored. */
  readonly lastUsable: Lba;
  readonly entryCount: number;
  readonly entrySize: number;
  readonly partitions: readonly GptPartition[];
  readonly primaryState: GptCopyState;
  readonly backupState: GptCopyState;
  /** The copies that are sound; null otherwise. At least one is there. */
  readonly primary: GptCopy | null;
  readonly backup: GptCopy | null;
  /** Sector 0 as found: the protective (or hybrid) MBR, 512 bytes. */
  readonly protectiveMbr: Uint8Array;
  /** Numbers of the partitions that the MBR lists too. Not empty: a hybrid MBR. */
  readonly hybrid: readonly number[];
  /** Contradictions. While there are any, the table can be shown but not changed. */
  readonly problems: readonly Reason[];
}

/** Where everything shall be afterwards, in sectors. */
export interface GptChange {
  /** Size of the disk afterwards. */
  readonly diskSectors: number;
  /** The final place of every used slot. */
  readonly partitions: ReadonlyMap<number, { readonly startLba: number; readonly sectorCount: number }>;
}
