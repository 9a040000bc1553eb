import { refusal, refused } from '../core/errors.js';
import { runFolderOf } from '../disk/names.js';
import type { DiskSource } from '../disk/types.js';
import { safetyName } from '../execute/safety-copy.js';
import type { SafetyFile, SafetyRole } from '../execute/types.js';

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
    if (obstacle !== undefined) throw refusal(obstacle, { path: extent.path });
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
    const name = safetyName(taken.length);
    const copy = store.join(runFolderOf(source.path), name);
    await store.cloneFile?.(path, copy);
    const stat = await store.stat(copy);
    const file = store.folderOf(path) === store.folderOf(source.path) ? store.nameOf(path) : path;
    taken.push({ role, file, copy: name, sizeBytes: stat?.sizeBytes ?? 0, inode: stat?.inode ?? '' });
  }
  return taken;
}
