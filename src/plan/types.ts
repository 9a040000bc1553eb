import type { BootFixup } from '../boot/types.js';
import type { Reason } from '../core/errors.js';
import { KIB, type Lba } from '../core/units.js';
import type { DiskIdentity, PartitionKind } from '../inspect/types.js';

/** How much of a file system is to be free. Percentages are of its new size. */
export type FreeRule =
  | { readonly kind: 'percent'; readonly percent: number }
  | { readonly kind: 'bytes'; readonly bytes: number }
  /** What is advised: a tenth of the new size, 1 GiB at the least. */
  | { readonly kind: 'default' }
  /** The smallest size that was proven, with the room that the guest needs to start. */
  | { readonly kind: 'minimum' };

/** A size asked for by name. `number` null: the only partition that can be resized. */
export interface WantedSize {
  readonly number: number | null;
  readonly sizeBytes: number;
}

/** What the operator asked for, in the planner's terms. */
export interface LayoutRequest {
  /** `shrink` also packs to the left and cuts the disk, `enlarge` lets the disk grow and moves only what is in the way. */
  readonly command: 'align' | 'move-extents' | 'shrink' | 'enlarge' | 'zero';
  /** Starts and ends of aligned extents are multiples of this. */
  readonly boundaryBytes: number;
  /** Align to cylinder boundaries instead. */
  readonly cylinders: boolean;
  /** Partition numbers that are not aligned (they may still be pushed by what lies before them). */
  readonly doNotAlign: readonly number[];
  /** Partition numbers that neither move nor change their size, whatever the rest needs. */
  readonly pinned: readonly number[];
  /** Only these partitions are aligned (shrink, enlarge: resized; zero: cleared); empty: all. */
  readonly only: readonly number[];
  /** Explicit places, from --to (start only) or from a saved plan (all of it). */
  readonly targets: readonly ExtentTarget[];
  /** Enlarge the disk when its end is in the way. */
  readonly grow: boolean;
  /** Smallest size of the disk afterwards, or null to leave it (shrink: to cut it behind the last partition). */
  readonly diskSizeBytes: number | null;
  /** Sizes of partitions with their file systems; they may get smaller or larger, whatever the command. */
  readonly sizes: readonly WantedSize[];
  /** Sizes all other file systems that can be resized; null: they keep theirs. */
  readonly free: FreeRule | null;
  /** Consent to lose restore points where clusters must be moved under them. */
  readonly dropShadowCopies: boolean;
  /** Leave resized volumes marked dirty, so that the guest checks them. */
  readonly scheduleChkdsk: boolean;
  /** New bytes of a disk that grows: holes where the store has them, or written zeros. */
  readonly allocate: 'sparse' | 'full';
  /** What the guest finds by position and what is left as it is all the same. */
  readonly skipBootFixups: readonly BootFixup[];
  /** Of `zero` only: what is cleared besides free space, and how. */
  readonly zero?: ZeroWish;
}

/** What `zero` is to clear. */
export interface ZeroWish {
  /** Only what no partition holds. */
  readonly gapsOnly: boolean;
  /** Contents of swap partitions too. */
  readonly swap: boolean;
  /** Contents of page files too. */
  readonly pagefile: boolean;
  /** Give blocks back where the store can; false: write zeros. */
  readonly punch: boolean;
}

/** A request that changes nothing: what is not named in `wish` stays. */
export function layoutRequest(wish: Partial<LayoutRequest> & Pick<LayoutRequest, 'command'>): LayoutRequest {
  const { command, ...rest } = wish;
  return {
    command,
    boundaryBytes: 64 * KIB,
    cylinders: false,
    doNotAlign: [],
    pinned: [],
    only: [],
    targets: [],
    grow: false,
    diskSizeBytes: null,
    sizes: [],
    free: null,
    dropShadowCopies: false,
    scheduleChkdsk: false,
    allocate: 'sparse',
    skipBootFixups: [],
    ...rest,
  };
}

/** Where move-extents is told to put a partition; what is null follows from what is there. */
export interface ExtentTarget {
  readonly number: number;
  readonly startLba: number;
  readonly sectorCount: number | null;
  readonly ebrLba: number | null;
  /** The file system follows the new size. */
  readonly resizes?: boolean;
}

