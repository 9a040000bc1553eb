import { crc32cRegister } from '../../codec/checksum.js';
import { damaged } from '../../core/errors.js';
import type { Reader } from '../../device/types.js';
import { readInside } from '../read.js';
import { RecentValues } from './cache.js';
import { type Blocks, baseMetadataBlocks, type Group, type GroupTable, ownMetadata } from './groups.js';
import { blocksIn, type ExtVolume, firstBlockOf, groupOf } from './volume.js';

/** Bytes of bitmaps kept in memory. */
const BITMAP_BYTES_KEPT = 8 * 1024 * 1024;
/** Metadata of other groups remembered for groups without a bitmap; more and such groups count as full. */
const FOREIGN_EXTENTS_MAX = 1 << 20;

/**
 * The block bitmaps of a volume, one bit a cluster, those that were never written made from the layout.
 * Bits beyond the last cluster of a group have no meaning.
 */
export class BlockBitmaps {
  private readonly kept: RecentValues<Uint8Array>;

  private constructor(
    private readonly volume: Reader,
    readonly groups: GroupTable,
    /** Metadata that lies in other groups than its own, sorted; undefined when there is too much of it. */
    private readonly foreign: readonly Blocks[] | undefined,
  ) {
    this.kept = new RecentValues(Math.floor(BITMAP_BYTES_KEPT / groups.ext.blockBytes));
  }

  /** Reads all group descriptors once, and so judges them all. */
  static async open(volume: Reader, groups: GroupTable, signal?: AbortSignal): Promise<BlockBitmaps> {
    return new BlockBitmaps(volume, groups, await foreignMetadata(groups, signal));
  }

  get ext(): ExtVolume {
    return this.groups.ext;
  }

  /** The bitmap of a group if it is in memory: spares the checks of whole volumes a promise an extent. */
  peek(group: number): Uint8Array | undefined {
    return this.kept.get(group);
  }

  /** The bitmap of a group. Damaged when its checksum is wrong. */
  async of(index: number, signal?: AbortSignal): Promise<Uint8Array> {
    const kept = this.kept.get(index);
    if (kept !== undefined) return kept;
    const group = await this.groups.group(index, signal);
    const bitmap = group.blocksUninitialised ? this.made(group) : await this.read(group, signal);
    this.kept.set(index, bitmap);
    return bitmap;
  }

  private async read(group: Group, signal?: AbortSignal): Promise<Uint8Array> {
    const { ext } = this;
    const at = group.blockBitmap * ext.blockBytes;
    const bitmap = await readInside(this.volume, at, ext.blockBytes, 'an ext block bitmap', signal);
    const covered = bitmap.subarray(0, ext.superblock.blocksPerGroup / ext.blocksPerCluster / 8);
    requireBitmapChecksum(ext, 'block', group, covered, group.blockBitmapChecksum, at);
    return bitmap;
  }

  /** What the kernel would write for a group that was never used (ext4_init_block_bitmap). */
  private made(group: Group): Uint8Array {
    const { ext } = this;
    const bitmap = new Uint8Array(ext.blockBytes);
    if (this.foreign === undefined) return bitmap.fill(0xff);
    const first = firstBlockOf(ext, group.index);
    const holder = { first, count: blocksIn(ext, group.index) };
    const base = { first, count: baseMetadataBlocks(ext, group.index) };
    const others = overlapping(this.foreign, holder);
    for (const blocks of [base, ...ownMetadata(ext, group), ...others]) mark(ext, bitmap, holder, blocks);
    return bitmap;
  }
}

/** Sets the bits of `blocks` as far as they lie in the group that `holder` spans. */
function mark(ext: ExtVolume, bitmap: Uint8Array, holder: Blocks, blocks: Blocks): void {
  const from = Math.max(blocks.first, holder.first) - holder.first;
  const end = Math.min(blocks.first + blocks.count, holder.first + holder.count) - holder.first;
  if (end <= from) return;
  const last = Math.floor((end - 1) / ext.blocksPerCluster);
  for (let bit = Math.floor(from / ext.blocksPerCluster); bit <= last; bit++) {
    bitmap[bit >> 3] = (bitmap[bit >> 3] ?? 0) | (1 << (bit & 7));
  }
}

/** Bitmaps carry checksums only with metadata_csum; small descriptors hold just the lower half. */
export function requireBitmapChecksum(
  ext: ExtVolume,
  what: 'block' | 'inode',
  group: Group,
  covered: Uint8Array,
  expected: number,
  at: number,
): void {
  if (ext.checksum !== 'crc32c') return;
  const whole = crc32cRegister(ext.checksumSeed, covered);
  const actual = ext.descriptorBytes > 32 ? whole : whole & 0xffff;
  if (actual === expected) return;
  throw damaged(
    'ext-bitmap-checksum',
    `the ${what} bitmap of ext group ${group.index} has a wrong checksum`,
    {
      offset: at,
      expected,
      actual,
      hint: 'run e2fsck in the guest',
    },
  );
}

