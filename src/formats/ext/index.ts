import { unsupported } from '../../core/errors.js';
import { alignUp, MIB } from '../../core/units.js';
import type { Reader } from '../../device/types.js';
import { volumeFacts } from '../facts.js';
import { freeMapOf } from '../free-map.js';
import { hasBytes } from '../signature.js';
import type {
  FilesystemFacts,
  FilesystemFormat,
  FilesystemState,
  FreeMap,
  GrowthCost,
  UsedMap,
} from '../types.js';
import { BlockBitmaps } from './bitmap.js';
import { checkExt } from './check.js';
import { INCOMPATIBLE, isUnderstood, kindOf, READ_ONLY_COMPATIBLE } from './features.js';
import { GroupTable } from './groups.js';
import { MAGIC_AT, STATE_ERRORS, STATE_VALID, SUPERBLOCK_MAGIC } from './layout.js';
import { ExtUsedMap } from './used.js';
import { type ExtVolume, openExt, totalBytesOf } from './volume.js';

/** Room above what is used that resize2fs needs for tables and for files it takes apart. */
const SHRINK_MARGIN_LEAST = 16 * MIB;
const SHRINK_MARGIN_SHARE = 20;

/**
 * ext2, ext3, ext4 and external journals. All positions inside count from the start of the volume, so a move
 * changes nothing. A file system that is not clean moves too, but whole: its bitmaps may be stale.
 */
export const ext: FilesystemFormat = {
  id: 'ext',
  probe,
  inspect,
  usedMap,
  freeMap,
  check,
  resizedBy: 'e2fsprogs',
  growthCost,
};

export { extResizing } from './resizable.js';

function probe(head: Uint8Array): boolean {
  return hasBytes(head, MAGIC_AT, [SUPERBLOCK_MAGIC & 0xff, SUPERBLOCK_MAGIC >> 8]);
}

async function inspect(volume: Reader): Promise<FilesystemFacts> {
  const opened = await openExt(volume);
  const { superblock, blockBytes, blocksPerCluster, freeBlockCount } = opened;
  const totalBytes = totalBytesOf(opened);
  const isJournal = kindOf(superblock) === 'jbd';
  const usedBytes = totalBytes - freeBlockCount * blockBytes;
  return volumeFacts({
    kind: kindOf(superblock),
    label: superblock.volumeName,
    serial: superblock.uuid,
    clusterBytes: blockBytes * blocksPerCluster,
    totalBytes,
    usedBytes: isJournal ? null : usedBytes,
    minimumBytes: isJournal ? null : minimumBytes(usedBytes, totalBytes, blockBytes),
    state: stateOf(opened),
    copies: hasTrustedBitmaps(opened) ? 'used' : 'all',
    toleratesLargerPartition: true,
  });
}

/** A lower bound, not a promise: resize2fs -P tells the true minimum. */
function minimumBytes(usedBytes: number, totalBytes: number, blockBytes: number): number {
  const margin = Math.max(SHRINK_MARGIN_LEAST, usedBytes / SHRINK_MARGIN_SHARE);
  return Math.min(totalBytes, alignUp(Math.ceil(usedBytes + margin), blockBytes));
}

function stateOf({ superblock }: ExtVolume): FilesystemState {
  const { incompatible, readOnlyCompatible, state } = superblock;
  if (kindOf(superblock) === 'jbd') return 'unknown';
  if (incompatible & INCOMPATIBLE.needsRecovery) return 'needs-recovery';
  if (readOnlyCompatible & READ_ONLY_COMPATIBLE.orphansPresent) return 'needs-recovery';
  return (state & STATE_VALID) === 0 || (state & STATE_ERRORS) !== 0 ? 'dirty' : 'clean';
}

/** Only a clean file system whose every feature is understood is copied by its bitmaps. */
function hasTrustedBitmaps(opened: ExtVolume): boolean {
  return isUnderstood(opened.superblock) && stateOf(opened) === 'clean';
}

async function usedMap(volume: Reader): Promise<UsedMap> {
  return openUsedMap(volume, await openExt(volume));
}

/** Blocks (bigalloc: clusters) whose bits are clear; groups whose bitmap was never written count as their layout says. */
async function freeMap(volume: Reader): Promise<FreeMap> {
  const opened = await openExt(volume);
  return freeMapOf(await openUsedMap(volume, opened), totalBytesOf(opened));
}

async function openUsedMap(volume: Reader, opened: ExtVolume): Promise<ExtUsedMap> {
  if (!hasTrustedBitmaps(opened)) {
    throw unsupported('ext-bitmaps-unsure', 'the block bitmaps of this ext file system cannot be relied on');
  }
  return new ExtUsedMap(await BlockBitmaps.open(volume, new GroupTable(volume, opened)));
}

/**
 * What mke2fs lays out in each group: a table of inodes, two bitmaps, and at the most a copy of the superblock and of all
 * descriptors, with as much room for descriptors again.
 */
async function growthCost(volume: Reader): Promise<GrowthCost> {
  const { superblock, blockBytes, inodeBytes, groupCount, descriptorBytes } = await openExt(volume);
  const descriptors = Math.ceil((groupCount * descriptorBytes) / blockBytes);
  const blocks = Math.ceil((superblock.inodesPerGroup * inodeBytes) / blockBytes) + 3 + 2 * descriptors;
  return { unitBytes: superblock.blocksPerGroup * blockBytes, ownBytes: blocks * blockBytes };
}

/** Where the bitmaps cannot be relied on there is nothing to hold the rest against: the superblock is judged. */
async function check(volume: Reader, signal?: AbortSignal): Promise<void> {
  const opened = await openExt(volume);
  if (hasTrustedBitmaps(opened)) await checkExt(volume, opened, signal);
}
