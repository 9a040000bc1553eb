import { crc16Register, crc32cRegister } from '../../codec/checksum.js';
import { damaged } from '../../core/errors.js';
import type { Reader } from '../../device/types.js';
import { readInside } from '../read.js';
import { RecentValues } from './cache.js';
import { INCOMPATIBLE } from './features.js';
import {
  GROUP_BLOCKS_UNINITIALISED,
  GROUP_CHECKSUM_AT,
  GROUP_DESCRIPTOR,
  GROUP_DESCRIPTOR_HIGH,
  GROUP_DESCRIPTOR_SIZE,
  GROUP_INODES_UNINITIALISED,
  SUPERBLOCK_AT,
} from './layout.js';
import { type ExtVolume, firstBlockOf, hasSuperblock, joinHalves } from './volume.js';

/** Blocks of the descriptor table kept in memory: at 64 KiB a block, 2 MiB. */
const TABLE_BLOCKS_KEPT = 32;

/** One block group. Blocks are counted from the start of the volume. */
export interface Group {
  readonly index: number;
  readonly blockBitmap: number;
  readonly inodeBitmap: number;
  readonly inodeTable: number;
  readonly freeClusters: number;
  readonly freeInodes: number;
  /** Inodes at the end of the table that were never used. */
  readonly unusedInodes: number;
  readonly blockBitmapChecksum: number;
  readonly inodeBitmapChecksum: number;
  /** The block bitmap was never written: it follows from the layout. */
  readonly blocksUninitialised: boolean;
  readonly inodesUninitialised: boolean;
}

/** A stretch of blocks. */
export interface Blocks {
  readonly first: number;
  readonly count: number;
}

/** Blocks of one inode table. */
export const inodeTableBlocks = (ext: ExtVolume): number =>
  Math.ceil((ext.superblock.inodesPerGroup * ext.inodeBytes) / ext.blockBytes);

/** Both bitmaps and the inode table of a group; with flex_bg they may lie in another group. */
export function ownMetadata(ext: ExtVolume, group: Group): Blocks[] {
  return [
    { first: group.blockBitmap, count: 1 },
    { first: group.inodeBitmap, count: 1 },
    { first: group.inodeTable, count: inodeTableBlocks(ext) },
  ];
}

const descriptorsPerBlock = (ext: ExtVolume): number => ext.blockBytes / ext.descriptorBytes;

/** The number of table blocks that stand together behind each superblock; the others are spread (meta_bg). */
function joinedTableBlocks(ext: ExtVolume): number {
  const all = Math.ceil(ext.groupCount / descriptorsPerBlock(ext));
  const { incompatible, firstMetaGroup } = ext.superblock;
  return incompatible & INCOMPATIBLE.metaGroups ? Math.min(all, firstMetaGroup) : all;
}

/** The block that holds the superblock: 1 for blocks of 1 KiB, 0 for larger ones. */
const superblockBlock = (ext: ExtVolume): number => Math.floor(SUPERBLOCK_AT / ext.blockBytes);

/** Block of the primary copy of a block of the descriptor table (kernel fs/ext4/super.c descriptor_loc). */
function tableBlockAt(ext: ExtVolume, index: number): number {
  if (index < joinedTableBlocks(ext)) return superblockBlock(ext) + 1 + index;
  const group = index * descriptorsPerBlock(ext);
  // Group 0 of a file system with 1 KiB blocks that counts from block 0 has a boot block before the superblock.
  const bootBlock = group === 0 && ext.superblock.firstDataBlock === 0 ? superblockBlock(ext) : 0;
  return firstBlockOf(ext, group) + (hasSuperblock(ext, group) ? 1 : 0) + bootBlock;
}

/**
 * Blocks at the start of a group that hold copies of the superblock and of the descriptor table, and the room
 * the table may grow into (kernel ext4_num_base_meta_blocks). A group without a written bitmap has them.
 */
export function baseMetadataBlocks(ext: ExtVolume, group: number): number {
  return copiesIn(ext, group, ext.superblock.reservedGdtBlocks);
}

/** The same without that room, which belongs to an inode of its own. */
export const tableCopyBlocks = (ext: ExtVolume, group: number): number => copiesIn(ext, group, 0);

function copiesIn(ext: ExtVolume, group: number, reserved: number): number {
  const superblocks = hasSuperblock(ext, group) ? 1 : 0;
  const perBlock = descriptorsPerBlock(ext);
  const joined = joinedTableBlocks(ext);
  const spread = (ext.superblock.incompatible & INCOMPATIBLE.metaGroups) !== 0 && group >= joined * perBlock;
  if (!spread) return superblocks === 0 ? 0 : 1 + joined + reserved;
  const place = group % perBlock;
  // Each spread table block has copies in the first, second and last group that it describes.
  return superblocks + (place === 0 || place === 1 || place === perBlock - 1 ? 1 : 0);
}

/** The group descriptors of a volume, read block by block as they are asked for. */
export class GroupTable {
  private readonly blocks = new RecentValues<Uint8Array>(TABLE_BLOCKS_KEPT);

  constructor(
    private readonly volume: Reader,
    readonly ext: ExtVolume,
  ) {}

