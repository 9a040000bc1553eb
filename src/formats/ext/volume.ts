import { crc32cRegister } from '../../codec/checksum.js';
import { damaged } from '../../core/errors.js';
import { isPowerOfTwo } from '../../core/units.js';
import type { Reader } from '../../device/types.js';
import { readInside } from '../read.js';
import { COMPATIBLE, INCOMPATIBLE, kindOf, READ_ONLY_COMPATIBLE, type Superblock } from './features.js';
import {
  GROUP_DESCRIPTOR_SIZE,
  INODE_SIZE,
  SUPERBLOCK,
  SUPERBLOCK_AT,
  SUPERBLOCK_CHECKSUM_AT,
  SUPERBLOCK_MAGIC,
} from './layout.js';

/** Block sizes are 1 KiB to 64 KiB, clusters up to 1 GiB (e2fsprogs EXT2_MAX_CLUSTER_LOG_SIZE). */
const LOG_BLOCK_SIZE_MAX = 6;
const LOG_CLUSTER_SIZE_MAX = 20;
/** EXT2_MAX_DESC_SIZE is below a KiB; the kernel takes powers of two from 64. */
const DESCRIPTOR_SIZE_MAX = 1024;
/** 64 TiB in groups of 8 MiB, as 1 KiB blocks have them; more can only be a lie. */
const GROUP_COUNT_MAX = 1 << 23;
const CHECKSUM_TYPE_CRC32C = 1;
const REVISION_DYNAMIC = 1;
/** Revision 0 has 128-byte inodes and eleven as the first free inode number. */
const FIRST_INODE_OLD = 11;

export type MetadataChecksum = 'crc32c' | 'crc16' | 'none';

/** A superblock that passed its bounds, and the geometry that follows from it. Blocks and clusters are counts. */
export interface ExtVolume {
  readonly superblock: Superblock;
  readonly blockBytes: number;
  readonly blocksPerCluster: number;
  readonly blockCount: number;
  readonly freeBlockCount: number;
  readonly groupCount: number;
  readonly descriptorBytes: number;
  readonly inodeBytes: number;
  readonly firstInode: number;
  readonly checksum: MetadataChecksum;
  /** Register that every metadata checksum (crc32c) starts from. */
  readonly checksumSeed: number;
}

/** Reads and judges the superblock. Damaged when it contradicts itself, its checksum or the size of the volume. */
export async function openExt(volume: Reader): Promise<ExtVolume> {
  const bytes = await readInside(volume, SUPERBLOCK_AT, SUPERBLOCK.size, 'the ext superblock');
  const superblock = SUPERBLOCK.decode(bytes);
  if (superblock.magic !== SUPERBLOCK_MAGIC) {
    throw contradiction('its magic is missing', SUPERBLOCK_MAGIC, superblock.magic);
  }
  const checksum = metadataChecksum(superblock);
  if (checksum === 'crc32c') requireChecksum(superblock, bytes);
  const ext = geometry(withDefaults(superblock), checksum);
  if (kindOf(superblock) !== 'jbd') requireGroups(ext);
  const totalBytes = ext.blockCount * ext.blockBytes;
  if (totalBytes > volume.sizeBytes) {
    throw damaged('ext-larger-than-volume', 'the ext file system is larger than its partition', {
      offset: SUPERBLOCK_AT,
      expected: `at most ${volume.sizeBytes} bytes`,
      actual: totalBytes,
      hint: 'the partition was cut, or its table is wrong: restore the old size of the partition before anything else',
    });
  }
  return ext;
}

/** Bytes the file system claims from the start of its volume. */
export const totalBytesOf = (ext: ExtVolume): number => ext.blockCount * ext.blockBytes;

/** First block of a group. */
export const firstBlockOf = (ext: ExtVolume, group: number): number =>
  ext.superblock.firstDataBlock + group * ext.superblock.blocksPerGroup;

