import { type Lba, largestPowerOfTwoDividing, lbaToBytes } from '../core/units.js';
import type { PartitionKind } from './types.js';

/** What alignment is judged by: facts and layouts both have it. */
export interface Placed {
  readonly kind: PartitionKind;
  readonly startLba: Lba;
}

/**
 * The one judge of "aligned": tables, JSON, plans and exit codes all ask here. An extended partition is a
 * container that holds no data of its own, so nothing is slower where it starts: it always counts as aligned.
 */
export function isAligned(partition: Placed, boundaryBytes: number, sectorSize: number): boolean {
  return partition.kind === 'extended' || lbaToBytes(partition.startLba, sectorSize) % boundaryBytes === 0;
}

/** The largest power of two, in bytes, that the start of the partition is a multiple of; 0 at the start of the disk. */
export function alignmentBytes(partition: Placed, sectorSize: number): number {
  return largestPowerOfTwoDividing(lbaToBytes(partition.startLba, sectorSize));
}
