import { isFamily, type VmreclaimError } from '../core/errors.js';
import type { Reader } from '../device/types.js';
import { extFiles } from '../formats/ext/files.js';
import { fatFiles } from '../formats/fat/files.js';
import { ntfsFiles } from '../formats/ntfs/files.js';
import type { FileFinder } from '../formats/volume-file.js';

const FINDERS: Readonly<Record<string, (volume: Reader) => Promise<FileFinder>>> = {
  ntfs: ntfsFiles,
  fat12: fatFiles,
  fat16: fatFiles,
  fat32: fatFiles,
  ext2: extFiles,
  ext3: extFiles,
  ext4: extFiles,
};

/** Finds files of a volume; null when its file system is not one that can be searched. Throws Damaged. */
export async function finderOf(filesystem: string | null, volume: Reader): Promise<FileFinder | null> {
  return (await FINDERS[filesystem ?? '']?.(volume)) ?? null;
}

/** True for what a volume itself is the reason of, as opposed to the store or this program. */
export function isOfTheDisk(error: unknown): error is VmreclaimError {
  return isFamily(error, 'damaged') || isFamily(error, 'unsupported') || isFamily(error, 'refused');
}
