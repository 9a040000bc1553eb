import { crc32cRegister } from '../../codec/checksum.js';
import type { Decoded } from '../../codec/layout.js';
import { damaged } from '../../core/errors.js';
import type { Reader } from '../../device/types.js';
import { readInside } from '../read.js';
import { requireBitmapChecksum } from './bitmap.js';
import { type Group, type GroupTable, littleEndian32 } from './groups.js';
import {
  BAD_BLOCKS_INODE,
  INODE,
  INODE_CHECKSUM_HIGH_AT,
  INODE_CHECKSUM_LOW_AT,
  INODE_EXTRA_SIZE_AT,
  INODE_INLINE_DATA,
  INODE_MAP_AT,
  INODE_MAP_SIZE,
  INODE_SIZE,
  INODE_USES_EXTENTS,
  MODE_DIRECTORY,
  MODE_LINK,
  MODE_REGULAR,
  MODE_TYPE,
} from './layout.js';
import { type ExtVolume, joinHalves } from './volume.js';

/** Bytes of an inode table read at once. */
const TABLE_WINDOW = 256 * 1024;
/** i_extra_isize from which the upper half of the checksum is there. */
const EXTRA_SIZE_WITH_CHECKSUM = 4;

/** An inode in use. */
export interface Inode {
  readonly number: number;
  /** Byte offset inside the volume, for messages. */
  readonly at: number;
  readonly mode: number;
  readonly sizeBytes: number;
  readonly linksCount: number;
  readonly flags: number;
  /** Block of extended attributes; 0: none. */
  readonly attributesBlock: number;
  /** The block map or the extent root: 60 bytes. */
  readonly map: Uint8Array;
  /** What checksums of its extent blocks start from. */
  readonly checksumSeed: number;
}

/** How an inode refers to blocks. */
export type BlockMapKind = 'extents' | 'indirect' | 'none';

/** Devices, pipes, sockets, short links and inline files have no blocks but that of their attributes. */
export function blockMapKind(inode: Inode): BlockMapKind {
  const { mode, flags, sizeBytes } = inode;
  if (inode.number === BAD_BLOCKS_INODE) return flags & INODE_USES_EXTENTS ? 'extents' : 'indirect';
  if (flags & INODE_INLINE_DATA) return 'none';
  const type = mode & MODE_TYPE;
  if (type !== MODE_REGULAR && type !== MODE_DIRECTORY && type !== MODE_LINK) return 'none';
  if (flags & INODE_USES_EXTENTS) return 'extents';
  return type === MODE_LINK && sizeBytes < INODE_MAP_SIZE ? 'none' : 'indirect';
}

/** The inodes of a group that are in use, in order. Streams; damaged checksums are Damaged. */
export async function* inodesInUse(
  volume: Reader,
  groups: GroupTable,
  group: Group,
  signal?: AbortSignal,
): AsyncGenerator<Inode> {
  if (group.inodesUninitialised) return;
  const { ext } = groups;
  const bitmap = await inodeBitmap(volume, ext, group, signal);
  const count = Math.max(0, ext.superblock.inodesPerGroup - group.unusedInodes);
  const perWindow = Math.floor(TABLE_WINDOW / ext.inodeBytes);
  for (let first = 0; first < count; first += perWindow) {
    const slots = usedSlots(bitmap, first, Math.min(count, first + perWindow));
    const last = slots.at(-1);
    if (last === undefined) continue;
    const at = group.inodeTable * ext.blockBytes + first * ext.inodeBytes;
    const table = await readInside(
      volume,
      at,
      (last + 1 - first) * ext.inodeBytes,
      'an ext inode table',
      signal,
    );
    for (const slot of slots) {
      const start = (slot - first) * ext.inodeBytes;
      const number = group.index * ext.superblock.inodesPerGroup + slot + 1;
      yield decodeInode(ext, number, table.subarray(start, start + ext.inodeBytes), at + start);
    }
  }
}

