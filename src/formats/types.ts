import type { Reason } from '../core/errors.js';
import type { ByteRange } from '../core/range.js';
import type { Lba } from '../core/units.js';
import type { Reader } from '../device/types.js';

/** A metadata patch. Offsets are bytes of the structure's own device: the disk for tables, the volume for volumes. */
export interface MetadataWrite {
  readonly at: number;
  readonly bytes: Uint8Array;
  /** What it is, for the plan and the trace: `backup boot sector`. */
  readonly why: string;
}

export type FilesystemState = 'clean' | 'dirty' | 'hibernated' | 'needs-recovery' | 'damaged' | 'unknown';

/** What inspect found out about one volume. Sizes are bytes; null where the format does not tell. */
export interface FilesystemFacts {
  /** `ntfs`, `ext4`, `swap`, `lvm2-pv` ...: lower case, the field's own name. */
  readonly kind: string;
  readonly label: string | null;
  /** Serial number or UUID as people write it. */
  readonly serial: string | null;
  readonly clusterBytes: number | null;
  /** Size the file system itself claims: may be less than the partition, and is damage when it is more. */
  readonly totalBytes: number | null;
  readonly usedBytes: number | null;
  readonly freeBytes: number | null;
  readonly minimumBytes: number | null;
  readonly state: FilesystemState;
  /** Everything that stands against changing it, and what to do about each. Empty: nothing. */
  readonly reasons: readonly Reason[];
  readonly move: MoveFacts;
}

export interface MoveFacts {
  /** Why it must not move; empty when it may. Part of `FilesystemFacts.reasons`. */
  readonly blockers: readonly Reason[];
  /** `used`: usedMap tells what to copy. `all`: every byte of the partition is copied. */
  readonly copies: 'used' | 'all';
  /**
   * True when the partition may become larger than the file system. False for what finds itself by the end
   * of its partition (md metadata 0.90 and 1.0) and for everything unknown.
   */
  readonly toleratesLargerPartition: boolean;
}

/** Random access to what a volume uses, so that a right move can go backwards through a 60 TB volume. */
export interface UsedMap {
  /**
   * The parts of [at, at + length) of the volume that a move must copy, sorted, merged. Everything the file
   * system does not claim is left out. Bounded by the size of the window asked for.
   */
  ranges(at: number, length: number): Promise<ByteRange[]>;
}

/** Random access to what a volume has free, for `zero`. */
export interface FreeMap {
  /**
   * The parts of [at, at + length) of the volume that the file system has to give, and nothing else: exact to the
   * byte, sorted, merged. What belongs to nobody, like the bytes behind its end, is not free. Bounded by the window.
   */
  ranges(at: number, length: number): Promise<ByteRange[]>;
}

/** Content in use that the guest makes anew when it starts, so that it may be cleared on request. */
export interface ScratchSpace {
  readonly kind: 'swap' | 'pagefile';
  /**
   * The stretches of the volume that hold it, in any order, none twice; what the guest finds it by is left out.
   * Throws Refused when the content may still be wanted.
   */
  ranges(volume: Reader): AsyncGenerator<ByteRange>;
}

/** Where a volume was and where it goes; all LBAs of the disk, counts in sectors. */
export interface VolumeMove {
  readonly sectorSize: number;
  readonly oldStart: Lba;
  readonly newStart: Lba;
  readonly oldSectorCount: number;
  readonly newSectorCount: number;
  /** For logical partitions: the LBA of the EBR before and after; some formatters count hidden sectors from it. */
  readonly oldEbr: Lba | null;
  readonly newEbr: Lba | null;
}

/** What an edit comes to: bytes to write and sentences for the report. */
export interface VolumeEdit {
  /** Offsets from the start of the volume at its new place. */
  readonly writes: readonly MetadataWrite[];
  readonly fixups: readonly { readonly kind: string; readonly message: string }[];
  readonly warnings: readonly Reason[];
}

/** Bytes of the volume to another place in it. */
export interface VolumeCopy {
  readonly from: number;
  readonly to: number;
  readonly length: number;
}

/**
 * One step of a resize, in bytes of the volume. It obeys the law of phases: no target intersects a source or another
 * target, so a step that was cut off can be run again. Steps run in order, each made durable before the next.
 */
export interface VolumeStep {
  /**
   * `gather` writes only where the old file system has free space: until the first `change` the old volume is
   * whole. A run cut off among `change` must be finished. `release` gives up what nothing refers to any more.
   */
  readonly stage: 'gather' | 'change' | 'release';
  readonly why: string;
  readonly copies: readonly VolumeCopy[];
  readonly writes: readonly MetadataWrite[];
  /** Read as zeros afterwards. */
  readonly discards: readonly ByteRange[];
}

