import { crc32cRegister } from '../../codec/checksum.js';
import { damaged } from '../../core/errors.js';
import type { Reader } from '../../device/types.js';
import { readInside } from '../read.js';
import type { Blocks } from './groups.js';
import { blockMapKind, type Inode } from './inode.js';
import {
  EXTENT_DEPTH_MAX,
  EXTENT_ENTRY_SIZE,
  EXTENT_HEADER,
  EXTENT_INDEX,
  EXTENT_LEAF,
  EXTENT_LENGTH_MAX,
  EXTENT_MAGIC,
} from './layout.js';
import { type ExtVolume, joinHalves } from './volume.js';

/** Twelve direct blocks, then one, two and three levels of indirect blocks. */
const DIRECT_BLOCKS = 12;
const INDIRECT_LEVELS = 3;
/** Logical blocks are 32 bits wide. */
const LOGICAL_END = 2 ** 32;

/** Blocks an inode refers to: its data, or a node of its own map. */
export interface MappedBlocks extends Blocks {
  readonly holds: 'data' | 'map';
  /** Of data: the block of the file that the first one is. 0 for nodes. */
  readonly logical: number;
  /** Allocated, but never written: reads as zeros. */
  readonly unwritten: boolean;
}

const mapNode = (block: number): MappedBlocks => ({
  first: block,
  count: 1,
  holds: 'map',
  logical: 0,
  unwritten: false,
});

/** What walking block maps needs, and how many of its nodes it may still read. */
export interface BlockWalk {
  readonly volume: Reader;
  readonly ext: ExtVolume;
  /**
   * Map nodes left to read: each takes a block of its own, so there are never more than used blocks. The
   * budget is shared by all inodes, so that a loop or a node that thousands share ends.
   */
  nodesLeft: number;
  readonly signal: AbortSignal | undefined;
}

/** The blocks an inode refers to: data, and the nodes of its own map. In order of the file for extents. */
export async function* blocksOf(walk: BlockWalk, inode: Inode): AsyncGenerator<MappedBlocks> {
  const kind = blockMapKind(inode);
  if (kind === 'extents') yield* extentNode(walk, inode, inode.map, undefined, { from: 0, end: LOGICAL_END });
  else if (kind === 'indirect') yield* indirectRoot(walk, inode);
}

function brokenMap(inode: Inode, what: string, expected: string | number, actual: string | number) {
  return damaged('ext-block-map', `the block map of ext inode ${inode.number} makes no sense: ${what}`, {
    offset: inode.at,
    expected,
    actual,
    hint: 'run e2fsck in the guest',
  });
}

function requireBlocks({ ext }: BlockWalk, inode: Inode, first: number, count: number): void {
  if (first > 0 && first >= ext.superblock.firstDataBlock && first + count <= ext.blockCount) return;
  throw brokenMap(inode, 'blocks outside the file system', ext.blockCount, first + count);
}

async function readNode(walk: BlockWalk, inode: Inode, block: number): Promise<Uint8Array> {
  requireBlocks(walk, inode, block, 1);
  if (walk.nodesLeft <= 0) throw brokenMap(inode, 'more map nodes than used blocks', 'no loop', block);
  walk.nodesLeft--;
  const { volume, ext, signal } = walk;
  return readInside(volume, block * ext.blockBytes, ext.blockBytes, 'an ext map node', signal);
}

interface LogicalRange {
  readonly from: number;
  readonly end: number;
}

/**
 * One node of an extent tree and all below. `depth` is undefined for the root, which tells its own; `range`
 * is what the parent says the node maps: entries outside it or out of order are damage, which also keeps a
 * node from being reached twice.
 */
async function* extentNode(
  walk: BlockWalk,
  inode: Inode,
  node: Uint8Array,
  depth: number | undefined,
  range: LogicalRange,
): AsyncGenerator<MappedBlocks> {
  const header = extentHeader(inode, node, depth);
  if (header.depth === 0) {
    yield* extentLeaves(walk, inode, node, header.entries, range);
    return;
  }
  let from = range.from;
  for (let i = 1; i <= header.entries; i++) {
    const entry = EXTENT_INDEX.decode(node, i * EXTENT_ENTRY_SIZE);
    const after =
      i < header.entries ? EXTENT_INDEX.decode(node, (i + 1) * EXTENT_ENTRY_SIZE).logicalBlock : range.end;
    if (entry.logicalBlock < from || after <= entry.logicalBlock || after > range.end) {
      throw brokenMap(inode, 'extent indexes out of order', `${from} to ${range.end}`, entry.logicalBlock);
    }
    from = after;
    const block = joinHalves(entry.nodeLow, entry.nodeHigh);
    yield mapNode(block);
    const child = await readNode(walk, inode, block);
    requireNodeChecksum(walk.ext, inode, child, block);
    yield* extentNode(walk, inode, child, header.depth - 1, { from: entry.logicalBlock, end: after });
  }
}