/** One inode by its number. */
export async function readInode(volume: Reader, groups: GroupTable, number: number): Promise<Inode> {
  const { ext } = groups;
  const { inodesPerGroup, inodesCount } = ext.superblock;
  if (number < 1 || number > inodesCount) {
    throw damaged('ext-inode', 'an ext inode number is out of range', {
      expected: inodesCount,
      actual: number,
    });
  }
  const group = await groups.group(Math.floor((number - 1) / inodesPerGroup));
  const at = group.inodeTable * ext.blockBytes + ((number - 1) % inodesPerGroup) * ext.inodeBytes;
  return decodeInode(ext, number, await readInside(volume, at, ext.inodeBytes, 'an ext inode'), at);
}

async function inodeBitmap(
  volume: Reader,
  ext: ExtVolume,
  group: Group,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const at = group.inodeBitmap * ext.blockBytes;
  const bitmap = await readInside(volume, at, ext.blockBytes, 'an ext inode bitmap', signal);
  const covered = bitmap.subarray(0, Math.floor(ext.superblock.inodesPerGroup / 8));
  requireBitmapChecksum(ext, 'inode', group, covered, group.inodeBitmapChecksum, at);
  return bitmap;
}

function usedSlots(bitmap: Uint8Array, first: number, end: number): number[] {
  const slots: number[] = [];
  for (let slot = first; slot < end; slot++) {
    if ((bitmap[slot >> 3] ?? 0) & (1 << (slot & 7))) slots.push(slot);
  }
  return slots;
}

function decodeInode(ext: ExtVolume, number: number, bytes: Uint8Array, at: number): Inode {
  const values = INODE.decode(bytes);
  const checksumSeed = inodeSeed(ext, number, values.generation);
  if (ext.checksum === 'crc32c') requireInodeChecksum(values, checksumSeed, number, bytes, at);
  return {
    number,
    at,
    mode: values.mode,
    sizeBytes: joinHalves(values.sizeLow, values.sizeHigh),
    linksCount: values.linksCount,
    flags: values.flags,
    attributesBlock: joinHalves(values.attributesLow, values.attributesHigh),
    map: bytes.subarray(INODE_MAP_AT, INODE_MAP_AT + INODE_MAP_SIZE),
    checksumSeed,
  };
}

function inodeSeed(ext: ExtVolume, number: number, generation: number): number {
  if (ext.checksum !== 'crc32c') return 0;
  return crc32cRegister(crc32cRegister(ext.checksumSeed, littleEndian32(number)), littleEndian32(generation));
}

/** An inode of zeros was never written (kernel and e2fsprogs take it as valid). */
function requireInodeChecksum(
  values: Decoded<typeof INODE>,
  seed: number,
  number: number,
  bytes: Uint8Array,
  at: number,
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const extra = bytes.length > INODE_SIZE ? view.getUint16(INODE_EXTRA_SIZE_AT, true) : 0;
  const wide = extra >= EXTRA_SIZE_WITH_CHECKSUM;
  const zeroed = Uint8Array.from(bytes);
  zeroed.fill(0, INODE_CHECKSUM_LOW_AT, INODE_CHECKSUM_LOW_AT + 2);
  if (wide) zeroed.fill(0, INODE_CHECKSUM_HIGH_AT, INODE_CHECKSUM_HIGH_AT + 2);
  const whole = crc32cRegister(seed, zeroed);
  const actual = wide ? whole : whole & 0xffff;
  const expected = wide
    ? view.getUint16(INODE_CHECKSUM_HIGH_AT, true) * 0x1_0000 + values.checksumLow
    : values.checksumLow;
  if (actual === expected || bytes.every((byte) => byte === 0)) return;
  throw damaged('ext-inode-checksum', `ext inode ${number} has a wrong checksum`, {
    offset: at,
    expected,
    actual,
    hint: 'run e2fsck in the guest',
  });
}
