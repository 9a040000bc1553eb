import type { Reason } from '../core/errors.js';
import type { Store } from '../device/store.js';
import type { BlockDevice } from '../device/types.js';
import type { VmdkDescriptor } from '../formats/vmdk/index.js';

/** One file that holds bytes of the disk. */
export interface DiskExtent {
  readonly path: string;
  readonly sizeBytes: number;
  readonly inode: string;
  /** Where its first byte lies on the disk. */
  readonly diskOffset: number;
}

/** The virtual machine a disk belongs to, as its .vmx tells; text cleaned of control characters. */
export interface VmFacts {
  readonly name: string;
  readonly guestOs: string | null;
  readonly path: string;
  /** Names of its other disks, as the .vmx has them. */
  readonly otherDisks: readonly string[];
}

/** A disk found at a path, before its content is looked at. */
export interface DiskSource {
  readonly store: Store;
  /** What the user calls it: the descriptor, or the bare flat file. */
  readonly path: string;
  /** The descriptor's createType; `raw` for a bare flat file. */
  readonly createType: string;
  readonly descriptor: {
    readonly path: string;
    readonly bytes: Uint8Array;
    readonly parsed: VmdkDescriptor;
  } | null;
  readonly extents: readonly DiskExtent[];
  readonly sizeBytes: number;
  readonly allocatedBytes: number | null;
  readonly vm: VmFacts | null;
  /** Change tracking file that must go when the disk changes, with the .vmx keys that name it. */
  readonly changeTracking: { readonly path: string } | null;
  /** Why this disk must not be changed: snapshots, sparse formats, locks, links outside. Empty: nothing known. */
  readonly reasons: readonly Reason[];
  /** Worth saying, stops nothing. */
  readonly warnings: readonly Reason[];
}

/** A disk with its bytes at hand. */
export interface Disk {
  readonly source: DiskSource;
  readonly device: BlockDevice;
}
