import { damaged } from '../../core/errors.js';
import type { Reader } from '../../device/types.js';
import { readInside } from '../read.js';
import { areUsed, BlockBitmaps, countSet } from './bitmap.js';
import { type BlockWalk, blocksOf } from './blocks.js';
import { COMPATIBLE } from './features.js';
import { type Blocks, type Group, GroupTable, ownMetadata, tableCopyBlocks } from './groups.js';
import { type Inode, inodesInUse, readInode } from './inode.js';
import { INODE_INLINE_DATA, JOURNAL_MAGIC, MODE_DIRECTORY, MODE_TYPE, ROOT_INODE } from './layout.js';
import { blocksIn, clustersIn, type ExtVolume, firstBlockOf } from './volume.js';

/**
 * Proves that a clean file system hangs together: checksums, free counts against bitmaps, and every block that
 * an inode refers to marked used. Reads all metadata once, streaming; file data is not read. Blocks that two
 * files share are not found: that would need memory that grows with the volume. Damaged at the first
 * contradiction.
 */
export async function checkExt(volume: Reader, ext: ExtVolume, signal?: AbortSignal): Promise<void> {
  const groups = new GroupTable(volume, ext);
  const bitmaps = await BlockBitmaps.open(volume, groups, signal);
  let usedBlocks = 0;
  for (let index = 0; index < ext.groupCount; index++) {
    signal?.throwIfAborted();
    usedBlocks += (await checkGroup(bitmaps, await groups.group(index, signal))) * ext.blocksPerCluster;
  }
  const walk: BlockWalk = { volume, ext, nodesLeft: usedBlocks, signal };
  for (let index = 0; index < ext.groupCount; index++) {
    const group = await groups.group(index, signal);
    for await (const inode of inodesInUse(volume, groups, group, signal)) {
      signal?.throwIfAborted();
      await checkInode(bitmaps, walk, inode);
    }
  }
  await checkRoot(walk, await readInode(volume, groups, ROOT_INODE));
  await checkJournal(walk, groups);
}

/** Compares the free count with the bitmap and returns the used clusters. */
async function checkGroup(bitmaps: BlockBitmaps, group: Group): Promise<number> {
  const { ext } = bitmaps;
  const clusters = clustersIn(ext, group.index);
  const used = countSet(await bitmaps.of(group.index), clusters);
  if (!group.blocksUninitialised && clusters - used !== group.freeClusters) {
    throw damaged('ext-free-count', `ext group ${group.index} miscounts its free clusters`, {
      offset: group.blockBitmap * ext.blockBytes,
      expected: clusters - used,
      actual: group.freeClusters,
      hint: 'run e2fsck in the guest',
    });
  }
  // Nothing refers to the copies of superblock and descriptors but their place.
  const count = Math.min(tableCopyBlocks(ext, group.index), blocksIn(ext, group.index));
  const copies = { first: firstBlockOf(ext, group.index), count };
  for (const blocks of [copies, ...ownMetadata(ext, group)])
    await requireUsed(bitmaps, blocks, `group ${group.index}`);
  return used;
}

async function checkInode(bitmaps: BlockBitmaps, walk: BlockWalk, inode: Inode): Promise<void> {
  // Inodes from the first free one on that nothing links to are deleted: what they point to may be gone.
  if (inode.linksCount === 0 && inode.number >= walk.ext.firstInode) return;
  const owner = `inode ${inode.number}`;
  for await (const blocks of blocksOf(walk, inode)) await requireUsed(bitmaps, blocks, owner);
  const block = inode.attributesBlock;
  if (block === 0) return;
  if (block >= walk.ext.blockCount) throw mismatch(walk.ext, { first: block, count: 1 }, owner);
  await requireUsed(bitmaps, { first: block, count: 1 }, owner);
}

async function requireUsed(bitmaps: BlockBitmaps, blocks: Blocks, owner: string): Promise<void> {
  if (!(await areUsed(bitmaps, blocks.first, blocks.count))) throw mismatch(bitmaps.ext, blocks, owner);
}

function mismatch(ext: ExtVolume, { first, count }: Blocks, owner: string) {
  return damaged('ext-bitmap-mismatch', `ext ${owner} uses blocks that the block bitmap calls free`, {
    offset: first * ext.blockBytes,
    expected: 'blocks marked used',
    actual: `blocks ${first} to ${first + count - 1}`,
    hint: 'run e2fsck in the guest',
  });
}

/** The root directory must begin with entries for itself, `.` and `..`. */
async function checkRoot(walk: BlockWalk, root: Inode): Promise<void> {
  const broken = (actual: string | number) =>
    damaged('ext-root-directory', 'the ext root directory cannot be read', {
      offset: root.at,
      expected: 'a directory that holds itself',
      actual,
      hint: 'run e2fsck in the guest',
    });
  if ((root.mode & MODE_TYPE) !== MODE_DIRECTORY) throw broken(root.mode);
  if (root.flags & INODE_INLINE_DATA) return;
  const bytes = await firstDataBlock(walk, root);
  if (bytes === undefined) throw broken('no block');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const [dot, dotDot] = [view.getUint32(0, true), view.getUint32(12, true)];
  const named = bytes[8] === 0x2e && bytes[20] === 0x2e && bytes[21] === 0x2e;
  if (dot !== ROOT_INODE || dotDot !== ROOT_INODE || !named) throw broken(dot);
}

/** The journal begins with its own superblock; without it the file system cannot be mounted. */
async function checkJournal(walk: BlockWalk, groups: GroupTable): Promise<void> {
  const { compatible, journalInode } = walk.ext.superblock;
  // Inode 0: the journal is on another device.
  if ((compatible & COMPATIBLE.hasJournal) === 0 || journalInode === 0) return;
  const inode = await readInode(walk.volume, groups, journalInode);
  const bytes = await firstDataBlock(walk, inode);
  const magic = bytes && new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(0, false);
  if (magic === JOURNAL_MAGIC) return;
  throw damaged('ext-journal', 'the ext journal has no superblock', {
    offset: inode.at,
    expected: JOURNAL_MAGIC,
    actual: magic ?? 'no block',
    hint: 'run e2fsck in the guest',
  });
}

/** Map nodes on the way to the first block of a file: one a level. */
const NODES_TO_FIRST_BLOCK = 8;

/** The first data block of an inode; undefined when it has none. */
async function firstDataBlock(walk: BlockWalk, inode: Inode): Promise<Uint8Array | undefined> {
  const { volume, ext } = walk;
  for await (const { first, holds } of blocksOf({ ...walk, nodesLeft: NODES_TO_FIRST_BLOCK }, inode)) {
    if (holds === 'map') continue;
    return readInside(volume, first * ext.blockBytes, ext.blockBytes, 'an ext data block');
  }
  return undefined;
}
