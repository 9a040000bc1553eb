import { type ByteRange, rangeEnd } from '../core/range.js';
import { compareRange } from './compare.js';
import type { BootInput, BootPartition } from './types.js';

/** Translates positions on the disk from before the change to after it. Positions are bytes. */
export class Places {
  constructor(readonly input: BootInput) {}

  /** The partition that begins at a byte of the disk, before the change. Containers do not count. */
  startingAt(at: number): BootPartition | undefined {
    return this.volumes().find(({ oldStartLba }) => oldStartLba * this.input.sectorSize === at);
  }

  /** The partition that holds a range of the disk, before the change. */
  holding(range: ByteRange): BootPartition | undefined {
    return this.volumes().find(({ oldStartLba, oldSectorCount }) => {
      const { sectorSize } = this.input;
      const end = (oldStartLba + oldSectorCount) * sectorSize;
      return oldStartLba * sectorSize <= range.at && rangeEnd(range) <= end;
    });
  }

  /** Where a partition begins after the change. */
  newStart({ newStartLba }: BootPartition): number {
    return newStartLba * this.input.sectorSize;
  }

  /** Where a range of the disk is after the change; what no partition holds stays where it is. */
  moved(range: ByteRange): number {
    const holder = this.holding(range);
    if (holder === undefined) return range.at;
    return range.at + (holder.newStartLba - holder.oldStartLba) * this.input.sectorSize;
  }

  /** True when a range of the disk holds after the change, at its new place, what it held before. */
  async isKept(range: ByteRange): Promise<boolean> {
    const { before, after, sectorSize } = this.input;
    const at = this.moved(range);
    const holder = this.holding(range);
    const end =
      holder === undefined ? after.sizeBytes : this.newStart(holder) + holder.newSectorCount * sectorSize;
    return at + range.length <= end && compareRange(before, range.at, after, at, range.length);
  }

  private volumes(): BootPartition[] {
    return this.input.partitions.filter(({ isExtended }) => !isExtended);
  }
}

/** True when a partition begins elsewhere after the change. */
export const hasMoved = ({ oldStartLba, newStartLba }: BootPartition): boolean => oldStartLba !== newStartLba;

/** True when a partition has another size after the change. */
export const hasNewSize = ({ oldSectorCount, newSectorCount }: BootPartition): boolean =>
  oldSectorCount !== newSectorCount;