/** Blocks of a group: all but the last have the same number. */
export const blocksIn = (ext: ExtVolume, group: number): number =>
  Math.min(ext.superblock.blocksPerGroup, ext.blockCount - firstBlockOf(ext, group));

/** Clusters of a group: what its bitmap has bits for. */
export const clustersIn = (ext: ExtVolume, group: number): number =>
  Math.ceil(blocksIn(ext, group) / ext.blocksPerCluster);

/** The group a block lies in; callers have checked that it is a block of the file system. */
export const groupOf = (ext: ExtVolume, block: number): number =>
  Math.floor((block - ext.superblock.firstDataBlock) / ext.superblock.blocksPerGroup);

/** Joins two 32-bit halves of a block number; exact up to 2^53, and no disk has more. */
export const joinHalves = (low: number, high: number): number => high * 0x1_0000_0000 + low;

function contradiction(what: string, expected: string | number, actual: string | number) {
  return damaged('ext-superblock', `the ext superblock makes no sense: ${what}`, {
    offset: SUPERBLOCK_AT,
    expected,
    actual,
    hint: 'run e2fsck in the guest, if need be with a backup superblock (e2fsck -b)',
  });
}

function metadataChecksum({ readOnlyCompatible }: Superblock): MetadataChecksum {
  if (readOnlyCompatible & READ_ONLY_COMPATIBLE.metadataChecksums) return 'crc32c';
  return readOnlyCompatible & READ_ONLY_COMPATIBLE.groupChecksums ? 'crc16' : 'none';
}

function requireChecksum(superblock: Superblock, bytes: Uint8Array): void {
  if (superblock.checksumType !== CHECKSUM_TYPE_CRC32C) {
    throw contradiction('unknown checksum type', CHECKSUM_TYPE_CRC32C, superblock.checksumType);
  }
  const actual = crc32cRegister(0xffff_ffff, bytes.subarray(0, SUPERBLOCK_CHECKSUM_AT));
  if (actual !== superblock.checksum) throw contradiction('wrong checksum', superblock.checksum, actual);
}

/** Revision 0 leaves the fields of revision 1 undefined: they read as what it implies. */
function withDefaults(superblock: Superblock): Superblock {
  if (superblock.revision >= REVISION_DYNAMIC) return superblock;
  const none = { compatible: 0, incompatible: 0, readOnlyCompatible: 0 };
  return { ...superblock, ...none, inodeSize: INODE_SIZE, firstInode: FIRST_INODE_OLD };
}

function geometry(superblock: Superblock, checksum: MetadataChecksum): ExtVolume {
  const { logBlockSize, incompatible, readOnlyCompatible, firstDataBlock, blocksPerGroup } = superblock;
  if (logBlockSize > LOG_BLOCK_SIZE_MAX) throw contradiction('block size', LOG_BLOCK_SIZE_MAX, logBlockSize);
  const wide = (incompatible & INCOMPATIBLE.sixtyFourBit) !== 0;
  const bigAllocation = (readOnlyCompatible & READ_ONLY_COMPATIBLE.bigAllocation) !== 0;
  const logCluster = bigAllocation ? superblock.logClusterSize : logBlockSize;
  if (logCluster < logBlockSize || logCluster > LOG_CLUSTER_SIZE_MAX) {
    throw contradiction('cluster size', `${logBlockSize} to ${LOG_CLUSTER_SIZE_MAX}`, logCluster);
  }
  const blockCount = joinHalves(superblock.blocksCountLow, wide ? superblock.blocksCountHigh : 0);
  const seeded = (incompatible & INCOMPATIBLE.checksumSeed) !== 0;
  return {
    superblock,
    blockBytes: 1024 * 2 ** logBlockSize,
    blocksPerCluster: 2 ** (logCluster - logBlockSize),
    blockCount,
    freeBlockCount: joinHalves(superblock.freeBlocksLow, wide ? superblock.freeBlocksHigh : 0),
    groupCount: blocksPerGroup === 0 ? 0 : Math.ceil((blockCount - firstDataBlock) / blocksPerGroup),
    descriptorBytes: wide ? superblock.descriptorSize : GROUP_DESCRIPTOR_SIZE,
    inodeBytes: superblock.inodeSize,
    firstInode: superblock.firstInode,
    checksum,
    checksumSeed: seeded ? superblock.checksumSeed : crc32cRegister(0xffff_ffff, superblock.uuidBytes),
  };
}

