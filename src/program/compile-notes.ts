import { internalError, type Reason } from '../core/errors.js';
import type { LayoutPartition, PlannedFixup } from '../plan/types.js';

/** What compiling found out on the way, for the report. */
export interface CompileNotes {
  readonly fixups: PlannedFixup[];
  readonly warnings: Reason[];
  /** Of `zero`: bytes that each area of the plan comes to. */
  readonly cleared: number[];
}

/** The partition of that number in a layout; Internal when it is missing: layouts of a plan hold the same ones. */
export function partitionOf(partitions: readonly LayoutPartition[], number: number): LayoutPartition {
  const found = partitions.find((partition) => partition.number === number);
  if (found === undefined) throw internalError('layout', `partition ${number} is missing in the plan`);
  return found;
}
