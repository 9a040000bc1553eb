import type { FileHandle } from 'node:fs/promises';
import type { ByteRange } from '../../core/range.js';
import { MIB } from '../../core/units.js';
import { CANNOT_CLONE } from './clone-file.js';
import { storeError } from './errors.js';
import { isErrno, type NativeCalls } from './native.js';

/** Bytes that one call shares before others get their turn: a file may be in many pieces. */
const CLONE_CALL_BYTES = 64 * MIB;
/** A file that the kernel uses, for swap or as a program, is not cloned either. */
const CANNOT = [...CANNOT_CLONE, 'ETXTBSY', 'EPERM'] as const;

/** Lets the target, which is as long as the range, share its blocks. False: it cannot be done; a part of it may be. */
export async function shareRange(
  native: NativeCalls,
  source: FileHandle,
  target: FileHandle,
  { at, length }: ByteRange,
  path: string,
): Promise<boolean> {
  for (let done = 0; done < length; done += CLONE_CALL_BYTES) {
    const count = Math.min(length - done, CLONE_CALL_BYTES);
    try {
      native.cloneRange(source.fd, target.fd, count, at + done, done);
    } catch (error) {
      if (isErrno(error, ...CANNOT)) return false;
      throw storeError(error, 'share blocks of', path, at + done);
    }
    // The call does not give way to others.
    await new Promise((resolve) => setImmediate(resolve));
  }
  return true;
}
