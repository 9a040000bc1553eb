import { spawn } from 'node:child_process';
import type { FileHandle } from 'node:fs/promises';
import { readFile } from 'node:fs/promises';
import { conflict, refused, type VmreclaimError } from '../../core/errors.js';
import { deviceNumber } from './device-number.js';
import { isErrno, type NativeCalls } from './native.js';

/** Exit code of flock -n when somebody else holds the lock. */
const FLOCK_HELD = 1;

/**
 * Locks the open file against other vmreclaims and hypervisors that lock what they use (qemu). The kernel
 * drops the lock when the file is closed, also by a crash. Throws Conflict (in-use) when somebody holds it
 * and Refused (no-lock) where no kind of lock is to be had.
 */
export async function lockFile(
  handle: FileHandle,
  path: string,
  native: NativeCalls | undefined,
): Promise<void> {
  if (native !== undefined) {
    lockNative(handle.fd, path, native);
    return;
  }
  await lockByCommand(handle.fd, path);
  await checkRecordLocks(handle, path);
}

function lockNative(fd: number, path: string, native: NativeCalls): void {
  try {
    native.lockExclusive(fd);
  } catch (error) {
    if (isErrno(error, 'EAGAIN', 'EACCES')) throw inUse(path);
    throw noLock(path, error);
  }
}

/**
 * Takes flock(2) with the command of util-linux. The child locks the open file it inherits as descriptor 3,
 * and the lock stays with that open file, which is ours, when the child is gone.
 */
async function lockByCommand(fd: number, path: string): Promise<void> {
  const exitCode = await new Promise<number | null>((resolve, reject) => {
    const child = spawn('flock', ['--nonblock', '--exclusive', '3'], {
      stdio: ['ignore', 'ignore', 'ignore', fd],
    });
    child.once('error', (error) => reject(noLock(path, error)));
    child.once('exit', resolve);
  });
  if (exitCode === FLOCK_HELD) throw inUse(path);
  if (exitCode !== 0) throw noLock(path, `flock ended with ${exitCode}`);
}

/**
 * flock(2) does not see the record locks of a running qemu, but the kernel lists them. Where /proc is not
 * there this finds nothing: the descriptor that a run hides is the second guard.
 */
async function checkRecordLocks(handle: FileHandle, path: string): Promise<void> {
  const { dev, ino } = await handle.stat({ bigint: true });
  const { major, minor } = deviceNumber(dev);
  const file = `${hex(major)}:${hex(minor)}:${ino}`;
  const locks = await readFile('/proc/locks', 'latin1').catch(() => '');
  const isRecordLock = (line: string): boolean => {
    const fields = line.split(/\s+/);
    return fields.includes(file) && (fields.includes('OFDLCK') || fields.includes('POSIX'));
  };
  if (locks.split('\n').some(isRecordLock)) throw inUse(path);
}

const hex = (value: bigint): string => value.toString(16).padStart(2, '0');

function inUse(path: string): VmreclaimError {
  return conflict('in-use', `${path} is in use by another program`, {
    path,
    hint: 'power off the machine that uses it, or wait for the other vmreclaim to end',
  });
}

function noLock(path: string, cause: unknown): VmreclaimError {
  return refused('no-lock', `${path} cannot be locked, so nothing would stop a second writer`, {
    path,
    cause,
    hint: 'install the npm package koffi, or the flock command of util-linux',
  });
}
