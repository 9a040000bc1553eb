import { decodeUtf8 } from '../../codec/text.js';
import { damaged, unsupported } from '../../core/errors.js';
import type { ByteRange } from '../../core/range.js';
import type { Reader } from '../../device/types.js';
import { readInside } from '../read.js';
import { type FileFinder, patchPlaces, type VolumeFile } from '../volume-file.js';
import { type BlockWalk, blocksOf, type MappedBlocks } from './blocks.js';
import { GroupTable } from './groups.js';
import { blockMapKind, type Inode, readInode } from './inode.js';
import { DIRECTORY_ENTRY, MODE_DIRECTORY, MODE_REGULAR, MODE_TYPE, ROOT_INODE } from './layout.js';
import { openExt } from './volume.js';

/** A directory on the way to what a boot loader needs is small; names that come later are not found. */
const DIRECTORY_BYTES_MAX = 4 * 1024 * 1024;
/** Stretches of one file, and nodes of its map: what is looked at here has a handful. */
const STRETCHES_MAX = 65_536;
const NODES_MAX = 1024;
/** Blocks of 64 KiB: the length of an entry that takes all of one does not fit 16 bits. */
const WHOLE_BLOCK_LENGTHS: readonly number[] = [0, 0xffff];

/** Finds files of an ext2, ext3 or ext4 file system. Hashed directories are read as the lists they also are. */
export async function extFiles(volume: Reader): Promise<FileFinder> {
  const groups = new GroupTable(volume, await openExt(volume));
  return { find: (path) => findFile(volume, groups, path) };
}

async function findFile(
  volume: Reader,
  groups: GroupTable,
  path: readonly string[],
): Promise<VolumeFile | undefined> {
  let inode = await readInode(volume, groups, ROOT_INODE);
  for (const name of path) {
    if ((inode.mode & MODE_TYPE) !== MODE_DIRECTORY) return undefined;
    const directory = await openFile(volume, groups, inode, 'an ext directory');
    const number = await findName(directory, groups.ext.blockBytes, name);
    if (number === undefined) return undefined;
    inode = await readInode(volume, groups, number);
  }
  const type = inode.mode & MODE_TYPE;
  if (type === MODE_DIRECTORY) return undefined;
  const label = `/${path.join('/')}`;
  if (type !== MODE_REGULAR) throw unsupported('ext-file', `${label} is a link or no plain file`);
  return openFile(volume, groups, inode, label);
}

async function openFile(volume: Reader, { ext }: GroupTable, inode: Inode, label: string): Promise<ExtFile> {
  if (blockMapKind(inode) === 'none' && inode.sizeBytes > 0) {
    throw unsupported('ext-file', `${label} is stored inside its inode`);
  }
  const walk: BlockWalk = { volume, ext, nodesLeft: NODES_MAX, signal: undefined };
  const stretches: MappedBlocks[] = [];
  for await (const blocks of blocksOf(walk, inode)) {
    if (blocks.holds === 'data') stretches.push(blocks);
    if (stretches.length > STRETCHES_MAX) throw unsupported('ext-file', `${label} has too many extents`);
  }
  return new ExtFile(label, volume, inode.sizeBytes, ext.blockBytes, stretches);
}

async function findName(directory: ExtFile, blockBytes: number, name: string): Promise<number | undefined> {
  const end = Math.min(directory.sizeBytes, DIRECTORY_BYTES_MAX);
  for (let at = 0; at + blockBytes <= end; at += blockBytes) {
    const found = findInBlock(await directory.readAt(at, blockBytes), name);
    if (found !== undefined) return found;
  }
  return undefined;
}

function findInBlock(block: Uint8Array, name: string): number | undefined {
  const { size } = DIRECTORY_ENTRY;
  for (let at = 0; at + size <= block.length; ) {
    const { inode, length, nameLength } = DIRECTORY_ENTRY.decode(block, at);
    const isWhole = at === 0 && WHOLE_BLOCK_LENGTHS.includes(length);
    const whole = isWhole && block.length > 0xffff ? block.length : length;
    if (whole < size + (inode === 0 ? 0 : nameLength) || at + whole > block.length) {
      throw damaged('ext-directory', 'an ext directory has an entry that leaves its block', { offset: at });
    }
    if (inode !== 0 && decodeUtf8(block.subarray(at + size, at + size + nameLength)) === name) return inode;
    at += whole;
  }
  return undefined;
}

class ExtFile implements VolumeFile {
  constructor(
    readonly label: string,
    private readonly volume: Reader,
    readonly sizeBytes: number,
    private readonly blockBytes: number,
    private readonly stretches: readonly MappedBlocks[],
  ) {}

  /** Holes and what was never written read as zeros. */
  async readAt(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array> {
    if (offset < 0 || offset + length > this.sizeBytes) {
      throw damaged('ext-file', `${this.label} ends before byte ${offset + length}`);
    }
    const target = new Uint8Array(length);
    for (const { at, from } of this.stored(offset, length)) {
      const bytes = await readInside(this.volume, at.at, at.length, this.label, signal);
      target.set(bytes, from - offset);
    }
    return target;
  }

  places(at: number, length: number): ByteRange[] {
    const found = this.stored(at, length).map((piece) => piece.at);
    const stored = found.reduce((sum, piece) => sum + piece.length, 0);
    if (at + length <= this.sizeBytes && stored === length) return found;
    throw unsupported('ext-file', `${this.label} has no blocks at byte ${at}`);
  }

  patch(...args: Parameters<VolumeFile['patch']>): ReturnType<VolumeFile['patch']> {
    return patchPlaces(this, ...args);
  }

  /** The parts of [offset, offset + length) that blocks were written for: on the volume, and in the file. */
  private stored(offset: number, length: number): { readonly at: ByteRange; readonly from: number }[] {
    const found: { at: ByteRange; from: number }[] = [];
    for (const { first, count, logical, unwritten } of this.stretches) {
      const start = logical * this.blockBytes;
      const from = Math.max(offset, start);
      const to = Math.min(offset + length, start + count * this.blockBytes);
      if (unwritten || to <= from) continue;
      found.push({ at: { at: first * this.blockBytes + from - start, length: to - from }, from });
    }
    return found;
  }
}
