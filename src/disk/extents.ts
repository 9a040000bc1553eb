import { damaged, type Reason, refused } from '../core/errors.js';
import { cleanText } from '../core/text.js';
import type { FileStat, Store } from '../device/store.js';
import {
  SPARSE_HEAD_BYTES,
  sparseKind,
  type VmdkDescriptor,
  type VmdkExtent,
} from '../formats/vmdk/index.js';
import type { DiskExtent } from './types.js';

/** Sectors in descriptors are 512 bytes, whatever the guest sees. */
export const VMDK_SECTOR_BYTES = 512;

/** What came of looking for a descriptor's extent files. */
export interface FoundExtents {
  /** Empty when one of them must not be touched; `reasons` then says why. */
  readonly extents: readonly DiskExtent[];
  readonly allocatedBytes: number | null;
  readonly reasons: readonly Reason[];
  readonly warnings: readonly Reason[];
}

export interface ExtentOptions {
  /** Extent files may lie outside the descriptor's folder. */
  readonly allowOutsideExtents: boolean;
  /** A run is in flight: the descriptor lags behind, the files' own sizes count. */
  readonly inFlight: boolean;
}

interface Located {
  readonly path: string;
  readonly stat: FileStat;
}

/**
 * Finds the files of a flat descriptor and checks them: regular, inside the folder, each named once, long
 * enough, not sparse disks in disguise. Throws Damaged when one is missing or too short.
 */
export async function findExtents(
  store: Store,
  folder: string,
  descriptor: VmdkDescriptor,
  options: ExtentOptions,
): Promise<FoundExtents> {
  const extents: DiskExtent[] = [];
  const reasons: Reason[] = [];
  const warnings: Reason[] = [];
  const seen = new Set<string>();
  let allocatedBytes: number | null = 0;
  let diskOffset = 0;
  for (const [index, extent] of descriptor.extents.entries()) {
    const located = await locateExtent(store, folder, extent, options.allowOutsideExtents);
    if ('code' in located) return refusal(located);
    const { path, stat } = located;
    const key = stat.inode === '' ? path : stat.inode;
    if (seen.has(key) || seen.has(path)) return refusal(namedTwice(path));
    seen.add(key).add(path);
    const isLast = index === descriptor.extents.length - 1;
    const sizeBytes = options.inFlight
      ? inFlightSize(stat, extent, isLast)
      : checkedSize(path, stat, extent, warnings);
    const disguised = await sparseInDisguise(store, path, stat.sizeBytes);
    if (disguised !== undefined) return refusal(disguised);
    extents.push({ path, sizeBytes, inode: stat.inode, diskOffset });
    reasons.push(...otherNames(path, stat));
    diskOffset += sizeBytes;
    allocatedBytes = addAllocated(allocatedBytes, stat.allocatedBytes);
  }
  return { extents, allocatedBytes, reasons, warnings };
}

/**
 * A file with several names may be part of another disk, or of a backup made of hard links: what is changed here
 * would change there, and a run in flight would not be seen from there.
 */
export function otherNames(path: string, { linkCount }: FileStat): Reason[] {
  if (linkCount === null || linkCount <= 1) return [];
  return [
    {
      code: 'hard-links',
      message: `${cleanText(path)} has ${linkCount} names: what is changed here changes under the others too`,
      hint: 'find them with find -samefile, and remove them or make this file a copy of its own',
    },
  ];
}

const refusal = (reason: Reason): FoundExtents => ({
  extents: [],
  allocatedBytes: null,
  reasons: [reason],
  warnings: [],
});

const addAllocated = (sum: number | null, more: number | null): number | null =>
  sum === null || more === null ? null : sum + more;

