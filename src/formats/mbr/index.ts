import type { Lba } from '../../core/units.js';

/** Heads and sectors per track of the disk, for cylinder/head/sector addresses. */
export interface Geometry {
  readonly heads: number;
  readonly sectorsPerTrack: number;
}

export interface MbrPartition {
  /** Slot 1 to 4, or 5 and up for logicals in chain order. */
  readonly number: number;
  readonly kind: 'primary' | 'extended' | 'logical';
  readonly type: number;
  readonly active: boolean;
  /** Absolute, for logicals too. */
  readonly startLba: Lba;
  readonly sectorCount: number;
  /** Logicals: the sector of the extended boot record that describes it. */
  readonly ebrLba: Lba | null;
}
export interface MbrTable {
  readonly signature: number;
  readonly partitions: readonly MbrPartition[];
}
