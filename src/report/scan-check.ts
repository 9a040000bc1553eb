import { MIB } from '../core/units.js';
import { EXIT_CODES, EXIT_DONE, EXIT_FINDINGS, exitCodeOf } from './error.js';
import type { DiskDocument, PartitionDocument, ScanDocument } from './scan-json.js';

/**
 * Less than this on a disk is no finding: a tail of a few MiB is what partitioning tools leave for their own
 * boundaries, and no operator stops a virtual machine for it.
 */
export const RECLAIM_FINDING_BYTES = 64 * MIB;

/** One thing that `scan --check` reports. */
export interface Finding {
  readonly path: string;
  readonly kind: 'misaligned' | 'reclaimable';
  /** The misaligned partition; null for space to reclaim, which is the disk's. */
  readonly partition: number | null;
}

/** Everything `scan --check` finds: the one place that says what a finding is. */
export function findingsOf(document: ScanDocument): Finding[] {
  return document.disks.flatMap((disk) => {
    const misaligned: Finding[] = disk.partitions
      .filter((partition) => !partition.aligned)
      .map((partition) => ({ path: disk.path, kind: 'misaligned', partition: partition.number }));
    if (disk.reclaimableBytes < RECLAIM_FINDING_BYTES) return misaligned;
    return [...misaligned, { path: disk.path, kind: 'reclaimable', partition: null }];
  });
}

export interface ScanExit {
  /** `--check`: findings decide when nothing failed. */
  readonly check: boolean;
  /** What was thrown while scanning; their families are not in the document. */
  readonly failures?: readonly unknown[];
}

/** Which exit code wins when several disks failed: bugs and broken stores before what a disk holds. */
const WORST_FIRST = (
  ['internal', 'device', 'damaged', 'verify', 'conflict', 'interrupted', 'refused', 'usage'] as const
).map((family) => EXIT_CODES[family]);

/** Its tables, or what `--deep` found in a volume. */
function isDamaged({ state, partitions }: DiskDocument): boolean {
  const isFound = ({ deep }: PartitionDocument) =>
    deep?.findings.some(({ severity }) => severity === 'damage');
  return state === 'damaged' || partitions.some(isFound);
}

/**
 * The exit code of a scan. A disk that could not be read, or is damaged, is never passed over in silence:
 * it wins over findings. A disk that is merely refused for changes was scanned well.
 */
export function scanExitCode(document: ScanDocument, { check, failures = [] }: ScanExit): number {
  const codes = new Set(failures.map(exitCodeOf));
  if (document.disks.some(isDamaged)) codes.add(EXIT_CODES.damaged);
  // A failure that only the document tells of: the disk was not read, whatever the reason.
  if (document.errors.length > 0 && failures.length === 0) codes.add(EXIT_CODES.device);
  const worst = WORST_FIRST.find((code) => codes.has(code));
  if (worst !== undefined) return worst;
  return check && findingsOf(document).length > 0 ? EXIT_FINDINGS : EXIT_DONE;
}
