import type { Reason, VmreclaimError } from '../core/errors.js';
import type { ByteRange } from '../core/range.js';
import type { Reader } from '../device/types.js';
import type { MetadataWrite } from '../formats/types.js';

/** What a guest finds by position, by name: the kinds of fix-ups, and what can be skipped. */
export const BOOT_FIXUPS = [
  'mounted-devices',
  'bcd',
  'reagent',
  'grub',
  'grub-legacy',
  'lilo',
  'syslinux',
] as const;
export type BootFixup = (typeof BOOT_FIXUPS)[number];

/** One partition, as its guest will find it. LBAs and counts are sectors. */
export interface BootPartition {
  readonly number: number;
  readonly isExtended: boolean;
  /** MBR type as `0x07`, or the GPT type GUID. */
  readonly type: string;
  /** `ntfs`, `fat32`, `ext4` ...; null where nothing recognised it. */
  readonly filesystem: string | null;
  /** Why nothing may be written into the volume: hibernated, not dismounted ... Null: it may. */
  readonly obstacle: Reason | null;
  readonly oldStartLba: number;
  readonly oldSectorCount: number;
  readonly newStartLba: number;
  readonly newSectorCount: number;
  /** The volume before anything is changed, at its old place. */
  readonly before: Reader;
  /** The volume moved and resized, at its new place. */
  readonly after: Reader;
}

/** A disk whose partitions change places. To look at a disk that does not change, old and new are the same. */
export interface BootInput {
  readonly table: 'mbr' | 'gpt' | 'none';
  readonly sectorSize: number;
  /** Disk signature of the MBR (8 hex digits), or the disk GUID. */
  readonly diskId: string | null;
  /** The whole disk before anything is changed, and with everything moved. */
  readonly before: Reader;
  readonly after: Reader;
  readonly partitions: readonly BootPartition[];
}

/** A write at an offset of the volume's new place, or of the disk where `partition` is null. */
export interface BootWrite extends MetadataWrite {
  readonly partition: number | null;
}

export interface BootNote {
  readonly kind: string;
  readonly partition: number | null;
  readonly message: string;
}

/** What has to be written so that the guest still boots, and what is to be said. */
export interface BootEdits {
  readonly writes: readonly BootWrite[];
  readonly fixups: readonly BootNote[];
  readonly warnings: readonly Reason[];
}

/** Something on the disk by which a guest finds sectors or volumes by their position: what a plan needs of it. */
export interface BootReference {
  readonly kind: BootFixup;
  /** Where it is; null: in front of all partitions. */
  readonly partition: number | null;
  /** Names it in messages: `MountedDevices of Windows`. */
  readonly title: string;
  /** Numbers of the partitions whose places it holds; null when that cannot be told. */
  readonly holds: readonly number[] | null;
  /** It holds sectors inside the partitions, so that a resize, which may move files, concerns it too. */
  readonly holdsSectors: boolean;
  /** Bytes of the disk outside all partitions that it needs to stay as they are. */
  readonly outside?: readonly ByteRange[];
  /** What to say when nothing that moves concerns it; null: nothing. */
  readonly safe: string | null;
  /** Why it cannot be changed, if what it holds moves; null: it can. */
  readonly obstacle: Reason | null;
}

/** The same with the means to change it. */
export interface BootSite extends Omit<BootReference, 'obstacle'> {
  readonly obstacle: VmreclaimError | null;
  /** What the writes count from: the volume's first byte, or the disk's, before the change. */
  readonly writesTo: 'volume' | 'disk';
  /**
   * What to write, now that partitions move: an empty list of writes says that it is safe. Throws what stands
   * against it: Refused, Unsupported, Damaged.
   */
  edit(): Promise<SiteEdit>;
}

export interface SiteEdit {
  readonly writes: readonly MetadataWrite[];
  /** What became right; null: nothing, as the warnings say. */
  readonly message: string | null;
  readonly warnings?: readonly Reason[];
}
