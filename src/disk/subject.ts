import type { Store } from '../device/store.js';
import type { VmdkDescriptor } from '../formats/vmdk/index.js';
import type { FolderView } from './folder.js';
import { hasParent, lastPart } from './folder-files.js';

/** A disk in its neighbourhood: what the checks of snapshots, locks and machines look at. */
export interface Subject {
  readonly store: Store;
  readonly folder: FolderView;
  /** Where the disk's descriptor is, or would be: of a bare `x-flat.vmdk` that is `x.vmdk`. */
  readonly path: string;
  /** `x` of `x.vmdk`. */
  readonly stem: string;
  /** Null for bare flat files and sparse files. */
  readonly descriptor: VmdkDescriptor | null;
  /** Names of the files that hold the disk, in its folder: descriptor and extents. */
  readonly fileNames: readonly string[];
}

/** The stem of a descriptor's or flat file's name. */
export function stemOfDisk(name: string): string {
  return name.replace(/\.vmdk$/i, '').replace(/-flat$/i, '');
}

/**
 * Does a name written in `folder` (a .vmx's fileName, a child's parentFileNameHint) mean this disk? Absolute
 * names may take another way to the same file (a datastore has a name and a UUID).
 */
export async function meansDisk(subject: Subject, folder: string, fileName: string): Promise<boolean> {
  const { store, path } = subject;
  if (fileName === '' || fileName.includes('\0')) return false;
  if (!store.isAbsolute(fileName)) return store.join(folder, fileName) === path;
  if (fileName === path) return true;
  if (lastPart(fileName) !== store.nameOf(path) || (await store.stat(fileName)) === undefined) return false;
  return (await store.realPath(store.folderOf(fileName))) === (await store.realPath(store.folderOf(path)));
}

/**
 * A name like that of a snapshot may be a disk of its own: cloning a machine with snapshots leaves
 * `x-000001.vmdk` with a flat file. Its descriptor tells: it has no parent.
 */
export function isStandalone(subject: Subject, name: string): boolean {
  const descriptor = subject.folder.vmdkFiles.get(name)?.descriptor?.parsed ?? null;
  return descriptor !== null && !hasParent(descriptor);
}