export interface LayoutPartition {
  readonly number: number;
  readonly kind: PartitionKind;
  readonly type: string;
  readonly startLba: Lba;
  readonly sectorCount: number;
  /** Logicals: where its EBR is. */
  readonly ebrLba: Lba | null;
  readonly filesystem: string | null;
  readonly label: string | null;
  readonly serial: string | null;
  readonly usedBytes: number | null;
  readonly aligned: boolean;
}

export interface Layout {
  readonly sizeBytes: number;
  readonly partitions: readonly LayoutPartition[];
}

/** How a move stays repeatable: its windows never touch their own source, or are saved to the journal first. */
export type MoveMode = 'direct' | 'journaled';

export interface PlannedMove {
  readonly number: number;
  readonly fromLba: Lba;
  readonly toLba: Lba;
  /** Sectors that move: the smaller one of the sizes before and after. */
  readonly sectorCount: number;
  readonly direction: 'left' | 'right';
  readonly mode: MoveMode;
  readonly copies: 'used' | 'all';
  /**
   * `store`: large stretches are copied inside the store as far as it can. `shift`: nothing is copied, the store takes the range
   * in front out of the file and puts it in behind. `program`: read and written.
   */
  readonly copiedBy: 'store' | 'shift' | 'program';
  /** Journaled: the windows that are saved share blocks of the disk instead of being written twice. Else missing. */
  readonly spill?: 'shared';
  /** Bytes a window holds at most: what a crash costs. */
  readonly windowBytes: number;
  /** What is expected to be copied (holes are skipped, small gaps are copied along). */
  readonly bytesToCopy: number;
  readonly estimatedSeconds: number;
}

/** A file system that gets another size. Sizes are bytes of its partition. */
export interface PlannedResize {
  readonly number: number;
  readonly filesystem: string;
  readonly direction: 'shrink' | 'enlarge';
  readonly fromBytes: number;
  readonly toBytes: number;
  /** Bytes that are copied inside the volume; null until the resize was worked out on the disk. */
  readonly relocatedBytes: number | null;
}

/** One kind of unused space, and where. Sizes are bytes. */
export interface ZeroArea {
  /** `gaps`: what no partition holds. `free`: what a file system has free. `swap`, `pagefile`: contents of these. */
  readonly kind: 'gaps' | 'free' | 'swap' | 'pagefile';
  /** Null for `gaps`. */
  readonly number: number | null;
  /** How much there is; null until the disk was asked. */
  readonly bytes: number | null;
  /** What of it is no hole and has to be read; null until the disk was asked. */
  readonly bytesToRead: number | null;
  /** What of it is not zero, in whole windows; null until it was read, which the rehearsal does. */
  readonly bytesToClear: number | null;
}

/** What `zero` looks at and clears. */
export interface ZeroPlan {
  /** Blocks are given back to the store; false: zeros are written. */
  readonly punch: boolean;
  /** In the order they are cleared. */
  readonly areas: readonly ZeroArea[];
  /** Partitions that are left alone, and why. */
  readonly skipped: readonly { readonly number: number; readonly code: string; readonly message: string }[];
}

export interface PlannedFixup {
  readonly kind: string;
  readonly partition: number | null;
  readonly message: string;
}

/** What a person reads, saves and re-runs. Small JSON; see docs/plan-format.md. */
export interface Plan {
  readonly formatVersion: 1;
  readonly command: LayoutRequest['command'];
  readonly disk: {
    readonly path: string;
    readonly createType: string;
    readonly table: 'mbr' | 'gpt' | 'none';
    readonly sectorSize: number;
    readonly identity: DiskIdentity;
  };
  readonly request: LayoutRequest;
  readonly status: 'change' | 'nothing-to-do';
  readonly before: Layout;
  readonly after: Layout;
  /** Shrinking ones come before all moves, enlarging ones after. */
  readonly resizes: readonly PlannedResize[];
  /** In the order they are carried out. */
  readonly moves: readonly PlannedMove[];
  /** Of `zero` only. */
  readonly zero?: ZeroPlan;
  readonly fixups: readonly PlannedFixup[];
  readonly warnings: readonly Reason[];
  readonly bytesToCopy: number;
  /** Size of the disk before less the size after; negative when it grows. */
  readonly savedBytes: number;
  readonly estimatedSeconds: number;
}