async function locateExtent(
  store: Store,
  folder: string,
  extent: VmdkExtent,
  allowOutside: boolean,
): Promise<Located | Reason> {
  const names = [extent.fileName, extent.alternateFileName].filter((name) => name !== null);
  for (const name of names) {
    const goesOutside = store.isAbsolute(name) || name.split(/[/\\]/).includes('..');
    if (goesOutside && !allowOutside) return outside(name);
    const named = store.isAbsolute(name) ? name : store.join(folder, name);
    const entry = await store.stat(named);
    if (entry === undefined) continue;
    // A plain file beside the descriptor, as nearly always: no link can lead away from it.
    if (entry.kind === 'file' && !/[/\\]/.test(name)) return { path: named, stat: entry };
    const path = await store.realPath(named);
    if (!allowOutside && !(await isBelow(store, folder, path))) return outside(name);
    const stat = await store.stat(path);
    if (stat === undefined) continue;
    if (stat.kind !== 'file') return notAFile(name);
    return { path, stat };
  }
  throw damaged('extent-missing', `the extent file ${cleanText(names[0] ?? '')} is missing`, {
    path: store.join(folder, names[0] ?? ''),
    hint: 'bring the file back beside the descriptor, or correct the name in the descriptor',
  });
}

/** Is the real path somewhere below the folder? Walks up, so that it does not depend on the separator. */
async function isBelow(store: Store, folder: string, path: string): Promise<boolean> {
  const top = await store.realPath(folder);
  let at = store.folderOf(path);
  while (at !== top) {
    const up = store.folderOf(at);
    if (up === at) return false;
    at = up;
  }
  return true;
}

/** While a disk is cut its last files get empty; while it grows its last one is longer. The run knows what to expect. */
function inFlightSize({ sizeBytes }: FileStat, { sectors }: VmdkExtent, isLast: boolean): number {
  return isLast ? sizeBytes : Math.min(sizeBytes, sectors * VMDK_SECTOR_BYTES);
}

/** The bytes of the file that belong to the disk. */
function checkedSize(path: string, stat: FileStat, extent: VmdkExtent, warnings: Reason[]): number {
  const sizeBytes = extent.sectors * VMDK_SECTOR_BYTES;
  if (stat.sizeBytes < sizeBytes) {
    throw damaged('extent-too-short', 'the extent file is shorter than the descriptor says', {
      path,
      expected: sizeBytes,
      actual: stat.sizeBytes,
      hint: 'the copy of the disk was cut off, or the descriptor belongs to another disk',
    });
  }
  if (stat.sizeBytes > sizeBytes) {
    const surplus = stat.sizeBytes - sizeBytes;
    warnings.push({
      code: 'extent-too-long',
      message: `${cleanText(path)} is ${surplus} bytes longer than the descriptor says; they are not part of the disk`,
    });
  }
  return sizeBytes;
}

/** A copied delta or a sparse disk under the name of a flat file: its bytes are not the disk's bytes. */
async function sparseInDisguise(store: Store, path: string, sizeBytes: number): Promise<Reason | undefined> {
  const kind = sparseKind(await readHead(store, path, sizeBytes));
  if (kind === undefined) return undefined;
  return {
    code: 'sparse-extent',
    message: `${cleanText(path)} should be flat, but begins like a ${kind} extent`,
    hint: 'the descriptor does not fit its extent file: restore the right one',
  };
}

/** The first bytes of a file, as many as it has up to what sparse headers need. */
export async function readHead(store: Store, path: string, sizeBytes: number): Promise<Uint8Array> {
  const file = await store.open(path, 'read');
  try {
    return await file.readAt(0, Math.min(SPARSE_HEAD_BYTES, sizeBytes));
  } finally {
    await file.close();
  }
}

const outside = (name: string): Reason =>
  refused('outside-extent', `the extent file ${cleanText(name)} lies outside the descriptor's folder`, {
    hint: 'if that is meant, say --allow-outside-extents',
  }).toReason();

const notAFile = (name: string): Reason => ({
  code: 'extent-not-a-file',
  message: `the extent ${cleanText(name)} is no regular file`,
  hint: 'devices and folders cannot be changed; copy the bytes into a flat file',
});

const namedTwice = (path: string): Reason => ({
  code: 'extent-twice',
  message: `the descriptor names ${cleanText(path)} for two extents`,
  hint: 'the descriptor is wrong: each extent needs a file of its own',
});
