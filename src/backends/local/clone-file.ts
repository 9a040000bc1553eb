import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Reason, refusal } from '../../core/errors.js';
import { KIB } from '../../core/units.js';
import { attempt } from './errors.js';
import { isErrno, type NativeCalls } from './native.js';
import { syncFolder, takeOver } from './replace-file.js';

/** How file systems, and kernels, say that they cannot share blocks between these files; EISDIR: nor make a nameless one. */
export const CANNOT_CLONE = [
  'EOPNOTSUPP',
  'ENOTSUP',
  'ENOTTY',
  'ENOSYS',
  'EINVAL',
  'EXDEV',
  'EISDIR',
] as const;
/** A file without a name (open(2)); Node has no word for it. The same on all machines the native calls know. */
const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY;
/** A multiple of every block size that file systems with shared blocks have. */
const PROBE_BYTES = 64 * KIB;
/** Until it has the mode of its source. */
const PRIVATE_FILE = 0o600;

/**
 * `cloneFile` of the local store. FICLONE is the only call that promises to share blocks: copy_file_range copies where it
 * cannot, and takes the room. The length of what is there is cut to that of the source first, because the call leaves what lies
 * behind it; so a trial on a few bytes comes before.
 */
export async function cloneFile(
  source: string,
  target: string,
  native: NativeCalls | undefined,
): Promise<void> {
  const obstacle = await whyNoClone(source, native);
  if (native === undefined || obstacle !== undefined) throw refusal(obstacle ?? NO_MODULE, { path: source });
  await attempt('make a copy that shares blocks of', source, () =>
    withFile(source, constants.O_RDONLY, async (from) => {
      const isNew = await openTarget(target, (to) => fill(from, to, native, source));
      if (isNew) await syncFolder(dirname(target));
    }),
  );
}

async function fill(from: FileHandle, to: FileHandle, native: NativeCalls, source: string): Promise<void> {
  const like = await from.stat();
  await takeOver(to, like);
  if ((await to.stat()).size > like.size) await to.truncate(like.size);
  share(native, from, to, 0, source);
  await to.sync();
}

/** Uses the file at the path, or a new one; true when it is new. */
async function openTarget(target: string, use: (to: FileHandle) => Promise<void>): Promise<boolean> {
  try {
    await withFile(target, constants.O_RDWR, use);
    return false;
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
  await withFile(target, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, use);
  return true;
}

/** Asks by doing it: a copy without a name, of a few bytes. */
export async function whyNoClone(
  source: string,
  native: NativeCalls | undefined,
): Promise<Reason | undefined> {
  if (native === undefined) return NO_MODULE;
  return attempt('try to share blocks of', source, async () => {
    try {
      await withFile(source, constants.O_RDONLY, (from) =>
        withFile(dirname(source), O_TMPFILE | constants.O_RDWR, async (to) => {
          const { size } = await from.stat();
          native.cloneRange(from.fd, to.fd, size < PROBE_BYTES ? 0 : PROBE_BYTES);
        }),
      );
      return undefined;
    } catch (error) {
      if (isErrno(error, ...CANNOT_CLONE)) return NO_REFLINK;
      throw error;
    }
  });
}

/** Throws Refused (no-reflink) when the file system has no such thing. */
function share(native: NativeCalls, from: FileHandle, to: FileHandle, length: number, path: string): void {
  try {
    native.cloneRange(from.fd, to.fd, length);
  } catch (error) {
    if (isErrno(error, ...CANNOT_CLONE)) throw refusal(NO_REFLINK, { path: path });
    throw error;
  }
}

async function withFile<T>(path: string, flags: number, use: (handle: FileHandle) => Promise<T>): Promise<T> {
  const handle = await open(path, flags, PRIVATE_FILE);
  try {
    return await use(handle);
  } finally {
    await handle.close();
  }
}

const NO_REFLINK: Reason = {
  code: 'no-reflink',
  message: 'the file system of the disk cannot make copies that share blocks',
  hint: 'leave --safety-copy out and keep a backup, or keep the disk on XFS (mkfs.xfs -m reflink=1) or btrfs',
};

const NO_MODULE: Reason = {
  code: 'no-reflink',
  message: 'copies that share blocks need the optional module koffi on 64-bit Linux',
  hint: 'install it (npm install --include=optional), or leave --safety-copy out and keep a backup',
};
