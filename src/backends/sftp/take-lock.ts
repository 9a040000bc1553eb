import { createHash } from 'node:crypto';
import { isFamily } from '../../core/errors.js';
import { KIB } from '../../core/units.js';
import { type ClientName, lockNameOf } from '../../device/store.js';
import type { InPlace } from './copier.js';
import { copyDataInPlace } from './copy-data.js';
import { asOwnError, isEof, isLinkLost } from './errors.js';
import { type HelperProcess, helperInPlace } from './helper.js';
import { lockedBy, lockNote, parseLockNote } from './lock.js';
import type { SftpPaths } from './paths.js';
import { act, look, openHandle } from './requests.js';
import { asVoid, type Session } from './session.js';
import type { FileLock, SftpFile } from './sftp-file.js';

const MAX_NOTE_BYTES = 4 * KIB;
/** As much as the helper takes its hash of. */
const HEAD_BYTES = 64 * KIB;

/** A lock of the kernel of this machine: ends with the process, however that ends. */
export interface LocalLock {
  /** True when an earlier process may have left a lock file on the server. */
  readonly mayHaveLeft: boolean;
  /** Remembers whether there may be a lock file on the server. */
  remember(mayBeThere: boolean): Promise<void>;
  close(): Promise<void>;
}

export interface LockOptions {
  readonly client: ClientName;
  /** A lock of the kernel of this machine, for this client's other processes. Conflict (in-use). */
  readonly lockLocally: (path: string) => Promise<LocalLock>;
  /** The helper of the session; undefined: there is none, or it is not wanted. */
  readonly helper: () => Promise<HelperProcess | undefined>;
  /** The connection by now, for giving the lock back after a loss. */
  readonly current: () => Session;
  /** Lock files that could not be removed because the link was lost, by file: what their notes say. */
  readonly left: Map<string, string>;
  /** False: every byte goes over the wire. */
  readonly serverSide: boolean;
}

/**
 * Locks an open file. SFTP has no locks, so there are two: one of the kernel here, which keeps other processes of this
 * client out and ends with the process, and a file beside the disk, made exclusively, which keeps other clients out. What a
 * crash of this client leaves is taken over by it. Where the helper runs it adds a lock of the server's kernel.
 */
export async function takeLock(
  session: Session,
  paths: SftpPaths,
  file: SftpFile,
  options: LockOptions,
): Promise<FileLock> {
  const path = file.label;
  const local = await options.lockLocally(path);
  let isThere = false;
  let nonce = '';
  let inPlace: InPlace | undefined;
  const release = async (): Promise<void> => {
    try {
      if (session.lost === undefined) await inPlace?.close().catch(ignoreLoss);
      if (isThere) await removeLock(options.current(), paths, path);
      // Without a word from the server there may be one.
      if (isThere || session.lost === undefined) await local.remember(!isThere && local.mayHaveLeft);
    } catch (error) {
      if (isThere && isLinkLost(error)) options.left.set(path, nonce);
      throw error;
    } finally {
      await local.close();
    }
  };
  try {
    nonce = await writeLock(session, paths, path, local, options);
    isThere = true;
    options.left.delete(path);
    inPlace = options.serverSide ? await findWay(session, paths, file, nonce, options) : undefined;
    return { inPlace, release };
  } catch (error) {
    await release().catch(ignoreLoss);
    throw error;
  }
}

function ignoreLoss(error: unknown): void {
  if (!isLinkLost(error)) throw error;
}

/** Makes the lock file and looks whether it is really ours; its nonce. */
async function writeLock(
  session: Session,
  paths: SftpPaths,
  path: string,
  local: LocalLock,
  options: LockOptions,
): Promise<string> {
  const lockFile = lockNameOf(path);
  const remote = paths.remote(lockFile);
  const { bytes, nonce } = lockNote(options.client, path);
  // Before it is there: a link that breaks in the middle leaves a lock file without a word in it.
  await local.remember(true);
  try {
    await create(session, remote, bytes);
  } catch (error) {
    if (session.lost !== undefined) throw error;
    if ((await look(session, remote, lockFile, 'lstat')) === undefined) throw asOwnError(error, 'lock', path);
    await takeOver(session, paths, path, local, options, () => create(session, remote, bytes));
  }
  const written = parseLockNote(await readNote(session, remote, lockFile));
  if (written?.nonce !== nonce) throw lockedBy(path, lockFile, written);
  return nonce;
}