/** Bounds of everything that positions are computed from. A journal device has no groups to judge. */
function requireGroups(ext: ExtVolume): void {
  const { superblock, blockBytes, blocksPerCluster, groupCount, descriptorBytes, inodeBytes } = ext;
  const bitmapBits = blockBytes * 8;
  const minimum = superblock.incompatible & INCOMPATIBLE.sixtyFourBit ? 64 : GROUP_DESCRIPTOR_SIZE;
  const { blocksPerGroup, clustersPerGroup, inodesPerGroup, inodesCount, firstDataBlock } = superblock;
  const sane: readonly (readonly [boolean, string, string | number, number])[] = [
    [blocksPerGroup % 8 === 0 && blocksPerGroup > 0, 'blocks per group', 'a multiple of 8', blocksPerGroup],
    [blocksPerGroup <= bitmapBits * blocksPerCluster, 'blocks per group', 'one bitmap block', blocksPerGroup],
    [
      blocksPerCluster === 1 || clustersPerGroup * blocksPerCluster === blocksPerGroup,
      'clusters per group',
      blocksPerGroup / blocksPerCluster,
      clustersPerGroup,
    ],
    [inodesPerGroup > 0 && inodesPerGroup <= bitmapBits, 'inodes per group', bitmapBits, inodesPerGroup],
    [
      firstDataBlock === 0 || (firstDataBlock === 1 && blockBytes === 1024),
      'first data block',
      0,
      firstDataBlock,
    ],
    [ext.blockCount > firstDataBlock, 'blocks', `more than ${firstDataBlock}`, ext.blockCount],
    [groupCount <= GROUP_COUNT_MAX, 'groups', GROUP_COUNT_MAX, groupCount],
    [inodesCount === groupCount * inodesPerGroup, 'inodes', groupCount * inodesPerGroup, inodesCount],
    [ext.freeBlockCount <= ext.blockCount, 'free blocks', ext.blockCount, ext.freeBlockCount],
    [
      isPowerOfTwo(descriptorBytes) && descriptorBytes >= minimum && descriptorBytes <= DESCRIPTOR_SIZE_MAX,
      'group descriptor size',
      `${minimum} to ${DESCRIPTOR_SIZE_MAX}`,
      descriptorBytes,
    ],
    [
      isPowerOfTwo(inodeBytes) && inodeBytes >= INODE_SIZE && inodeBytes <= blockBytes,
      'inode size',
      `128 to ${blockBytes}`,
      inodeBytes,
    ],
  ];
  for (const [holds, what, expected, actual] of sane) if (!holds) throw contradiction(what, expected, actual);
}

/** True when a group carries copies of the superblock and the group descriptors (kernel ext4_bg_has_super). */
export function hasSuperblock(ext: ExtVolume, group: number): boolean {
  const { superblock } = ext;
  if (group === 0) return true;
  if (superblock.compatible & COMPATIBLE.sparseSuper2) {
    return group === superblock.backupGroup1 || group === superblock.backupGroup2;
  }
  if (group === 1 || !(superblock.readOnlyCompatible & READ_ONLY_COMPATIBLE.sparseSuper)) return true;
  return [3, 5, 7].some((base) => isPowerOf(group, base));
}

function isPowerOf(value: number, base: number): boolean {
  let power = base;
  while (power < value) power *= base;
  return power === value;
}
