import type { Decoded } from '../../codec/layout.js';
import type { SUPERBLOCK } from './layout.js';

/** Feature flags by which file systems of the ext family differ (e2fsprogs lib/ext2fs/ext2_fs.h). */
export const COMPATIBLE = { hasJournal: 0x4, sparseSuper2: 0x200 } as const;
export const INCOMPATIBLE = {
  needsRecovery: 0x4,
  journalDevice: 0x8,
  metaGroups: 0x10,
  sixtyFourBit: 0x80,
  multipleMountProtection: 0x100,
  checksumSeed: 0x2000,
} as const;
export const READ_ONLY_COMPATIBLE = {
  sparseSuper: 0x1,
  groupChecksums: 0x10,
  bigAllocation: 0x200,
  metadataChecksums: 0x400,
  sharedBlocks: 0x4000,
  orphansPresent: 0x10000,
} as const;

/** What ext2 and ext3 may have: file types, meta_bg and (ext3) a journal to replay. As libblkid tells them apart. */
const EXT2_INCOMPATIBLE = 0x2 | INCOMPATIBLE.metaGroups;
const EXT3_INCOMPATIBLE = EXT2_INCOMPATIBLE | INCOMPATIBLE.needsRecovery;
/** sparse_super, large_file, btree_dir. */
const EXT2_READ_ONLY_COMPATIBLE = 0x7;

/**
 * Features whose effect on the block bitmaps and on what refers to blocks is understood. Left out on purpose:
 * compression (0x1), dirdata (0x1000), lazy_bg (compat 0x40), snapshots (compat 0x180, ro 0x80), replica
 * (ro 0x800) and whatever comes after this table.
 */
const UNDERSTOOD = {
  /** dir_prealloc imagic has_journal ext_attr resize_inode dir_index sparse_super2 fast_commit stable_inodes orphan_file */
  compatible: 0x1e3f,
  /** filetype recover meta_bg extents 64bit mmp flex_bg ea_inode csum_seed largedir inline_data encrypt casefold */
  incompatible: 0x3e7d6,
  /**
   * sparse_super large_file btree_dir huge_file gdt_csum dir_nlink extra_isize quota bigalloc metadata_csum
   * readonly project shared_blocks verity orphan_present
   */
  readOnlyCompatible: 0x1f77f,
} as const;

export type Superblock = Decoded<typeof SUPERBLOCK>;

const hasOnly = (flags: number, known: number): boolean => (flags & ~known) === 0;

/** True when every feature is one whose effect on allocation is known. */
export function isUnderstood(superblock: Superblock): boolean {
  return (
    hasOnly(superblock.compatible, UNDERSTOOD.compatible) &&
    hasOnly(superblock.incompatible, UNDERSTOOD.incompatible) &&
    hasOnly(superblock.readOnlyCompatible, UNDERSTOOD.readOnlyCompatible)
  );
}

/** `ext2`, `ext3`, `ext4`, or `jbd` for a device that is nothing but a journal: the names blkid uses. */
export function kindOf(superblock: Superblock): 'ext2' | 'ext3' | 'ext4' | 'jbd' {
  const { compatible, incompatible, readOnlyCompatible } = superblock;
  if (incompatible & INCOMPATIBLE.journalDevice) return 'jbd';
  if (!hasOnly(readOnlyCompatible, EXT2_READ_ONLY_COMPATIBLE)) return 'ext4';
  if (compatible & COMPATIBLE.hasJournal) return hasOnly(incompatible, EXT3_INCOMPATIBLE) ? 'ext3' : 'ext4';
  return hasOnly(incompatible, EXT2_INCOMPATIBLE) ? 'ext2' : 'ext4';
}
