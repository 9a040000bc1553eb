import { deviceError, refused } from '../core/errors.js';
import { complement, rangeEnd } from '../core/range.js';
import { formatSize } from '../core/size.js';
import { KIB, MIB } from '../core/units.js';
import type { Store } from '../device/store.js';
import type { BlockDevice } from '../device/types.js';
import { runFolderOf } from '../disk/names.js';
import type { DiskSource } from '../disk/types.js';
import type { RunTotals } from '../execute/types.js';
import type { Operation, Phase } from '../program/types.js';

/** Left free on the store, for the metadata of its file system and for others. */
const SPARE_BYTES = 16 * MIB;

/**
 * Finds out before the start whether the store has room for what the run may allocate: the spill area, bytes of a
 * program that are not written yet, blocks that are written anew while the journal shares the old ones, and blocks
 * of a thin disk that are holes today. Throws Device (no-space) with what is missing.
 */
export async function checkRoom(
  { store, path }: DiskSource,
  totals: Pick<RunTotals, 'spillBytes'> & { readonly sharedBytes?: number; readonly programBytes?: number },
  allocates: number,
): Promise<void> {
  const { journals } = store;
  const journal = 2 * totals.spillBytes + (totals.programBytes ?? 0);
  if (journals !== undefined) {
    await checkFree(journals.store, journals.store.folderOf(journals.folderOf(path)), journal + SPARE_BYTES);
  }
  const beside = journals === undefined ? journal : 0;
  await checkFree(store, store.folderOf(path), beside + (totals.sharedBytes ?? 0) + allocates + SPARE_BYTES);
}

async function checkFree(store: Store, folder: string, needed: number): Promise<void> {
  const free = await store.freeBytes(folder);
  if (free === null || free >= needed) return;
  throw deviceError('no-space', 'the store has too little free space for a safe run: nothing was changed', {
    path: folder,
    expected: needed,
    actual: free,
    hint: 'free some space on the datastore; the journal and newly used blocks of a thin disk need it',
  });
}

/** Bytes a store needs while a safety copy keeps every block that the run changes; never more than a whole second disk. */
export function besideCopy(
  { allocates, rewrites }: { readonly allocates: number; readonly rewrites: number },
  { allocatedBytes, sizeBytes }: DiskSource,
): number {
  return Math.max(allocates, Math.min(rewrites, (allocatedBytes ?? sizeBytes) + allocates));
}

/** The usual block of file systems that share blocks. */
const STORE_BLOCK_BYTES = 4 * KIB;

/**
 * Bytes of blocks that an operation makes the store write anew where a safety copy holds the old ones. A long copy between
 * whole blocks shares them once more instead.
 */
export function rewrittenBy(operation: Operation, { spill }: Pick<Phase, 'spill'>): number {
  const edges = 2 * STORE_BLOCK_BYTES;
  if (operation.op === 'write') return operation.bytes.length + edges;
  if (operation.op === 'fill') return operation.length + edges;
  // Zeros at the edges of what is punched.
  if (operation.op === 'discard') return edges;
  if (operation.op !== 'copy') return 0;
  const { from, to, length } = operation;
  const isShared = spill === undefined && length >= MIB && isWholeBlock(from) && isWholeBlock(to);
  return isShared ? edges : length + edges;
}

const isWholeBlock = (at: number): boolean => at % STORE_BLOCK_BYTES === 0;

/** VMware fills the extent files of a twoGbMaxExtentFlat disk up to 4,192,256 sectors and opens none that is longer. */
const MAX_SPLIT_EXTENT_BYTES = 4_192_256 * 512;

/** A split disk grows in its last extent file, and that has a limit. Throws Refused (split-extent-full). */
export function checkSplitExtent({ descriptor, extents }: DiskSource, sizeBytes: number): void {
  const last = extents.at(-1);
  if (last === undefined || descriptor?.parsed.createType !== 'twoGbMaxExtentFlat') return;
  const wanted = sizeBytes - last.diskOffset;
  if (wanted <= last.sizeBytes || wanted <= MAX_SPLIT_EXTENT_BYTES) return;
  const most = last.diskOffset + Math.max(last.sizeBytes, MAX_SPLIT_EXTENT_BYTES);
  throw refused('split-extent-full', 'the last extent file of the split disk would become too long', {
    expected: `a disk of ${most} bytes (${formatSize(most)}) at the most`,
    actual: sizeBytes,
    hint: 'enlarge it by less, or make it a single flat file first with the hypervisor’s own tool (vmware-vdiskmanager -r DISK -t 2 NEW)',
  });
}

/** In the run folder; swept up with it when a crash leaves it behind. */
const SIZE_PROBE = '.size.tmp';

/**
 * Finds out before the start whether the store takes a file as long as the last extent is to become (FAT ends at 4 GiB,
 * ext4 at 16 TiB, and there are limits for users): behind the start such a run could neither be finished nor dropped.
 * Throws Device (file-too-large).
 */
export async function checkFileSize({ store, path, extents }: DiskSource, sizeBytes: number): Promise<void> {
  const last = extents.at(-1);
  if (last === undefined || sizeBytes - last.diskOffset <= last.sizeBytes) return;
  const probe = store.join(runFolderOf(path), SIZE_PROBE);
  const file = await store.open(probe, 'create');
  try {
    await file.resize(sizeBytes - last.diskOffset);
  } finally {
    await file.close();
    await store.remove(probe);
  }
}

/** Bytes of holes that a copy fills. Where the target covers its own source there is data already. */
export async function holesFilledBy(device: BlockDevice, operation: Operation): Promise<number> {
  if (operation.op === 'fill') return operation.length;
  if (operation.op !== 'copy' || !device.capabilities.dataRanges) return 0;
  const { from, to, length } = operation;
  let holes = 0;
  for (const part of complement([{ at: from, length }], { at: to, length })) {
    const inside = Math.min(rangeEnd(part), device.sizeBytes) - part.at;
    const data = inside > 0 ? await device.dataRanges(part.at, inside) : [];
    holes += part.length - data.reduce((total, range) => total + range.length, 0);
  }
  return holes;
}
