import type { PartitionKind } from '../inspect/types.js';

/** A partition as rules and recommendations look at it: as the JSON of `scan` shows it. Sizes and places are bytes. */
export interface SubjectPartition {
  readonly number: number;
  readonly kind: PartitionKind;
  readonly type: string;
  readonly startLba: number;
  readonly sectorCount: number;
  readonly startBytes: number;
  readonly sizeBytes: number;
  readonly filesystem: {
    readonly kind: string;
    readonly label: string | null;
    readonly clusterBytes: number | null;
    readonly totalBytes: number | null;
    readonly usedBytes: number | null;
    readonly minimumBytes: number | null;
    /** Whether this program can resize such a file system. */
    readonly canShrink: boolean;
    readonly canEnlarge: boolean;
  } | null;
}

/** A disk as rules and recommendations look at it. */
export interface Subject {
  readonly path: string;
  readonly sizeBytes: number;
  readonly allocatedBytes: number | null;
  readonly sectorSize: number;
  readonly table: 'mbr' | 'gpt' | 'none';
  readonly state: 'ready' | 'refused' | 'damaged' | 'interrupted';
  readonly vm: { readonly name: string; readonly guestOs: string | null } | null;
  /** The operating system found on the disk. */
  readonly guest: { readonly os: 'windows' | 'linux'; readonly name: string | null } | null;
  readonly partitions: readonly SubjectPartition[];
}

/** What a profile decides. Each number of a recommendation follows from these and from the disk. */
export interface Settings {
  /** Free space a file system keeps, in percent of its new size: 0 to below 100. */
  readonly freePercent: number;
  /** Free space it keeps at least, in bytes. The larger of the two counts. */
  readonly freeBytes: number;
  /** What its use grows by in a month, in bytes; `measured`: as earlier scans in the history show. */
  readonly growthPerMonth: number | 'measured';
  /** For how many months it shall have room to grow. */
  readonly growthMonths: number;
  /** What starts should be a multiple of, in bytes. */
  readonly boundaryBytes: number;
  /** Partitions that are not aligned. */
  readonly doNotAlign: readonly number[];
  /** Partitions that are neither moved nor resized: numbers, or patterns of labels. */
  readonly untouched: readonly (number | string)[];
  readonly shrink: boolean;
  readonly enlarge: boolean;
  readonly align: boolean;
  readonly zero: boolean;
  /** A file system is only resized by this many bytes or more ... */
  readonly worthBytes: number;
  /** ... that are also this share of its partition, in percent. */
  readonly worthPercent: number;
}

export type SettingName = keyof Settings;

/** Where a setting comes from, as `plan --explain` says it: `built-in`, `defaults`, `category web-servers` ... */
export type Sources = Readonly<Record<SettingName, string>>;

/** Settings with the rule that gave each. */
export interface Resolved {
  readonly settings: Settings;
  readonly sources: Sources;
}

/** One layer of settings; what it leaves out comes from the layers below it. */
export interface Layer {
  readonly source: string;
  readonly settings: Partial<Settings>;
}

/** Conditions of a category: all that are there must hold, and of each list any one. Patterns know `*` and `?`. */
export interface Match {
  readonly guestOs?: readonly string[];
  readonly vm?: readonly string[];
  readonly datastore?: readonly string[];
  readonly folder?: readonly string[];
  readonly label?: readonly string[];
  /** Size of the disk in bytes, both ends included. */
  readonly minimumDiskBytes?: number;
  readonly maximumDiskBytes?: number;
}

/** A named group of disks and what is decided for it. */
export interface Category {
  readonly name: string;
  readonly description: string;
  /** Null: only by name. */
  readonly match: Match | null;
  /** Names of virtual machines, or paths of disks, that belong to it whatever else matches. */
  readonly attach: readonly string[];
  readonly settings: Partial<Settings>;
}

/** The rules of an administrator. */
export interface Profile {
  readonly defaults: Partial<Settings>;
  readonly guests: Readonly<Partial<Record<GuestFamily, Partial<Settings>>>>;
  readonly categories: readonly Category[];
}

export type GuestFamily = 'windows' | 'linux' | 'other';
