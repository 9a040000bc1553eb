import { runFolderOf } from '../disk/names.js';
import type { DiskSource } from '../disk/types.js';
import { Journal, removeRun } from '../execute/journal.js';
import { withDisk } from './open.js';

/**
 * A crash while a journal is written, or removed, leaves a folder that is no run: removes it. True when there was
 * one. Conflict when somebody else has the disk, Refused when it must not be touched.
 */
export async function sweepLitter(source: DiskSource): Promise<boolean> {
  const { store, path } = source;
  const folder = runFolderOf(path);
  if ((await store.stat(folder)) === undefined) return false;
  // Under the lock: another vmreclaim may be preparing a run in this very folder, or have begun it meanwhile.
  return withDisk(source, { writable: true }, async () => {
    if ((await Journal.find(store, path)) !== undefined) return false;
    await removeRun(store, folder);
    return true;
  });
}