/** Collects bitmaps and inode tables that lie outside their own group (flex_bg), in order of position. */
async function foreignMetadata(groups: GroupTable, signal?: AbortSignal): Promise<Blocks[] | undefined> {
  const { ext } = groups;
  const found: { first: number; count: number }[] = [];
  for (let index = 0; index < ext.groupCount; index++) {
    signal?.throwIfAborted();
    const group = await groups.group(index, signal);
    for (const blocks of ownMetadata(ext, group)) {
      const last = blocks.first + blocks.count - 1;
      if (groupOf(ext, blocks.first) !== index || groupOf(ext, last) !== index) add(found, blocks);
    }
    if (found.length > FOREIGN_EXTENTS_MAX) return undefined;
  }
  return joined(found);
}

/**
 * Appends, or lengthens one of the last stretches: mke2fs lays the bitmaps and tables of a flex group side by
 * side, so three stretches grow at the same time.
 */
function add(found: { first: number; count: number }[], blocks: Blocks): void {
  for (const earlier of found.slice(-3)) {
    if (earlier.first + earlier.count === blocks.first) {
      earlier.count += blocks.count;
      return;
    }
  }
  found.push({ ...blocks });
}

/** Sorted by start and joined, so that no two overlap. */
function joined(found: readonly Blocks[]): Blocks[] {
  const result: { first: number; count: number }[] = [];
  for (const { first, count } of found.toSorted((a, b) => a.first - b.first)) {
    const last = result.at(-1);
    if (last === undefined || first > last.first + last.count) result.push({ first, count });
    else last.count = Math.max(last.first + last.count, first + count) - last.first;
  }
  return result;
}

/** The stretches of a joined list that touch `holder`. */
function overlapping(list: readonly Blocks[], holder: Blocks): readonly Blocks[] {
  const from = firstIndex(list, ({ first, count }) => first + count > holder.first);
  const to = firstIndex(list, ({ first }) => first >= holder.first + holder.count);
  return list.slice(from, to);
}

/** Index of the first element for which a test that turns true once holds; the length when it never does. */
function firstIndex(list: readonly Blocks[], holds: (blocks: Blocks) => boolean): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const blocks = list[middle];
    if (blocks === undefined || holds(blocks)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Bits set among the first `bits` of a bitmap. */
export function countSet(bitmap: Uint8Array, bits: number): number {
  let count = 0;
  const whole = bits >> 3;
  for (let i = 0; i < whole; i++) count += ONES[bitmap[i] ?? 0] ?? 0;
  const rest = bits & 7;
  return rest === 0 ? count : count + (ONES[(bitmap[whole] ?? 0) & ((1 << rest) - 1)] ?? 0);
}

const ONES = Uint8Array.from({ length: 256 }, (_, byte) => {
  let ones = 0;
  for (let rest = byte; rest > 0; rest >>= 1) ones += rest & 1;
  return ones;
});

/** True when every bit of [first, end) is set. */
export function allSet(bitmap: Uint8Array, first: number, end: number): boolean {
  for (let bit = first; bit < end; ) {
    const byte = bitmap[bit >> 3] ?? 0;
    if (byte === 0xff) {
      bit = (bit | 7) + 1;
      continue;
    }
    if ((byte & (1 << (bit & 7))) === 0) return false;
    bit++;
  }
  return true;
}

/** Calls back for each run of set bits inside [first, end), in order. */
export function forEachRun(
  bitmap: Uint8Array,
  first: number,
  end: number,
  run: (from: number, to: number) => void,
): void {
  let bit = first;
  while (bit < end) {
    const from = nextBit(bitmap, bit, end, 1);
    if (from >= end) return;
    bit = nextBit(bitmap, from, end, 0);
    run(from, bit);
  }
}

/** The first bit of the given value in [bit, end), or end. */
function nextBit(bitmap: Uint8Array, start: number, end: number, value: 0 | 1): number {
  const none = value === 1 ? 0x00 : 0xff;
  let bit = start;
  while (bit < end) {
    const byte = bitmap[bit >> 3] ?? 0;
    if (byte === none) bit = (bit | 7) + 1;
    else if (((byte >> (bit & 7)) & 1) === value) return bit;
    else bit++;
  }
  return end;
}

/** True when the bitmaps say that every one of `count` blocks from `first` on is used. */
export async function areUsed(bitmaps: BlockBitmaps, first: number, count: number): Promise<boolean> {
  const { ext } = bitmaps;
  for (let block = first; block < first + count; ) {
    const group = groupOf(ext, block);
    const start = firstBlockOf(ext, group);
    const end = Math.min(first + count, start + blocksIn(ext, group));
    const bitmap = bitmaps.peek(group) ?? (await bitmaps.of(group));
    const lastBit = Math.ceil((end - start) / ext.blocksPerCluster);
    if (!allSet(bitmap, Math.floor((block - start) / ext.blocksPerCluster), lastBit)) return false;
    block = end;
  }
  return true;
}
