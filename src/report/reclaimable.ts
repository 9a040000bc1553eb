import { sum } from '../core/sum.js';
import type { DiskFacts, PartitionFacts } from '../inspect/types.js';

/** The smallest safe size: as it was worked out, else as the file system's own numbers suggest. */
export const minimumOf = ({ filesystem, resizing }: PartitionFacts): number | null =>
  resizing?.minimum?.recommendedBytes ?? filesystem?.minimumBytes ?? null;

/**
 * Bytes that shrinking every file system to its minimum and cutting the disk behind the last partition could
 * give back: an upper bound, before anything is planned. Nothing is promised of a disk whose layout is not
 * known (damaged, interrupted, without a partition table) or that holds no partition to measure from. A
 * refused disk counts: what stands against it can usually be cleared.
 */
export function reclaimableBytes(facts: DiskFacts): number {
  const known = facts.state === 'ready' || facts.state === 'refused';
  if (!known || facts.table === 'none' || facts.partitions.length === 0) return 0;
  const inside = facts.partitions.map((partition) => shrinkableBytes(partition, facts.sectorSize));
  const ends = facts.partitions.map((partition) => partition.startLba + partition.sectorCount);
  const behind = facts.usable.end - ends.reduce((last, end) => Math.max(last, end));
  return sum(inside) + Math.max(0, behind) * facts.sectorSize;
}

function shrinkableBytes(partition: PartitionFacts, sectorSize: number): number {
  const minimum = minimumOf(partition);
  return minimum === null ? 0 : Math.max(0, partition.sectorCount * sectorSize - minimum);
}
