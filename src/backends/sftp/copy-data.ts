import { randomBytes } from 'node:crypto';
import { KIB, MIB } from '../../core/units.js';
import { temporaryNameOf } from '../../device/store.js';
import type { InPlace } from './copier.js';
import { asOwnError, statusOf } from './errors.js';
import type { SftpPaths } from './paths.js';
import { openHandle } from './requests.js';
import { asVoid, type Session, SLOW_REQUEST_MS } from './session.js';

/** The server reports no progress and answers nothing else meanwhile. */
const COPY_BYTES = 64 * MIB;
/** Shorter ones go over the wire in one request each way. */
const SMALLEST_COPY_BYTES = 64 * KIB;
const PROBE_BYTES = 8192;

/**
 * Copying inside one file by `copy-data` of OpenSSH 9.0 and later, which refuses one path for source and target, but takes
 * the same file by another spelling. Nothing promises that, so a scratch file beside the disk shows first whether it
 * really copies; undefined where it does not.
 */
export async function copyDataInPlace(
  session: Session,
  paths: SftpPaths,
  path: string,
): Promise<InPlace | undefined> {
  if (!(await probe(session, paths, path))) return undefined;
  const close = (handle: Buffer) => session.request((sftp, done) => sftp.close(handle, asVoid(done)));
  const handles: Buffer[] = [];
  try {
    handles.push(await openHandle(session, paths.remote(path), 'r'));
    handles.push(await openHandle(session, otherSpelling(paths, path), 'r+'));
  } catch (error) {
    if (session.lost !== undefined) throw session.lost;
    // Some stores let a file be opened for writing only once.
    for (const handle of handles) await close(handle);
    if (statusOf(error) === undefined) throw error;
    return undefined;
  }
  const [source, target] = handles as [Buffer, Buffer];
  return {
    kind: 'copy-data',
    canPunch: false,
    smallestCopy: SMALLEST_COPY_BYTES,
    copy: async (from, to, length) => {
      try {
        for (let done = 0; done < length; done += COPY_BYTES) {
          const piece = Math.min(COPY_BYTES, length - done);
          await copyPiece(session, source, from + done, target, to + done, piece);
        }
      } catch (error) {
        throw asOwnError(error, 'copy inside', path);
      }
    },
    close: async () => {
      await close(source);
      await close(target);
    },
  };
}

function copyPiece(
  session: Session,
  source: Buffer,
  from: number,
  target: Buffer,
  to: number,
  length: number,
) {
  return session.request<void>(
    (sftp, done) => sftp.ext_copy_data(source, from, length, target, to, asVoid(done as never)),
    SLOW_REQUEST_MS,
  );
}

function otherSpelling(paths: SftpPaths, path: string): string {
  return `${paths.remote(paths.folderOf(path))}/./${paths.nameOf(path)}`.replace('//', '/');
}

/** Copies inside a scratch file and compares. Whatever fails means no, except a lost connection. */
async function probe(session: Session, paths: SftpPaths, path: string): Promise<boolean> {
  const scratch = paths.join(paths.folderOf(path), temporaryNameOf(`${paths.nameOf(path)}.copy-probe`));
  const remote = paths.remote(scratch);
  const unlink = () => session.request((sftp, done) => sftp.unlink(remote, asVoid(done)));
  const handles: Buffer[] = [];
  try {
    await unlink().catch(() => undefined);
    const source = await openHandle(session, remote, 'wx+', 0o600);
    handles.push(source);
    const bytes = randomBytes(PROBE_BYTES);
    await session.request((sftp, done) => sftp.write(source, bytes, 0, PROBE_BYTES, 0, asVoid(done)));
    const target = await openHandle(session, otherSpelling(paths, scratch), 'r+');
    handles.push(target);
    await copyPiece(session, source, 0, target, PROBE_BYTES, PROBE_BYTES);
    const found = Buffer.alloc(2 * PROBE_BYTES + 1);
    const count = await session.request<number>((sftp, done) =>
      sftp.read(source, found, 0, found.length, 0, done),
    );
    return count === 2 * PROBE_BYTES && found.subarray(0, count).equals(Buffer.concat([bytes, bytes]));
  } catch {
    if (session.lost !== undefined) throw session.lost;
    return false;
  } finally {
    for (const handle of handles) {
      await session.request((sftp, done) => sftp.close(handle, asVoid(done))).catch(() => undefined);
    }
    await unlink().catch(() => undefined);
  }
}
