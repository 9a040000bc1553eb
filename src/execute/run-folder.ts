import type { Store } from '../device/store.js';
import { RUN_HEADER_NAME, runFolderOf } from '../disk/names.js';
import { placeOf } from './pointer.js';
import type { PathMap } from './record.js';
import { SAFETY_COPY } from './safety-copy.js';

/** Files of a run folder. */
export const PROGRAM = 'program';
export const CHECKPOINT = 'checkpoint';
export const SPILL = 'spill';
export const SHIFT = 'shift';
export const CLONE = 'clone';
export const HEADER = RUN_HEADER_NAME;
export const NOTE = 'READ-ME-FIRST.txt';
export const DONE = 'done';
/** All but the header, in any order: without it a folder is no run, and the rest is litter. */
const LITTER = [SPILL, CLONE, CHECKPOINT, SHIFT, PROGRAM, NOTE, DONE];

/** What a crash leaves of a file that was being replaced. */
const TEMPORARY = /^\..*\.tmp$/;

/** Removes a run folder, in force or not; what is not there is fine. */
export async function removeRun(store: Store, folder: string): Promise<void> {
  await store.remove(store.join(folder, HEADER));
  if ((await store.stat(folder)) === undefined) return;
  const names = (await store.list(folder)).map(({ name }) => name);
  const isLitter = (name: string) => LITTER.includes(name) || TEMPORARY.test(name) || SAFETY_COPY.test(name);
  await store.removeAll(folder, names.filter(isLitter));
  await store.remove(folder);
}

/** Removes the run of a disk: first what is beside the disk, then what is in the room for journals. */
export async function dropRun(store: Store, diskPath: string): Promise<void> {
  await removeRun(store, runFolderOf(diskPath));
  const place = placeOf(store, diskPath);
  if (place.store !== store) await removeRun(place.store, place.folder);
}

/** In a room for journals: what is left there now is litter, though the pointer to it is gone. */
export async function markDone(store: Store, diskPath: string): Promise<void> {
  const { store: keeper, folder } = placeOf(store, diskPath);
  if (keeper !== store) await keeper.replaceFile(keeper.join(folder, DONE), new Uint8Array(0));
}

/** Paths in the folder of the disk as names. */
export function pathMap(store: Store, folder: string): PathMap {
  return {
    shorten: (path) => (store.folderOf(path) === folder ? store.nameOf(path) : path),
    lengthen: (name) => (store.isAbsolute(name) ? name : store.join(folder, name)),
  };
}
