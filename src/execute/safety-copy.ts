import { damaged } from '../core/errors.js';
import type { Store } from '../device/store.js';
import { runFolderOf } from '../disk/names.js';
import type { SafetyFile } from './types.js';

/** Names of safety copies in the run folder, and of nothing else there. */
export const SAFETY_COPY = /^safety-\d{1,6}$/;

/** The name of a safety copy in the run folder. */
export const safetyName = (index: number): string => `safety-${index}`;

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
