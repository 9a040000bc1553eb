import type { RenderOptions } from './types.js';

/** A disk as the map draws it, in bytes. */
export interface MapDisk {
  readonly sizeBytes: number;
  readonly partitions: readonly MapPartition[];
}

export interface MapPartition {
  readonly number: number;
  readonly container: boolean;
  readonly startLba: number;
  readonly startBytes: number;
  readonly sizeBytes: number;
  readonly filesystem: string | null;
  readonly label: string | null;
  readonly usedBytes: number | null;
  readonly aligned: boolean;
}

export function diskMap(disk: MapDisk, options: RenderOptions): string {
  return `${disk.sizeBytes}${options.width}`;
}