export interface ResizeRequest {
  /** Bytes of the partition afterwards; the file system may need a little less. */
  readonly newSizeBytes: number;
  /** Consent to lose the restore points, when clusters must be moved under them. */
  readonly dropShadowCopies?: boolean;
  /** Leave the volume marked dirty, so that Windows checks it when it starts. */
  readonly scheduleChkdsk?: boolean;
}

/** For each `unitBytes` that a volume grows by, begun ones too, `ownBytes` go to maps and tables. */
export interface GrowthCost {
  readonly unitBytes: number;
  readonly ownBytes: number;
}

/** A resize that was worked out to the end: nothing can refuse any more. Sizes are bytes. */
export interface VolumeResize {
  /** Bytes that are copied inside the volume. */
  readonly relocatedBytes: number;
  readonly totalBytesBefore: number;
  readonly totalBytesAfter: number;
  readonly fixups: VolumeEdit['fixups'];
  readonly warnings: readonly Reason[];
  /**
   * The steps, streamed: memory does not grow with the volume. Reads the volume as it was when the resize was
   * worked out, so the reader must not see the steps being applied. Every call yields the same steps.
   */
  steps(signal?: AbortSignal): AsyncGenerator<VolumeStep>;
  /** Lets go of what the steps are kept in; after this there are none. Absent: there is nothing to let go of. */
  close?(): Promise<void>;
}

/** How small a volume can become. Bytes of the partition. */
export interface MinimumSize {
  /** The smallest size found for which a whole resize was worked out. */
  readonly technicalBytes: number;
  /** The same with the room that the guest needs to start and work. */
  readonly recommendedBytes: number;
  /** The outside program that says so; absent where the resize was worked out here. */
  readonly by?: string;
}

/** One result of a deep check. `damage` stands against every change, a `note` does not. */
export interface DeepFinding extends Reason {
  readonly severity: 'damage' | 'note';
}

/**
 * One file system or container format. Reads through a volume (offset 0 is the first byte of the partition),
 * never writes: edits come back as bytes. See docs/adding-a-filesystem.md.
 */
export interface FilesystemFormat {
  readonly id: string;
  /**
   * Is it this format? `head` holds the first PROBE_BYTES (fewer on a smaller volume); formats that sign the
   * end of the volume read there themselves. Never throws for strange bytes.
   */
  probe(head: Uint8Array, volume: Reader): boolean | Promise<boolean>;
  /** Metadata only: a few hundred KiB at the most, apart from allocation bitmaps. Damaged when it makes no sense. */
  inspect(volume: Reader): Promise<FilesystemFacts>;
  /** Present when MoveFacts.copies can be `used`. */
  usedMap?(volume: Reader): Promise<UsedMap>;
  /** What `zero` may clear, of a clean volume. Throws Refused where clearing it would take something from somebody. */
  freeMap?(volume: Reader): Promise<FreeMap>;
  readonly scratch?: ScratchSpace;
  /** What must change inside the volume when it moves or its partition changes size. */
  onMove?(volume: Reader, move: VolumeMove): Promise<VolumeEdit>;
  /** Works out a smaller volume. Throws Refused, Unsupported or Damaged before anything is written. */
  shrink?(volume: Reader, request: ResizeRequest, signal?: AbortSignal): Promise<VolumeResize>;
  /** Works out a larger volume; the reader may still end where the partition ends today. Throws as shrink does. */
  enlarge?(volume: Reader, request: ResizeRequest, signal?: AbortSignal): Promise<VolumeResize>;
  /** Outside programs that shrink and enlarge it, in the place of the methods above: see resize-tools.ts. */
  readonly resizedBy?: 'e2fsprogs';
  /** What the file system takes for itself when it grows. Absent: nothing that counts. Throws Damaged. */
  growthCost?(volume: Reader): Promise<GrowthCost>;
  /** Throws what shrink would throw at every size. */
  minimumSize?(volume: Reader, signal?: AbortSignal): Promise<MinimumSize>;
  /**
   * Deep check, read-only: throws Damaged at the first contradiction. For formats with usedMap it proves that
   * everything the file system refers to is marked used. Streams: memory does not grow with the volume.
   */
  check?(volume: Reader, signal?: AbortSignal): Promise<void>;
  /** More than `check`, for resized volumes and for people: everything found, in the order of finding. */
  deepCheck?(volume: Reader, signal?: AbortSignal): Promise<DeepFinding[]>;
}

/** Bytes at the start of a volume that probes see. Covers the btrfs superblock at 64 KiB. */
export const PROBE_BYTES = 68 * 1024;
