import { bytes, u8, u16le, u32le, u64le } from '../../codec/fields.js';
import { defineLayout } from '../../codec/layout.js';
import { utf8Text } from '../../codec/text.js';
import { uuid } from '../../codec/uuid.js';

/**
 * Structures of ext2, ext3 and ext4. Source: Linux Documentation/filesystems/ext4 (super.rst, group_descr.rst,
 * inodes.rst, ifork.rst, journal.rst) and e2fsprogs lib/ext2fs/ext2_fs.h. Little-endian but for the journal.
 */

/** The superblock starts here, whatever the block size. */
export const SUPERBLOCK_AT = 1024;
export const SUPERBLOCK_MAGIC = 0xef53;
/** Offset of the magic from the start of the volume. */
export const MAGIC_AT = SUPERBLOCK_AT + 0x38;
/** The checksum covers the superblock up to itself. */
export const SUPERBLOCK_CHECKSUM_AT = 0x3fc;

export const SUPERBLOCK = defineLayout('ext superblock', 1024, {
  inodesCount: { at: 0x00, type: u32le },
  blocksCountLow: { at: 0x04, type: u32le },
  freeBlocksLow: { at: 0x0c, type: u32le },
  firstDataBlock: { at: 0x14, type: u32le },
  logBlockSize: { at: 0x18, type: u32le },
  logClusterSize: { at: 0x1c, type: u32le },
  blocksPerGroup: { at: 0x20, type: u32le },
  clustersPerGroup: { at: 0x24, type: u32le },
  inodesPerGroup: { at: 0x28, type: u32le },
  magic: { at: 0x38, type: u16le },
  state: { at: 0x3a, type: u16le },
  revision: { at: 0x4c, type: u32le },
  firstInode: { at: 0x54, type: u32le },
  inodeSize: { at: 0x58, type: u16le },
  compatible: { at: 0x5c, type: u32le },
  incompatible: { at: 0x60, type: u32le },
  readOnlyCompatible: { at: 0x64, type: u32le },
  uuid: { at: 0x68, type: uuid },
  uuidBytes: { at: 0x68, type: bytes(16) },
  volumeName: { at: 0x78, type: utf8Text(16) },
  reservedGdtBlocks: { at: 0xce, type: u16le },
  journalUuid: { at: 0xd0, type: bytes(16) },
  journalInode: { at: 0xe0, type: u32le },
  journalDeviceNumber: { at: 0xe4, type: u32le },
  descriptorSize: { at: 0xfe, type: u16le },
  firstMetaGroup: { at: 0x104, type: u32le },
  mmpBlock: { at: 0x168, type: u64le },
  blocksCountHigh: { at: 0x150, type: u32le },
  freeBlocksHigh: { at: 0x158, type: u32le },
  checksumType: { at: 0x175, type: u8 },
  backupGroup1: { at: 0x24c, type: u32le },
  backupGroup2: { at: 0x250, type: u32le },
  checksumSeed: { at: 0x270, type: u32le },
  checksum: { at: SUPERBLOCK_CHECKSUM_AT, type: u32le },
});

/** s_state: unmounted cleanly. */
export const STATE_VALID = 0x1;
/** s_state: the kernel found errors. */
export const STATE_ERRORS = 0x2;

export const GROUP_DESCRIPTOR_SIZE = 32;
/** Where its own checksum is; it covers what is before and behind. */
export const GROUP_CHECKSUM_AT = 0x1e;

export const GROUP_DESCRIPTOR = defineLayout('ext group descriptor', GROUP_DESCRIPTOR_SIZE, {
  blockBitmapLow: { at: 0x00, type: u32le },
  inodeBitmapLow: { at: 0x04, type: u32le },
  inodeTableLow: { at: 0x08, type: u32le },
  freeClustersLow: { at: 0x0c, type: u16le },
  freeInodesLow: { at: 0x0e, type: u16le },
  flags: { at: 0x12, type: u16le },
  blockBitmapChecksumLow: { at: 0x18, type: u16le },
  inodeBitmapChecksumLow: { at: 0x1a, type: u16le },
  unusedInodesLow: { at: 0x1c, type: u16le },
  checksum: { at: GROUP_CHECKSUM_AT, type: u16le },
});