function* extentLeaves(
  walk: BlockWalk,
  inode: Inode,
  node: Uint8Array,
  entries: number,
  range: LogicalRange,
): Generator<MappedBlocks> {
  let next = range.from;
  for (let i = 1; i <= entries; i++) {
    const leaf = EXTENT_LEAF.decode(node, i * EXTENT_ENTRY_SIZE);
    const unwritten = leaf.length > EXTENT_LENGTH_MAX;
    const count = unwritten ? leaf.length - EXTENT_LENGTH_MAX : leaf.length;
    if (count === 0 || leaf.logicalBlock < next || leaf.logicalBlock + count > range.end) {
      throw brokenMap(inode, 'extents out of order', `${next} to ${range.end}`, leaf.logicalBlock);
    }
    next = leaf.logicalBlock + count;
    const first = joinHalves(leaf.startLow, leaf.startHigh);
    requireBlocks(walk, inode, first, count);
    yield { first, count, holds: 'data', logical: leaf.logicalBlock, unwritten };
  }
}

function extentHeader(inode: Inode, node: Uint8Array, depth: number | undefined) {
  const header = EXTENT_HEADER.decode(node);
  if (header.magic !== EXTENT_MAGIC) throw brokenMap(inode, 'extent magic', EXTENT_MAGIC, header.magic);
  const deepest = depth ?? EXTENT_DEPTH_MAX;
  if (header.depth > deepest || (depth !== undefined && header.depth !== depth)) {
    throw brokenMap(inode, 'extent depth', deepest, header.depth);
  }
  const room = Math.floor(node.length / EXTENT_ENTRY_SIZE) - 1;
  if (header.entries > header.capacity || header.capacity > room) {
    throw brokenMap(inode, 'extent entries', room, header.entries);
  }
  return header;
}

/** The checksum stands behind the room for entries; it covers all before (kernel ext4_extent_block_csum). */
function requireNodeChecksum(ext: ExtVolume, inode: Inode, node: Uint8Array, block: number): void {
  if (ext.checksum !== 'crc32c') return;
  const tail = EXTENT_ENTRY_SIZE * (1 + EXTENT_HEADER.decode(node).capacity);
  if (tail + 4 > node.length) throw brokenMap(inode, 'extent capacity', node.length, tail);
  const expected = new DataView(node.buffer, node.byteOffset, node.length).getUint32(tail, true);
  const actual = crc32cRegister(inode.checksumSeed, node.subarray(0, tail));
  if (actual === expected) return;
  throw damaged('ext-extent-checksum', `an extent block of ext inode ${inode.number} has a wrong checksum`, {
    offset: block * ext.blockBytes + tail,
    expected,
    actual,
    hint: 'run e2fsck in the guest',
  });
}

async function* indirectRoot(walk: BlockWalk, inode: Inode): AsyncGenerator<MappedBlocks> {
  const root = pointers(inode.map);
  yield* direct(walk, inode, root.slice(0, DIRECT_BLOCKS), 0);
  let logical = DIRECT_BLOCKS;
  for (let level = 1; level <= INDIRECT_LEVELS; level++) {
    const block = root[DIRECT_BLOCKS - 1 + level] ?? 0;
    const place = { level, logical };
    if (block !== 0) yield* indirect(walk, inode, block, place, new Set());
    logical += spanOf(walk, level);
  }
}

/** Blocks of the file that an indirect block of a level stands for. */
const spanOf = ({ ext }: BlockWalk, level: number): number => (ext.blockBytes / 4) ** level;

/** An indirect block and all below; `above` holds its ancestors: a block among them is a loop. */
async function* indirect(
  walk: BlockWalk,
  inode: Inode,
  block: number,
  { level, logical }: { readonly level: number; readonly logical: number },
  above: ReadonlySet<number>,
): AsyncGenerator<MappedBlocks> {
  if (above.has(block)) throw brokenMap(inode, 'an indirect block below itself', 'no loop', block);
  const node = pointers(await readNode(walk, inode, block));
  yield mapNode(block);
  if (level === 1) {
    yield* direct(walk, inode, node, logical);
    return;
  }
  const path = new Set([...above, block]);
  const span = spanOf(walk, level - 1);
  for (const [index, pointer] of node.entries()) {
    const place = { level: level - 1, logical: logical + index * span };
    if (pointer !== 0) yield* indirect(walk, inode, pointer, place, path);
  }
}

/** Pointers to data as stretches: neighbours are joined. `logical`: the block of the file the first one is for. */
function* direct(
  walk: BlockWalk,
  inode: Inode,
  list: readonly number[],
  logical: number,
): Generator<MappedBlocks> {
  let run = { first: 0, count: 0, logical: 0, holds: 'data' as const, unwritten: false };
  for (const [index, block] of list.entries()) {
    if (block === 0) continue;
    requireBlocks(walk, inode, block, 1);
    const follows = run.first + run.count === block && run.logical + run.count === logical + index;
    if (run.count > 0 && follows) run.count++;
    else {
      if (run.count > 0) yield run;
      run = { ...run, first: block, count: 1, logical: logical + index };
    }
  }
  if (run.count > 0) yield run;
}

/** 32-bit block numbers; 0 is a hole. */
function pointers(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: bytes.length / 4 }, (_, i) => view.getUint32(i * 4, true));
}
