import { hasMoved, type Places } from '../places.js';

/** How Windows names a volume of an MBR disk: signature of the disk, byte its partition begins at. */
export interface DevicePlace {
  readonly signature: number;
  readonly offset: bigint;
}

/** Old to new places of the volumes of one MBR disk. */
export class OffsetMap {
  private readonly offsets = new Map<bigint, bigint>();

  constructor(
    private readonly signature: number,
    places: Places,
  ) {
    const { partitions, sectorSize } = places.input;
    for (const partition of partitions) {
      if (partition.isExtended || !hasMoved(partition)) continue;
      this.offsets.set(BigInt(partition.oldStartLba * sectorSize), BigInt(places.newStart(partition)));
    }
  }

  /** The new offset of a volume that moves; undefined for all others, and for other disks. */
  get({ signature, offset }: DevicePlace): bigint | undefined {
    return signature === this.signature ? this.offsets.get(offset) : undefined;
  }

  /** True when a volume that moves begins there afterwards. */
  isTarget({ signature, offset }: DevicePlace): boolean {
    return signature === this.signature && [...this.offsets.values()].includes(offset);
  }
}
