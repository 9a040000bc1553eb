import { conflict, deviceError, VmreclaimError } from '../../core/errors.js';

/** What the operating system says, in our words: a stable code and what to do about it. */
const MEANING: Readonly<Record<string, { code: string; says: string; hint?: string }>> = {
  ENOSPC: { code: 'no-space', says: 'no space left', hint: 'free some space there and try again' },
  EDQUOT: { code: 'no-space', says: 'quota exceeded', hint: 'free some space there and try again' },
  EFBIG: { code: 'file-too-large', says: 'the file system does not allow files of this size' },
  EACCES: { code: 'permission', says: 'permission denied', hint: 'run as a user who may change it' },
  EPERM: { code: 'permission', says: 'operation not permitted', hint: 'run as a user who may change it' },
  EROFS: { code: 'permission', says: 'the file system is mounted read-only' },
  ENOENT: { code: 'not-found', says: 'no such file or folder' },
  ENOTDIR: { code: 'not-a-folder', says: 'not a folder' },
  EISDIR: { code: 'not-a-file', says: 'a folder, not a file' },
  ENOTEMPTY: { code: 'folder-not-empty', says: 'the folder is not empty' },
  ELOOP: { code: 'too-many-links', says: 'too many links' },
  ENAMETOOLONG: { code: 'name-too-long', says: 'the name is too long' },
  EBUSY: { code: 'busy', says: 'in use by the system', hint: 'power off the machine that uses it' },
  ETXTBSY: { code: 'busy', says: 'in use by the system', hint: 'stop the program that uses it' },
  EMFILE: { code: 'too-many-open-files', says: 'too many open files', hint: 'raise the limit (ulimit -n)' },
  ENFILE: { code: 'too-many-open-files', says: 'too many open files in the system' },
  EXDEV: { code: 'other-file-system', says: 'it would move to another file system' },
  ESTALE: { code: 'io', says: 'the server no longer knows the file' },
  EIO: { code: 'io', says: 'input/output error', hint: 'check the storage (dmesg)' },
};

/**
 * A failure of node:fs as an error of ours. `doing` completes "cannot": `read 512 bytes of`. Errors that are
 * already ours pass through, so that it can wrap whole functions.
 */
export function storeError(error: unknown, doing: string, path: string, offset?: number): VmreclaimError {
  if (error instanceof VmreclaimError) return error;
  const errno = error instanceof Error && 'code' in error ? String(error.code) : '';
  const at = { path, cause: error, ...(offset === undefined ? {} : { offset }) };
  if (errno === 'EEXIST') return conflict('exists', `${path} is there already`, at);
  const meaning = MEANING[errno] ?? { code: 'io', says: errno || String(error) };
  const hint = meaning.hint === undefined ? {} : { hint: meaning.hint };
  return deviceError(meaning.code, `cannot ${doing} ${path}: ${meaning.says}`, { ...at, ...hint });
}

/** Runs a step and turns its failure into an error of ours. */
export async function attempt<T>(doing: string, path: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    throw storeError(error, doing, path);
  }
}