  /** The descriptor of a group. Damaged when its checksum is wrong or what it points to lies outside. */
  async group(index: number, signal?: AbortSignal): Promise<Group> {
    const perBlock = descriptorsPerBlock(this.ext);
    const tableBlock = Math.floor(index / perBlock);
    const bytes = await this.tableBlock(tableBlock, signal);
    const start = (index % perBlock) * this.ext.descriptorBytes;
    const descriptor = bytes.subarray(start, start + this.ext.descriptorBytes);
    const at = tableBlockAt(this.ext, tableBlock) * this.ext.blockBytes + start;
    requireDescriptorChecksum(this.ext, index, descriptor, at);
    const group = decodeGroup(this.ext, index, descriptor);
    for (const { first, count } of ownMetadata(this.ext, group)) requireInside(this.ext, first, count, at);
    return group;
  }

  private async tableBlock(index: number, signal?: AbortSignal): Promise<Uint8Array> {
    const kept = this.blocks.get(index);
    if (kept !== undefined) return kept;
    const { blockBytes } = this.ext;
    const at = tableBlockAt(this.ext, index) * blockBytes;
    const bytes = await readInside(this.volume, at, blockBytes, 'the ext group descriptor table', signal);
    this.blocks.set(index, bytes);
    return bytes;
  }
}

function requireInside(ext: ExtVolume, first: number, count: number, at: number): void {
  if (first >= ext.superblock.firstDataBlock && first > 0 && first + count <= ext.blockCount) return;
  throw damaged('ext-group-descriptor', 'an ext group descriptor points outside the file system', {
    offset: at,
    expected: `below block ${ext.blockCount}`,
    actual: first + count,
    hint: 'run e2fsck in the guest',
  });
}

function decodeGroup(ext: ExtVolume, index: number, bytes: Uint8Array): Group {
  const low = GROUP_DESCRIPTOR.decode(bytes);
  const high =
    ext.descriptorBytes > GROUP_DESCRIPTOR_SIZE
      ? GROUP_DESCRIPTOR_HIGH.decode(bytes, GROUP_DESCRIPTOR_SIZE)
      : undefined;
  const join16 = (lower: number, upper = 0): number => upper * 0x1_0000 + lower;
  // Without descriptor checksums the flags and the unused count mean nothing (kernel ext4_itable_unused_count).
  const flags = ext.checksum === 'none' ? 0 : low.flags;
  return {
    index,
    blockBitmap: joinHalves(low.blockBitmapLow, high?.blockBitmapHigh ?? 0),
    inodeBitmap: joinHalves(low.inodeBitmapLow, high?.inodeBitmapHigh ?? 0),
    inodeTable: joinHalves(low.inodeTableLow, high?.inodeTableHigh ?? 0),
    freeClusters: join16(low.freeClustersLow, high?.freeClustersHigh),
    freeInodes: join16(low.freeInodesLow, high?.freeInodesHigh),
    unusedInodes: ext.checksum === 'none' ? 0 : join16(low.unusedInodesLow, high?.unusedInodesHigh),
    blockBitmapChecksum: join16(low.blockBitmapChecksumLow, high?.blockBitmapChecksumHigh),
    inodeBitmapChecksum: join16(low.inodeBitmapChecksumLow, high?.inodeBitmapChecksumHigh),
    blocksUninitialised: (flags & GROUP_BLOCKS_UNINITIALISED) !== 0,
    inodesUninitialised: (flags & GROUP_INODES_UNINITIALISED) !== 0,
  };
}

function requireDescriptorChecksum(ext: ExtVolume, index: number, bytes: Uint8Array, at: number): void {
  if (ext.checksum === 'none') return;
  const expected = GROUP_DESCRIPTOR.decode(bytes).checksum;
  const actual = ext.checksum === 'crc32c' ? crc32cOf(ext, index, bytes) : crc16Of(ext, index, bytes);
  if (actual === expected) return;
  throw damaged('ext-group-checksum', `the descriptor of ext group ${index} has a wrong checksum`, {
    offset: at + GROUP_CHECKSUM_AT,
    expected,
    actual,
    hint: 'run e2fsck in the guest',
  });
}

/** Number as the four bytes that metadata checksums take in. */
export function littleEndian32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

/** The checksum field itself counts as two zero bytes (kernel ext4_group_desc_csum). */
function crc32cOf(ext: ExtVolume, index: number, bytes: Uint8Array): number {
  let crc = crc32cRegister(ext.checksumSeed, littleEndian32(index));
  crc = crc32cRegister(crc, bytes.subarray(0, GROUP_CHECKSUM_AT));
  crc = crc32cRegister(crc, new Uint8Array(2));
  crc = crc32cRegister(crc, bytes.subarray(GROUP_CHECKSUM_AT + 2));
  return crc & 0xffff;
}

/** The older checksum leaves its own field out. */
function crc16Of(ext: ExtVolume, index: number, bytes: Uint8Array): number {
  let crc = crc16Register(0xffff, ext.superblock.uuidBytes);
  crc = crc16Register(crc, littleEndian32(index));
  crc = crc16Register(crc, bytes.subarray(0, GROUP_CHECKSUM_AT));
  return crc16Register(crc, bytes.subarray(GROUP_CHECKSUM_AT + 2));
}
