import type { GuestFacts } from '../boot/guest.js';
import type { BootReference } from '../boot/types.js';
import type { Reason } from '../core/errors.js';
import type { Lba } from '../core/units.js';
import type { VmFacts } from '../disk/types.js';
import type { GptTable } from '../formats/gpt/index.js';
import type { Geometry, MbrTable } from '../formats/mbr/index.js';
import type {
  DeepFinding,
  FilesystemFacts,
  GrowthCost,
  MinimumSize,
  ScratchSpace,
} from '../formats/types.js';

export type PartitionKind = 'primary' | 'extended' | 'logical' | 'gpt';

export interface PartitionFacts {
  /** What Linux shows: MBR slots 1 to 4, logicals from 5, GPT slot + 1. */
  readonly number: number;
  readonly kind: PartitionKind;
  /** MBR type byte as `0x07`, or the GPT type GUID. */
  readonly type: string;
  /** `NTFS/exFAT/HPFS`, `EFI system` ...; the type itself where it has no name. */
  readonly typeName: string;
  readonly active: boolean;
  readonly startLba: Lba;
  readonly sectorCount: number;
  /** Logical partitions: where their EBR is. */
  readonly ebrLba: Lba | null;
  /** Null for the extended partition and for what nothing recognises. */
  readonly filesystem: FilesystemFacts | null;
  /** What this program can do about its size; absent where nothing is recognised. */
  readonly resizing?: ResizingFacts;
  /** What of it this program could clear; absent where nothing is recognised. */
  readonly clearing?: ClearingFacts;
  /** What the deep check found; absent where it was not asked for, or the format has none. */
  readonly findings?: readonly DeepFinding[];
}

export interface ClearingFacts {
  /** Its free space can be told from the rest. */
  readonly free: boolean;
  /** It has content that the guest makes anew when it starts. */
  readonly scratch: ScratchSpace['kind'] | null;
}

/** What stands against a resize, and in which family of errors it is. */
export interface Blocker extends Reason {
  readonly family: 'refused' | 'damaged' | 'unsupported';
}

export interface ResizingFacts {
  readonly canShrink: boolean;
  readonly canEnlarge: boolean;
  /** Worked out on the volume; null where that was not asked for, or `blocker` says why there is none. */
  readonly minimum: MinimumSize | null;
  /** Stands against every shrink. */
  readonly blocker: Blocker | null;
  /** What growing costs it; absent where nobody asked. */
  readonly growthCost?: GrowthCost;
  /** Stands against every enlargement; absent: nothing is known to. */
  readonly enlargeBlocker?: Blocker;
}

/** Everything the planner may know about a disk. Made by inspect, of real disks and of overlays alike. */
export interface DiskFacts {
  readonly path: string;
  readonly createType: string;
  readonly sizeBytes: number;
  readonly allocatedBytes: number | null;
  readonly sectorSize: number;
  readonly table: 'mbr' | 'gpt' | 'none';
  readonly mbr: MbrTable | null;
  readonly gpt: GptTable | null;
  /** Heads and sectors per track that cylinders are counted with: as the table's entries tell, else the descriptor. */
  readonly geometry: Geometry;
  /** Sectors partitions may occupy: [first, end). */
  readonly usable: { readonly first: Lba; readonly end: Lba };
  readonly partitions: readonly PartitionFacts[];
  /** The operating system on it; null where none was recognised, or nobody looked. */
  readonly guest: GuestFacts | null;
  /** What its guest finds by position; empty unless inspected for a change, or for the guest. */
  readonly boot: readonly BootReference[];
  readonly identity: DiskIdentity;
  readonly vm: VmFacts | null;
  /** Change tracking is on: it must be dropped by a change. */
  readonly changeTracking: boolean;
  /** Copies inside the disk can be left to the store, which may share blocks instead. */
  readonly storeCopies: boolean;
  /** Longest window of a journaled move; null: as the planner likes. Bytes. */
  readonly windowBytes: number | null;
  /** Ranges that are multiples of this can be shifted inside the disk without copying; null: not on this store. Bytes. */
  readonly shiftBlockBytes: number | null;
  /** Another file of the store can share blocks of the disk, and there is room to write a part of it to new ones. */
  readonly sharesBlocks: boolean;
  /** The descriptor says that VMFS keeps blocks for this disk only where something was written. */
  readonly thinOnVmfs: boolean;
  readonly state: 'ready' | 'refused' | 'damaged' | 'interrupted';
  /** Why no change is possible (state `refused`, `damaged`, `interrupted`). */
  readonly reasons: readonly Reason[];
  readonly warnings: readonly Reason[];
}

/** Ties a plan to a disk: what must still be the same when the plan is carried out. */
export interface DiskIdentity {
  readonly sizeBytes: number;
  /** Content id of the descriptor, null for a bare flat file. */
  readonly contentId: string | null;
  /** MBR disk signature as 8 hex digits, or the GPT disk GUID; null without a table. */
  readonly diskId: string | null;
  /** CRC-32 over all sectors of the partition tables. */
  readonly tableChecksum: number;
}