/**
 * Replaces a lock file that a dead process of this client has left. Dead, because its lock here is free: ours is the same,
 * or, when it called the disk by another name, taken as well. A torn one is ours when an earlier process was at it.
 */
async function takeOver(
  session: Session,
  paths: SftpPaths,
  path: string,
  local: LocalLock,
  { client, lockLocally }: LockOptions,
  replace: () => Promise<void>,
): Promise<void> {
  const lockFile = lockNameOf(path);
  const owner = parseLockNote(await readNote(session, paths.remote(lockFile), lockFile));
  const isOurs =
    owner === undefined
      ? local.mayHaveLeft
      : owner.client.id === client.id && owner.client.host === client.host;
  if (!isOurs) throw lockedBy(path, lockFile, owner);
  const other = owner === undefined || owner.disk === path ? undefined : await lockLocally(owner.disk);
  try {
    await removeLock(session, paths, path);
    await replace();
    await other?.remember(false);
  } catch (error) {
    throw asOwnError(error, 'lock', path);
  } finally {
    await other?.close();
  }
}

/** Removes the lock files of a connection that was lost, unless they are somebody else's by now. */
export async function removeLeftLocks(
  session: Session,
  paths: SftpPaths,
  left: Map<string, string>,
): Promise<void> {
  for (const [path, nonce] of left) {
    const lockFile = lockNameOf(path);
    const remote = paths.remote(lockFile);
    if ((await look(session, remote, lockFile, 'lstat')) !== undefined) {
      const note = parseLockNote(await readNote(session, remote, lockFile));
      if (note?.nonce === nonce) await removeLock(session, paths, path);
    }
    left.delete(path);
  }
}

async function removeLock(session: Session, paths: SftpPaths, path: string): Promise<void> {
  const lockFile = lockNameOf(path);
  try {
    await act(session, 'remove', lockFile, (sftp, done) => sftp.unlink(paths.remote(lockFile), done));
  } catch (error) {
    if (!isFamily(error, 'device') || error.code !== 'not-found') throw error;
  }
}

/** Makes a lock file; a half one is removed again, unless the link is lost. */
async function create(session: Session, remote: string, bytes: Uint8Array): Promise<void> {
  const handle = await openHandle(session, remote, 'wx+', 0o644);
  const buffer = Buffer.from(bytes);
  try {
    await session.request((sftp, done) => sftp.write(handle, buffer, 0, buffer.length, 0, asVoid(done)));
  } catch (error) {
    await session.request((sftp, done) => sftp.unlink(remote, asVoid(done))).catch(() => undefined);
    throw error;
  } finally {
    await session.request((sftp, done) => sftp.close(handle, asVoid(done)));
  }
}

/** What a lock file holds; nothing when it is torn at its beginning. */
async function readNote(session: Session, remote: string, path: string): Promise<Uint8Array> {
  try {
    const handle = await openHandle(session, remote, 'r');
    const buffer = Buffer.alloc(MAX_NOTE_BYTES);
    try {
      const count = await session.request<number>((sftp, done) =>
        sftp.read(handle, buffer, 0, buffer.length, 0, (error, bytesRead) =>
          isEof(error) ? done(null, 0) : done(error, bytesRead),
        ),
      );
      return buffer.subarray(0, Math.min(count, buffer.length));
    } finally {
      await session.request((sftp, done) => sftp.close(handle, asVoid(done)));
    }
  } catch (error) {
    throw asOwnError(error, 'read', path);
  }
}

/** How the server copies inside the file without the wire: by the helper, else by copy-data, else not at all. */
async function findWay(
  session: Session,
  paths: SftpPaths,
  file: SftpFile,
  nonce: string,
  options: LockOptions,
): Promise<InPlace | undefined> {
  const path = file.label;
  const helper = await options.helper();
  if (helper !== undefined) {
    const head = await file.readAt(0, Math.min(HEAD_BYTES, file.sizeBytes));
    const proof = { sizeBytes: file.sizeBytes, head: createHash('sha256').update(head).digest('hex'), nonce };
    const lockFile = paths.remote(lockNameOf(path));
    const found = await helperInPlace(helper, paths.remote(path), lockFile, path, proof);
    if (found !== undefined) return found;
  }
  return await copyDataInPlace(session, paths, path);
}