/** The second half, there with the 64bit feature. */
export const GROUP_DESCRIPTOR_HIGH = defineLayout('ext group descriptor, second half', 32, {
  blockBitmapHigh: { at: 0x00, type: u32le },
  inodeBitmapHigh: { at: 0x04, type: u32le },
  inodeTableHigh: { at: 0x08, type: u32le },
  freeClustersHigh: { at: 0x0c, type: u16le },
  freeInodesHigh: { at: 0x0e, type: u16le },
  unusedInodesHigh: { at: 0x12, type: u16le },
  blockBitmapChecksumHigh: { at: 0x18, type: u16le },
  inodeBitmapChecksumHigh: { at: 0x1a, type: u16le },
});

/** bg_flags: the inode bitmap and table were never written. */
export const GROUP_INODES_UNINITIALISED = 0x1;
/** bg_flags: the block bitmap was never written; it follows from the layout of the group. */
export const GROUP_BLOCKS_UNINITIALISED = 0x2;

/** Bytes of an inode in every revision; larger inodes carry more behind. */
export const INODE_SIZE = 128;
/** The block map or the root of the extent tree inside the inode. */
export const INODE_MAP_AT = 0x28;
export const INODE_MAP_SIZE = 60;

export const INODE = defineLayout('ext inode', INODE_SIZE, {
  mode: { at: 0x00, type: u16le },
  sizeLow: { at: 0x04, type: u32le },
  linksCount: { at: 0x1a, type: u16le },
  blocksLow: { at: 0x1c, type: u32le },
  flags: { at: 0x20, type: u32le },
  generation: { at: 0x64, type: u32le },
  attributesLow: { at: 0x68, type: u32le },
  sizeHigh: { at: 0x6c, type: u32le },
  attributesHigh: { at: 0x76, type: u16le },
  checksumLow: { at: 0x7c, type: u16le },
});
export const INODE_CHECKSUM_LOW_AT = 0x7c;
export const INODE_EXTRA_SIZE_AT = 0x80;
export const INODE_CHECKSUM_HIGH_AT = 0x82;

export const MODE_TYPE = 0xf000;
export const MODE_DIRECTORY = 0x4000;
export const MODE_REGULAR = 0x8000;
export const MODE_LINK = 0xa000;

export const INODE_USES_EXTENTS = 0x0008_0000;
/** The content is in the inode itself. Bit 28: still a positive number for bit operators. */
export const INODE_INLINE_DATA = 0x1000_0000;

export const EXTENT_MAGIC = 0xf30a;
/** Size of the header and of each entry, of leaf and index nodes alike. */
export const EXTENT_ENTRY_SIZE = 12;
/** EXT4_MAX_EXTENT_DEPTH: enough for 2^32 blocks at any block size. */
export const EXTENT_DEPTH_MAX = 5;
/** Longer lengths mark an extent that was allocated but never written. */
export const EXTENT_LENGTH_MAX = 32768;

export const EXTENT_HEADER = defineLayout('ext extent header', EXTENT_ENTRY_SIZE, {
  magic: { at: 0, type: u16le },
  entries: { at: 2, type: u16le },
  capacity: { at: 4, type: u16le },
  depth: { at: 6, type: u16le },
});
export const EXTENT_LEAF = defineLayout('ext extent', EXTENT_ENTRY_SIZE, {
  logicalBlock: { at: 0, type: u32le },
  length: { at: 4, type: u16le },
  startHigh: { at: 6, type: u16le },
  startLow: { at: 8, type: u32le },
});
export const EXTENT_INDEX = defineLayout('ext extent index', EXTENT_ENTRY_SIZE, {
  logicalBlock: { at: 0, type: u32le },
  nodeLow: { at: 4, type: u32le },
  nodeHigh: { at: 8, type: u16le },
});

/** The fixed part of a directory entry; the name follows, and `length` leads to the next entry. */
export const DIRECTORY_ENTRY = defineLayout('ext directory entry', 8, {
  inode: { at: 0, type: u32le },
  length: { at: 4, type: u16le },
  nameLength: { at: 6, type: u8 },
});

/** First block of a journal, big-endian (include/linux/jbd2.h). */
export const JOURNAL_MAGIC = 0xc03b3998;

export const ROOT_INODE = 2;
/** Inode 1 lists bad blocks; it has a block map although it is no file. */
export const BAD_BLOCKS_INODE = 1;
