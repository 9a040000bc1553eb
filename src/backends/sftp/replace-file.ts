import { temporaryNameOf } from '../../device/store.js';
import { asOwnError } from './errors.js';
import type { SftpPaths } from './paths.js';
import { type Attributes, act, flushFolder, look, openHandle } from './requests.js';
import { asVoid, type Session, SLOW_REQUEST_MS } from './session.js';

const NEW_FILE_MODE = 0o644;
const REQUEST_BYTES = 255 * 1024;

/** How a file is replaced: flush is false only when the user gave consent to a server that cannot. */
export interface ReplaceOptions {
  readonly flush: boolean;
}

/**
 * As the local store does it: temporary file, bytes, flush, rename over the old one (posix-rename@openssh.com), flush of
 * the folder. Mode and owner stay, the owner only where this user may give it away; a link stays a link.
 */
export async function replaceFile(
  session: Session,
  paths: SftpPaths,
  path: string,
  bytes: Uint8Array,
  { flush }: ReplaceOptions,
): Promise<void> {
  const old = await look(session, paths.remote(path), path, 'stat');
  const remote = await targetOf(session, paths, path, old);
  const folder = paths.remote(paths.folderOf(paths.url(remote)));
  const temporary = paths.remote(paths.join(folder, temporaryNameOf(paths.nameOf(paths.url(remote)))));
  try {
    if ((await look(session, temporary, path, 'lstat')) !== undefined) {
      await act(session, 'remove', path, (sftp, done) => sftp.unlink(temporary, done));
    }
    const handle = await openHandle(session, temporary, 'wx+', old === undefined ? NEW_FILE_MODE : 0o600);
    try {
      await fill(session, handle, bytes, old, flush);
    } finally {
      await session.request((sftp, done) => sftp.close(handle, asVoid(done)));
    }
    await session.request((sftp, done) => sftp.ext_openssh_rename(temporary, remote, asVoid(done)));
  } catch (error) {
    await act(session, 'remove', path, (sftp, done) => sftp.unlink(temporary, done)).catch(() => undefined);
    throw asOwnError(error, 'replace', path);
  }
  await flushFolder(session, folder);
}

/** Where the bytes of the file are: behind a link. */
async function targetOf(
  session: Session,
  paths: SftpPaths,
  path: string,
  old: Attributes | undefined,
): Promise<string> {
  if (old === undefined) return paths.remote(path);
  try {
    return await session.request<string>((sftp, done) => sftp.realpath(paths.remote(path), done));
  } catch (error) {
    throw asOwnError(error, 'resolve', path);
  }
}

async function fill(
  session: Session,
  handle: Buffer,
  bytes: Uint8Array,
  old: Attributes | undefined,
  flush: boolean,
): Promise<void> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at < buffer.length; at += REQUEST_BYTES) {
    const length = Math.min(REQUEST_BYTES, buffer.length - at);
    await session.request((sftp, done) => sftp.write(handle, buffer, at, length, at, asVoid(done)));
  }
  if (old !== undefined) await takeOver(session, handle, old);
  if (flush)
    await session.request((sftp, done) => sftp.ext_openssh_fsync(handle, asVoid(done)), SLOW_REQUEST_MS);
}

/** Owner first: changing it drops the set-id bits of the mode. Another user's file keeps its mode at least. */
async function takeOver(session: Session, handle: Buffer, { uid, gid, mode }: Attributes): Promise<void> {
  try {
    await session.request((sftp, done) => sftp.fsetstat(handle, { uid, gid }, asVoid(done)));
  } catch (error) {
    if (session.lost !== undefined) throw error;
  }
  await session.request((sftp, done) => sftp.fsetstat(handle, { mode }, asVoid(done)));
}
