import type { RunRecord } from '../../history/types.js';
import type { Advice, AdviceAction, AdviceFinding } from '../../profile/advise.js';
import type { Subject } from '../../profile/types.js';
import type { MapDisk } from '../map-segments.js';
import type { DatastoreDocument, ReasonDocument, ScanDocument, ScanSort } from '../scan-json.js';

/** What space is worth. */
export interface Cost {
  readonly perGib: number;
  /** ISO 4217 code, as it was given; null: a number without a unit. */
  readonly currency: string | null;
}

export interface OverviewInput {
  readonly scan: ScanDocument;
  /** What is recommended for each disk: the same function that scan and plan ask. */
  readonly advise: (disk: Subject) => Advice;
  /** What was done to disks, oldest first. Runs of other disks are left out. */
  readonly runs: readonly RunRecord[];
  readonly cost: Cost | null;
  readonly sort: ScanSort;
  /** When, as ISO 8601. */
  readonly generatedAt: string;
}

/** What every row of disks counts. Bytes; money in the currency of the overview, null without a price. */
export interface Amounts {
  readonly disks: number;
  readonly partitions: number;
  readonly misaligned: number;
  readonly sizeBytes: number;
  readonly usedBytes: number;
  /** Free inside file systems that tell. */
  readonly freeBytes: number;
  readonly reclaimableBytes: number;
  /** What the recommendation gives back, and what it takes. */
  readonly savedBytes: number;
  readonly growthBytes: number;
  readonly plannedBytes: number;
  readonly savedCost: number | null;
}

/** A virtual machine, or a disk that belongs to none. */
export interface VmRow extends Amounts {
  readonly name: string;
  /** The .vmx, or the disk. */
  readonly path: string;
  readonly guestOs: string | null;
  readonly folder: string;
  /** Free of what file systems hold, in percent with one decimal; null where nothing tells. */
  readonly freePercent: number | null;
  readonly alignment: 'aligned' | 'misaligned' | 'unknown';
  /** The worst of its disks. */
  readonly state: ScanDocument['disks'][number]['state'];
  readonly findings: readonly AdviceFinding[];
  readonly actions: readonly AdviceAction[];
  readonly categories: readonly string[];
  readonly growthPerMonth: number | null;
  readonly monthsLeft: number | null;
}

/** A file system that holds disks. */
export interface DatastoreRow extends DatastoreDocument {
  /** Sum of the sizes of its disks: thin ones may promise more than there is. */
  readonly diskBytes: number;
  readonly reclaimableBytes: number;
  readonly savedBytes: number;
  readonly savedCost: number | null;
}

/** What the recommendations come to below one folder. */
export interface SavingRow extends Amounts {
  readonly folder: string;
  /** The part of `savedBytes` that has to wait until a reason for refusal is cleared. */
  readonly blockedBytes: number;
}

/** A run that was done. */
export interface DoneRow {
  readonly at: string;
  readonly command: string;
  readonly disk: string;
  readonly vm: string | null;
  readonly beforeBytes: number;
  readonly afterBytes: number;
  readonly savedBytes: number;
  readonly savedCost: number | null;
  readonly misalignedBefore: number;
  readonly misalignedAfter: number;
  readonly seconds: number;
  readonly by: string;
}

/** A disk with what it looks like today and would look like. */
export interface DiskRow {
  readonly path: string;
  readonly vm: string | null;
  readonly state: VmRow['state'];
  readonly reasons: readonly ReasonDocument[];
  readonly actions: readonly AdviceAction[];
  readonly sizeBytes: number;
  readonly plannedBytes: number;
  readonly reclaimableBytes: number;
  readonly partitions: readonly {
    readonly number: number;
    readonly action: string;
    readonly sizeBytes: number;
    readonly wantedBytes: number;
    readonly why: string;
  }[];
  /** What maps draw; left out of the JSON, where scan and the partitions above say it. */
  readonly maps: { readonly today: MapDisk; readonly planned: MapDisk };
}

export interface OverviewTotals extends Amounts {
  readonly vms: number;
  readonly blockedBytes: number;
  readonly doneBytes: number;
  readonly doneCost: number | null;
  readonly errors: number;
}

/** The value of a report: computed once, rendered in every format. */
export interface Overview {
  readonly formatVersion: 1;
  readonly generatedAt: string;
  readonly cost: Cost | null;
  readonly totals: OverviewTotals;
  readonly vms: readonly VmRow[];
  readonly datastores: readonly DatastoreRow[];
  readonly savings: readonly SavingRow[];
  readonly done: readonly DoneRow[];
  readonly disks: readonly DiskRow[];
  readonly errors: ScanDocument['errors'];
}
