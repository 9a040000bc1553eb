import { constants } from 'node:fs';
import type { Stats } from 'ssh2';
import { MIB } from '../../core/units.js';
import type { FileKind, FolderEntry } from '../../device/store.js';
import { asOwnError, badAnswer, isEof, isNotFound, isUnsupported } from './errors.js';
import { asVoid, type Session } from './session.js';

/** What the protocol tells of a file. */
export interface Attributes {
  readonly kind: FileKind;
  readonly sizeBytes: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly modifiedMs: number;
}

/** A folder on a datastore has some hundred entries. A server that never stops listing must not fill the memory. */
const MAX_ENTRIES = 65_536;
/** Twice of what file systems allow; and of all names of a folder together. */
const MAX_NAME_BYTES = 510;
const MAX_NAMES_BYTES = 8 * MIB;
const PERMISSION_BITS = 0o7777;

const MEANS: Readonly<Record<number, FileKind>> = {
  [constants.S_IFREG]: 'file',
  [constants.S_IFDIR]: 'folder',
  [constants.S_IFLNK]: 'link',
};

const kindOf = (mode: number | undefined): FileKind =>
  mode === undefined ? 'other' : (MEANS[mode & constants.S_IFMT] ?? 'other');

/** Attributes with a size that can be; a server that does not tell the size of a file is of no use here. */
export function attributesOf(stats: Stats, path: string): Attributes {
  const { size, mode, uid = 0, gid = 0, mtime = 0 } = stats as Partial<Stats>;
  const sizeBytes = Number(size ?? 0);
  const kind = kindOf(mode);
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0 || (kind === 'file' && size === undefined)) {
    throw badAnswer(path, 'the size of a file');
  }
  return { kind, sizeBytes, mode: (mode ?? 0) & PERMISSION_BITS, uid, gid, modifiedMs: mtime * 1000 };
}

/** Attributes of an entry; undefined when there is nothing. */
export async function look(
  session: Session,
  remote: string,
  path: string,
  follow: 'lstat' | 'stat',
): Promise<Attributes | undefined> {
  try {
    const stats = await session.request<Stats>((sftp, done) => sftp[follow](remote, done));
    return attributesOf(stats, path);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw asOwnError(error, 'look at', path);
  }
}

/** Entries of a folder in name order. Names that are none (`a/b`, empty, too long) end it: nothing true follows. */
export async function listFolder(session: Session, remote: string, path: string): Promise<FolderEntry[]> {
  const found: Listing = { kinds: new Map(), nameBytes: 0 };
  try {
    const handle = await session.request<Buffer>((sftp, done) => sftp.opendir(remote, done));
    try {
      for (let rounds = 0; await readSome(session, handle, path, found); rounds++) {
        if (rounds > MAX_ENTRIES) throw badAnswer(path, 'a list that does not end');
      }
    } finally {
      await session.request((sftp, done) => sftp.close(handle, asVoid(done)));
    }
  } catch (error) {
    throw asOwnError(error, 'list', path);
  }
  return [...found.kinds].map(([name, kind]) => ({ name, kind })).sort((a, b) => (a.name < b.name ? -1 : 1));
}

interface Listing {
  readonly kinds: Map<string, FileKind>;
  nameBytes: number;
}

async function readSome(session: Session, handle: Buffer, path: string, found: Listing): Promise<boolean> {
  type Entry = { filename: string; attrs: Stats };
  const entries = await session.request<Entry[] | undefined>((sftp, done) =>
    sftp.readdir(handle, (error, list) => (isEof(error) ? done(null, undefined) : done(error, list))),
  );
  if (entries === undefined) return false;
  for (const { filename, attrs } of entries) {
    if (filename === '.' || filename === '..') continue;
    const nameBytes = Buffer.byteLength(filename);
    if (nameBytes === 0 || nameBytes > MAX_NAME_BYTES || /[/\0]/.test(filename)) {
      throw badAnswer(path, 'the name of an entry');
    }
    if (found.kinds.has(filename)) throw badAnswer(path, 'an entry that comes twice');
    found.kinds.set(filename, kindOf((attrs as Partial<Stats>).mode));
    found.nameBytes += nameBytes;
  }
  if (found.kinds.size > MAX_ENTRIES || found.nameBytes > MAX_NAMES_BYTES) {
    throw badAnswer(path, 'a folder with more entries than there can be');
  }
  return true;
}

/** SSH_FXF_READ, WRITE, CREAT and EXCL: for a file that must not be there. */
const CREATE_NEW = 0x01 | 0x02 | 0x08 | 0x20;

/** Opens a file; the handle. */
export function openHandle(
  session: Session,
  remote: string,
  flags: 'r' | 'r+' | 'wx+',
  mode = 0,
): Promise<Buffer> {
  return session.request<Buffer>((sftp, done) => {
    if (flags === 'wx+') sftp.open(remote, CREATE_NEW, { mode }, done);
    else sftp.open(remote, flags, done);
  });
}

/** Runs a request with a path and no answer. */
export async function act(
  session: Session,
  doing: string,
  path: string,
  start: (
    sftp: Parameters<Parameters<Session['request']>[0]>[0],
    done: (error?: Error | null) => void,
  ) => void,
): Promise<void> {
  try {
    await session.request<void>((sftp, done) => start(sftp, asVoid(done as never)));
  } catch (error) {
    throw asOwnError(error, doing, path);
  }
}

/**
 * Makes changed names in a folder survive a power cut: OpenSSH opens a folder like a file and flushes it. A server that
 * does not keeps names by its own rules, which nobody can change from here.
 */
export async function flushFolder(session: Session, remote: string): Promise<void> {
  try {
    const handle = await openHandle(session, remote, 'r');
    try {
      await session.request((sftp, done) => sftp.ext_openssh_fsync(handle, asVoid(done)));
    } finally {
      await session.request((sftp, done) => sftp.close(handle, asVoid(done)));
    }
  } catch (error) {
    if (session.lost !== undefined) throw session.lost;
    // A refused open or flush of a folder; anything else of ours passes.
    if (!(error instanceof Error) || !('code' in error || isUnsupported(error))) throw error;
  }
}
