import type { Reason } from '../core/errors.js';
import type { Lba } from '../core/units.js';
import type { DiskIdentity, PartitionKind } from '../inspect/types.js';

/** What the operator asked for, in the planner's terms. */
export interface LayoutRequest {
  readonly command: 'align' | 'move-extents';
  /** Starts and ends of aligned extents are multiples of this. */
  readonly boundaryBytes: number;
  /** Align to cylinder boundaries instead. */
  readonly cylinders: boolean;
  /** Partition numbers that are not aligned (they may still be pushed by what lies before them). */
  readonly doNotAlign: readonly number[];
  /** Only these partitions are aligned; empty: all. */
  readonly only: readonly number[];
  /** Explicit places, from --to (start only) or from a saved plan (all of it). */
  readonly targets: readonly ExtentTarget[];
  /** Enlarge the disk when its end is in the way. */
  readonly grow: boolean;
  /** Smallest size of the disk afterwards, or null to leave it. */
  readonly diskSizeBytes: number | null;
}

/** Where move-extents is told to put a partition; what is null follows from what is there. */
export interface ExtentTarget {
  readonly number: number;
  readonly startLba: number;
  readonly sectorCount: number | null;
  readonly ebrLba: number | null;
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
  /** Sectors that move: the size before. */
  readonly sectorCount: number;
  readonly direction: 'left' | 'right';
  readonly mode: MoveMode;
  readonly copies: 'used' | 'all';
  /** Bytes a window holds at most: what a crash costs. */
  readonly windowBytes: number;
  /** What is expected to be copied (holes are skipped, small gaps are copied along). */
  readonly bytesToCopy: number;
  readonly estimatedSeconds: number;
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
  /** In the order they are carried out. */
  readonly moves: readonly PlannedMove[];
  readonly fixups: readonly PlannedFixup[];
  readonly warnings: readonly Reason[];
  readonly bytesToCopy: number;
  /** Size of the disk before less the size after; negative when it grows. */
  readonly savedBytes: number;
  readonly estimatedSeconds: number;
}
