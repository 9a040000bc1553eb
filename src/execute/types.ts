import type { Reason } from '../core/errors.js';
import type { DiskFacts } from '../inspect/types.js';
import type { Plan, PlannedFixup } from '../plan/types.js';

/** What a run comes to; known when its program is compiled. */
export interface RunTotals {
  readonly phases: number;
  readonly bytesToCopy: number;
  readonly bytesToDiscard: number;
  /** Bytes of the largest phase that spills: size of a spill slot. */
  readonly spillBytes: number;
  /** Bytes that the largest phase writes to new blocks while the journal shares the old ones. */
  readonly sharedBytes: number;
}

/** A file that holds bytes of the disk, as the run found it. */
export interface RunExtent {
  readonly path: string;
  readonly sizeBytes: number;
  readonly inode: string;
}

/** What a file is to the disk; each is put back in its own way. */
export type SafetyRole = 'extent' | 'descriptor' | 'change-tracking' | 'vmx';

/** A file beside the disk, and its copy in the run folder that shares its blocks. */
export interface SafetyFile {
  readonly role: SafetyRole;
  /** As in `extents`: relative to the folder of the disk where it lies there. */
  readonly file: string;
  /** Name in the run folder. */
  readonly copy: string;
  /** Of the file before the run, and so of the copy. */
  readonly sizeBytes: number;
  /** Of the copy. */
  readonly inode: string;
}

/** By what a volume is known again that nobody has written to. */
export interface VolumeStamp {
  readonly number: number;
  /** CRC-32 of the beginning of the volume and of the list of what it uses. */
  readonly crc: number;
}

/** `run.json`: what a run is about. */
export interface RunHeader {
  readonly formatVersion: 1;
  readonly runId: string;
  readonly version: string;
  readonly startedAt: string;
  /** The disk as the user called it. */
  readonly disk: string;
  readonly extents: readonly RunExtent[];
  readonly plan: Plan;
  /** The disk before the run, without the raw sectors of its tables: for the promise and the report at the end. */
  readonly facts: DiskFacts;
  /** Bytes that resized file systems use after the run, as the rehearsal found them: part of the promise. */
  readonly usedAfter: readonly { readonly number: number; readonly usedBytes: number | null }[];
  /** Of the volumes that the run works on, as it found them; missing in runs of older versions. */
  readonly stamps?: readonly VolumeStamp[];
  readonly fixups: readonly PlannedFixup[];
  readonly warnings: readonly Reason[];
  readonly totals: RunTotals;
  /** Of `--safety-copy`: everything that the run changes, as it was before. */
  readonly safetyCopy?: readonly SafetyFile[];
}

/** What has been done so far; part of every checkpoint. */
export interface Counters {
  readonly bytesCopied: number;
  readonly bytesWritten: number;
  readonly bytesDiscarded: number;
}

/** Where a run stands: all phases before `phase` are durable. */
export interface Checkpoint extends Counters {
  readonly sequence: number;
  readonly phase: number;
  /** Where the record of that phase begins in the program. */
  readonly offset: number;
  /** A phase that changes the disk may have begun: the run can no longer be dropped. */
  readonly started: boolean;
  /** The changed disk was inspected and is what the plan promised. */
  readonly verified: boolean;
  /** The sources of `phase` are whole in the file `clone`, and are to be read from there. */
  readonly cloned?: true | undefined;
  /**
   * The disk is being put back from its safety copy, and the program must never go on; `done`: it is, and only the
   * descriptor and the run folder are left to be cleared up.
   */
  readonly restore?: 'begun' | 'done';
}
