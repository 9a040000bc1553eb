/** A partition in a record. Sizes and places are bytes. */
export interface RecordedPartition {
  readonly number: number;
  readonly kind: string;
  readonly startLba: number;
  readonly startBytes: number;
  readonly sizeBytes: number;
  readonly aligned: boolean;
  readonly filesystem: string | null;
  readonly label: string | null;
  /** Null where nothing tells. */
  readonly usedBytes: number | null;
}

/** A disk at one time: its size and its partitions. */
export interface RecordedLayout {
  readonly sizeBytes: number;
  readonly partitions: readonly RecordedPartition[];
}

interface RecordedEvent {
  /** Of the record; a newer version may add keys. */
  readonly v: 1;
  /** When it began, as ISO 8601 in UTC. */
  readonly at: string;
  /** User and host that ran the command. */
  readonly by: string;
  /** Version of the program. */
  readonly version: string;
  /** Absolute path or URL of the disk. */
  readonly disk: string;
  readonly vm: string | null;
}

/** One run of a changing command, however it ended. */
export interface RunRecord extends RecordedEvent {
  readonly kind: 'run';
  readonly command: string;
  readonly runId: string | null;
  /** `failed` is whatever ended with an error; `exitCode` and `error` say more. */
  readonly status: 'done' | 'nothing-to-do' | 'dry-run' | 'failed';
  readonly exitCode: number;
  readonly error: { readonly code: string; readonly message: string } | null;
  /** Null when the run ended before the disk was known. */
  readonly before: RecordedLayout | null;
  readonly after: RecordedLayout | null;
  /** Size before less size after; negative when it grew. */
  readonly savedBytes: number;
  readonly bytesCopied: number;
  readonly bytesWritten: number;
  readonly bytesDiscarded: number;
  readonly seconds: number;
  readonly fixups: readonly { readonly kind: string; readonly message: string }[];
  readonly warnings: readonly string[];
  /** Of `run`: what was done to the machine, step by step. */
  readonly steps?: readonly RecordedStep[];
}

/** A step of the run of a machine. */
export interface RecordedStep {
  readonly step: string;
  /** Null: the machine as a whole. */
  readonly disk: string | null;
  readonly status: 'done' | 'skipped' | 'failed';
  readonly message: string;
  readonly seconds: number;
}

/** A disk as a scan found it. */
export interface ScanRecord extends RecordedEvent {
  readonly kind: 'scan';
  readonly state: string;
  readonly allocatedBytes: number | null;
  readonly layout: RecordedLayout;
}

export type HistoryRecord = RunRecord | ScanRecord;
