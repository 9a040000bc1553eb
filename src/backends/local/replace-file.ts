import type { Stats } from 'node:fs';
import { constants } from 'node:fs';
import { type FileHandle, open, realpath, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { temporaryNameOf } from '../../device/store.js';
import { isErrno } from './native.js';

/** Mode of a file that replaces nothing, before the umask. */
const NEW_FILE_MODE = 0o644;
const PERMISSION_BITS = 0o7777;

/**
 * Puts a file with these bytes in the place of another, so that after a crash there is the old one or the new
 * one. Order: temporary file in the same folder, its bytes, fsync, rename, fsync of the folder. Mode and
 * owner are those of the old file (the owner only if this user may give it away); a link stays a link and its
 * target is replaced. Access control lists and extended attributes are not carried over.
 *
 * The temporary file always has the same name, so that one a crash left behind is cleared away by the next attempt.
 */
export async function replaceFileDurably(path: string, bytes: Uint8Array): Promise<void> {
  const old = await statOrUndefined(path);
  const target = old === undefined ? path : await realpath(path);
  const temporary = join(dirname(target), temporaryNameOf(basename(target)));
  const mode = old === undefined ? NEW_FILE_MODE : 0o600;
  await unlink(temporary).catch((error: unknown) => {
    if (!isErrno(error, 'ENOENT')) throw error;
  });
  const handle = await open(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, mode);
  try {
    await fill(handle, bytes, old);
    await rename(temporary, target);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw error;
  }
  await syncFolder(dirname(target));
}

async function fill(handle: FileHandle, bytes: Uint8Array, old: Stats | undefined): Promise<void> {
  try {
    await handle.writeFile(bytes);
    if (old !== undefined) await takeOver(handle, old);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Gives a file the owner (where this user may) and the mode of another. Owner first: changing it drops the set-id bits of the mode. */
export async function takeOver(handle: FileHandle, old: Pick<Stats, 'uid' | 'gid' | 'mode'>): Promise<void> {
  const { uid, gid } = await handle.stat();
  if (uid !== old.uid || gid !== old.gid) {
    await handle.chown(old.uid, old.gid).catch((error: unknown) => {
      if (!isErrno(error, 'EPERM', 'EINVAL')) throw error;
    });
  }
  await handle.chmod(old.mode & PERMISSION_BITS);
}

async function statOrUndefined(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** Makes names that were added, renamed or removed in the folder survive a power cut. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } catch (error) {
    // Some network file systems cannot sync folders, because every change of names is durable there at once.
    if (!isErrno(error, 'EINVAL', 'ENOTSUP', 'EOPNOTSUPP')) throw error;
  } finally {
    await handle.close();
  }
}
