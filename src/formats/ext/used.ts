import type { ByteRange } from '../../core/range.js';
import { clipRanges, mergeRanges } from '../../core/range.js';
import type { UsedMap } from '../types.js';
import { type BlockBitmaps, forEachRun } from './bitmap.js';
import { SUPERBLOCK, SUPERBLOCK_AT } from './layout.js';
import { clustersIn, firstBlockOf, groupOf, totalBytesOf } from './volume.js';

/** The boot block and the superblock: with blocks of 1 KiB the boot block is in no bitmap. */
const HEAD: ByteRange = { at: 0, length: SUPERBLOCK_AT + SUPERBLOCK.size };

/** What the block bitmaps of a clean file system call used. Nothing behind its end. */
export class ExtUsedMap implements UsedMap {
  constructor(private readonly bitmaps: BlockBitmaps) {}

  async ranges(at: number, length: number): Promise<ByteRange[]> {
    const { ext } = this.bitmaps;
    const first = Math.max(Math.floor(at / ext.blockBytes), ext.superblock.firstDataBlock);
    const end = Math.min(Math.ceil((at + length) / ext.blockBytes), ext.blockCount);
    const found: ByteRange[] = [HEAD];
    const lastGroup = end > first ? groupOf(ext, end - 1) : -1;
    for (let group = end > first ? groupOf(ext, first) : 0; group <= lastGroup; group++) {
      await this.addRuns(found, group, first, end);
    }
    return clipRanges(mergeRanges(found), { at, length: Math.min(length, totalBytesOf(ext) - at) });
  }

  /** Adds what a group uses of the blocks [first, end). */
  private async addRuns(found: ByteRange[], group: number, first: number, end: number): Promise<void> {
    const { ext } = this.bitmaps;
    const bitmap = await this.bitmaps.of(group);
    const start = firstBlockOf(ext, group);
    const cluster = (block: number): number => (block - start) / ext.blocksPerCluster;
    const firstBit = Math.max(0, Math.floor(cluster(first)));
    const endBit = Math.min(clustersIn(ext, group), Math.ceil(cluster(end)));
    forEachRun(bitmap, firstBit, endBit, (from, to) => {
      const at = (start + from * ext.blocksPerCluster) * ext.blockBytes;
      found.push({ at, length: (to - from) * ext.blocksPerCluster * ext.blockBytes });
    });
  }
}
