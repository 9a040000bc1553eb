import { lockNameOf } from '../device/store.js';
import { runFolderOf } from '../disk/names.js';
import type { DiskSource } from '../disk/types.js';
import { Journal } from '../execute/journal.js';
import { dropRun } from '../execute/run-folder.js';
import { withDisk } from './open.js';

/**
 * A crash while a journal is written, or removed, leaves a folder that is no run: removes it. True when there was
 * one. Conflict when somebody else has the disk, Refused when it must not be touched.
 */
export async function sweepLitter(source: DiskSource): Promise<boolean> {
  const { store, path } = source;
  const folder = runFolderOf(path);
  const isLeft = (await store.stat(folder)) !== undefined;
  if (!isLeft && !(await hasLeftLock(source))) return false;
  // Under the lock: another vmreclaim may be preparing a run in this very folder, or have begun it meanwhile.
  return withDisk(source, { writable: true }, async () => {
    if ((await Journal.find(store, path)) !== undefined) return false;
    await dropRun(store, path);
    return isLeft;
  });
}

/** A store whose locks are files keeps that of a client that was killed. Taking it and giving it back removes it. */
async function hasLeftLock({ store, extents }: DiskSource): Promise<boolean> {
  if (store.journals === undefined) return false;
  for (const { path } of extents) if ((await store.stat(lockNameOf(path))) !== undefined) return true;
  return false;
}
