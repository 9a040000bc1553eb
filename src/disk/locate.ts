import { type Reason, unsupported, usageError } from '../core/errors.js';
import { cleanText } from '../core/text.js';
import type { FileStat, Store } from '../device/store.js';
import { isDescriptor, MAX_DESCRIPTOR_BYTES } from '../formats/vmdk/index.js';
import type { FolderCache } from './folder.js';
import { HIDDEN_SUFFIX, hiddenNameOf, RUN_HEADER_NAME, runFolderOf } from './names.js';

/** The file that a path leads to. */
export interface Place {
  /** What the disk is called: a hidden descriptor under its proper name, a flat file under its descriptor's. */
  readonly path: string;
  /** Where the bytes are now. */
  readonly storedAt: string;
  readonly stat: FileStat;
  /** The descriptor's bytes; null when the file is none. */
  readonly descriptorBytes: Uint8Array | null;
  /** A run on this disk did not come to its end: it has a journal. */
  readonly inFlight: boolean;
  /** There is a hidden descriptor. */
  readonly hidden: boolean;
  readonly warnings: readonly Reason[];
}

/**
 * Finds out what a path leads to. Content tells a descriptor, not its name; an extent file leads to the
 * descriptor that names it, so that a disk has one name. Usage (not-found, is-folder) for what is no file.
 */
export async function locateDisk(store: Store, path: string, folders: FolderCache): Promise<Place> {
  const place = await placeAt(store, properPath(store, path), folders);
  if (place.descriptorBytes !== null) return place;
  const folder = await folders.view(store.folderOf(place.path));
  const [owner] = folder.byExtentName.get(store.nameOf(place.path)) ?? [];
  if (owner === undefined || owner.path === place.path) return place;
  const message = `${cleanText(path)} is an extent of ${cleanText(owner.name)}, which is taken instead`;
  const taken = await placeAt(store, owner.path, folders);
  return {
    ...taken,
    warnings: [...place.warnings, ...taken.warnings, { code: 'extent-of-descriptor', message }],
  };
}

/** Joined again, so that equal paths are equal strings; without the suffix of a hidden descriptor. */
export function properPath(store: Store, path: string): string {
  const joined = store.join(store.folderOf(path), store.nameOf(path));
  return joined.endsWith(HIDDEN_SUFFIX) ? joined.slice(0, -HIDDEN_SUFFIX.length) : joined;
}

async function placeAt(store: Store, path: string, folders: FolderCache): Promise<Place> {
  const { real, storedAt, stat, warnings } = await findFile(store, path);
  if (stat.kind === 'folder')
    throw usageError('is-folder', `${cleanText(path)} is a folder, not a disk`, { path });
  if (stat.kind !== 'file') {
    throw unsupported('not-a-file', `${cleanText(path)} is no regular file`, { path });
  }
  const { entries } = await folders.view(store.folderOf(real));
  const name = store.nameOf(real);
  const runHeader = store.join(runFolderOf(real), RUN_HEADER_NAME);
  return {
    path: real,
    storedAt,
    stat,
    descriptorBytes: await readDescriptor(store, storedAt, stat.sizeBytes),
    inFlight: entries.has(runFolderOf(name)) && (await store.stat(runHeader)) !== undefined,
    hidden: storedAt !== real || entries.has(hiddenNameOf(name)),
    warnings,
  };
}

/** Follows a link once, to its end: a rename of the link would leave the disk in reach of a hypervisor. */
async function findFile(
  store: Store,
  path: string,
): Promise<{ real: string; storedAt: string; stat: FileStat; warnings: Reason[] }> {
  const stat = await store.stat(path);
  if (stat?.kind === 'link') {
    const real = await store.realPath(path);
    const target = await store.stat(real);
    const message = `${cleanText(path)} is a link to ${cleanText(real)}`;
    if (target !== undefined) {
      return { real, storedAt: real, stat: target, warnings: [{ code: 'link-followed', message }] };
    }
  }
  if (stat !== undefined) return { real: path, storedAt: path, stat, warnings: [] };
  const storedAt = hiddenNameOf(path);
  const hidden = await store.stat(storedAt);
  if (hidden !== undefined) return { real: path, storedAt, stat: hidden, warnings: [] };
  throw usageError('not-found', `there is no ${cleanText(path)}`, { path });
}

async function readDescriptor(store: Store, path: string, sizeBytes: number): Promise<Uint8Array | null> {
  if (sizeBytes > MAX_DESCRIPTOR_BYTES) return null;
  const bytes = await store.readFile(path, MAX_DESCRIPTOR_BYTES);
  return isDescriptor(bytes) ? bytes : null;
}
