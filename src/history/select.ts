import type { HistoryRecord } from './types.js';

/** Which records are wanted; what is absent does not restrict. */
export interface HistoryQuery {
  /** A disk, or a folder: all disks below it. */
  readonly disk?: string;
  /** Name of a virtual machine. */
  readonly vm?: string;
  /** ISO 8601 in UTC: not before, and before. */
  readonly since?: string;
  readonly until?: string;
  /** Scans too, not only runs. */
  readonly scans: boolean;
}

/** Is the record one of those asked for? */
export function isWanted(record: HistoryRecord, query: HistoryQuery): boolean {
  const { disk, vm, since, until, scans } = query;
  return (
    (scans || record.kind === 'run') &&
    (disk === undefined || record.disk === disk || record.disk.startsWith(`${disk}/`)) &&
    (vm === undefined || record.vm === vm) &&
    (since === undefined || record.at >= since) &&
    (until === undefined || record.at < until)
  );
}

/** The latest records of any number, in the order they were offered; memory does not grow beyond the limit. */
export class Latest<T> {
  private readonly kept: T[] = [];
  private offered = 0;

  constructor(private readonly limit: number) {}

  add(value: T): void {
    this.kept[this.offered % this.limit] = value;
    this.offered++;
  }

  /** How many were offered and not kept. */
  get leftOut(): number {
    return Math.max(0, this.offered - this.limit);
  }

  /** Oldest first. */
  values(): T[] {
    const first = this.offered > this.limit ? this.offered % this.limit : 0;
    return [...this.kept.slice(first), ...this.kept.slice(0, first)];
  }
}
