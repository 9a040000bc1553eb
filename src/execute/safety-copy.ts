import { damaged, refused } from '../core/errors.js';
import type { Store } from '../device/store.js';
import { runFolderOf } from '../disk/names.js';
import type { DiskSource } from '../disk/types.js';
import type { SafetyFile, SafetyRole } from './types.js';

/** Names of safety copies in the run folder, and of nothing else there. */
export const SAFETY_COPY = /^safety-\d{1,6}$/;

/** Every file that a run on the disk may change or remove. */
function filesOf({
  extents,
  descriptor,
  changeTracking,
  vm,
}: DiskSource): { role: SafetyRole; path: string }[] {
  const files: { role: SafetyRole; path: string }[] = extents.map(({ path }) => ({ role: 'extent', path }));
  if (descriptor !== null) files.push({ role: 'descriptor', path: descriptor.path });
  if (changeTracking !== null) {
    files.push({ role: 'change-tracking', path: changeTracking.path });
    if (vm !== null) files.push({ role: 'vmx', path: vm.path });
  }
  return files;
}

/**
 * Throws Refused (no-reflink) when the store could not take a safety copy of the disk now, with the remedy. Tries it on
 * every extent file; leaves nothing behind.
 */
export async function checkSafetyCopy({ store, extents, path }: DiskSource): Promise<void> {
  const { whyNoClone } = store;
  if (whyNoClone === undefined) {
    throw refused('no-reflink', 'a server cannot make copies of its files that share blocks', {
      path,
      hint: 'leave --safety-copy out, and take a backup or a snapshot of the storage first',
    });
  }
  for (const extent of extents) {
    const obstacle = await whyNoClone(extent.path);
    if (obstacle === undefined) continue;
    const { code, message, hint } = obstacle;
    throw refused(code, message, { path: extent.path, ...(hint === undefined ? {} : { hint }) });
  }
}

/**
 * Copies every file of the disk into its run folder, sharing the blocks; durable when it returns. For a run that is not in
 * force yet, with the disk locked: what is left of it when something fails is litter of that folder.
 */
export async function takeSafetyCopy(source: DiskSource): Promise<SafetyFile[]> {
  const { store } = source;
  await checkSafetyCopy(source);
  const taken: SafetyFile[] = [];
  for (const { role, path } of filesOf(source)) {
    // A descriptor may name a change tracking file that is not there any more.
    if ((await store.stat(path)) === undefined) continue;
    const name = `safety-${taken.length}`;
    const copy = store.join(runFolderOf(source.path), name);
    await store.cloneFile?.(path, copy);
    const stat = await store.stat(copy);
    const file = store.folderOf(path) === store.folderOf(source.path) ? store.nameOf(path) : path;
    taken.push({ role, file, copy: name, sizeBytes: stat?.sizeBytes ?? 0, inode: stat?.inode ?? '' });
  }
  return taken;
}

/** Where a copy lies, and where it belongs. */
export interface SafetyPaths {
  readonly file: string;
  readonly copy: string;
}

/** Paths of a safety copy of the disk; its folder may be mounted elsewhere by now. */
export function safetyPaths(store: Store, diskPath: string, { file, copy }: SafetyFile): SafetyPaths {
  return {
    file: store.isAbsolute(file) ? file : store.join(store.folderOf(diskPath), file),
    copy: store.join(runFolderOf(diskPath), copy),
  };
}

/**
 * Throws Damaged (safety-copy) unless every copy is there, the very file that was made (inode), with the bytes it had.
 * Before anything is put back.
 */
export async function checkCopies(
  store: Store,
  diskPath: string,
  files: readonly SafetyFile[],
): Promise<void> {
  for (const each of files) {
    const { copy } = safetyPaths(store, diskPath, each);
    const stat = await store.stat(copy);
    const isWhole = stat?.kind === 'file' && stat.sizeBytes === each.sizeBytes && stat.inode === each.inode;
    if (isWhole) continue;
    throw damaged('safety-copy', 'the safety copy is not the one that the run made: nothing was put back', {
      path: copy,
      expected: `inode ${each.inode}, ${each.sizeBytes} bytes`,
      actual: stat === undefined ? 'nothing there' : `inode ${stat.inode}, ${stat.sizeBytes} bytes`,
      hint: 'finish the run with vmreclaim resume; or put a backup back and drop it with vmreclaim abandon --force',
    });
  }
}
