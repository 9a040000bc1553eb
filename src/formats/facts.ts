import type { Reason } from '../core/errors.js';
import type { FilesystemFacts, FilesystemState } from './types.js';

/** Stands for no UUID at all (RFC 4122, section 4.1.7). */
const NIL_UUID = '00000000-0000-0000-0000-000000000000';

/** What a format knows of a volume; what it leaves out becomes null, empty or the careful default. */
export interface KnownFacts {
  readonly kind: string;
  /** An empty label is no label. */
  readonly label?: string | null;
  readonly serial?: string | null;
  readonly clusterBytes?: number | null;
  readonly totalBytes?: number | null;
  readonly usedBytes?: number | null;
  readonly minimumBytes?: number | null;
  /** Default `unknown`. */
  readonly state?: FilesystemState;
  /** Against changing it in other ways than moving. */
  readonly reasons?: readonly Reason[];
  /** Against moving it; they count as reasons too. */
  readonly blockers?: readonly Reason[];
  /** Default `all`: every byte of the partition is copied. */
  readonly copies?: 'used' | 'all';
  readonly toleratesLargerPartition: boolean;
}

/** Facts in full from what a format knows. Free bytes follow from total and used. */
export function volumeFacts(known: KnownFacts): FilesystemFacts {
  const { totalBytes = null, usedBytes = null, blockers = [], reasons = [] } = known;
  return {
    kind: known.kind,
    label: known.label || null,
    serial: known.serial === NIL_UUID ? null : known.serial || null,
    clusterBytes: known.clusterBytes ?? null,
    totalBytes,
    usedBytes,
    freeBytes: totalBytes === null || usedBytes === null ? null : totalBytes - usedBytes,
    minimumBytes: known.minimumBytes ?? null,
    state: known.state ?? 'unknown',
    reasons: [...blockers, ...reasons],
    move: {
      blockers,
      copies: known.copies ?? 'all',
      toleratesLargerPartition: known.toleratesLargerPartition,
    },
  };
}
