import type { RecordedLayout, RunRecord } from '../../history/types.js';
import { costOf } from './cost.js';
import type { Cost, DoneRow } from './types.js';

/** What was really done to the disks of a scan, the latest first. */
export function doneRows(
  runs: readonly RunRecord[],
  disks: ReadonlySet<string>,
  cost: Cost | null,
): DoneRow[] {
  return runs
    .filter(({ status, disk }) => status === 'done' && disks.has(disk))
    .flatMap((run) => {
      const { at, command, disk, vm, before, after, savedBytes, seconds, by } = run;
      if (before === null || after === null) return [];
      return [
        {
          at,
          command,
          disk,
          vm,
          beforeBytes: before.sizeBytes,
          afterBytes: after.sizeBytes,
          savedBytes,
          savedCost: costOf(savedBytes, cost),
          misalignedBefore: misaligned(before),
          misalignedAfter: misaligned(after),
          seconds,
          by,
        },
      ];
    })
    .sort((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : 0));
}

const misaligned = ({ partitions }: RecordedLayout): number =>
  partitions.filter(({ aligned }) => !aligned).length;
