import { deviceError, type Reason, refused, unsupported, VmreclaimError } from '../../core/errors.js';
import { readWhole } from '../../device/read-whole.js';
import type { FileStat, JournalRoom, Store, StoreFile, StoreVolume } from '../../device/store.js';
import { type CopyWay, GUESS_NOTE, WAY_NOTES } from './copier.js';
import { asOwnError, isThere, isUnsupported, requestError } from './errors.js';
import { HelperProcess } from './helper.js';
import type { RemoteOptions } from './options.js';
import { type SftpPaths, sftpPaths } from './paths.js';
import { replaceFile } from './replace-file.js';
import { type Attributes, act, flushFolder, listFolder, look, openHandle } from './requests.js';
import { asVoid, type Session } from './session.js';
import { SftpFile } from './sftp-file.js';
import { type RemoteShell, remoteShell } from './shell.js';
import { type LockOptions, removeLeftLocks, takeLock } from './take-lock.js';
import { spaceOf, volumeOf } from './volume.js';

const PRIVATE_FILE = 0o600;
const PRIVATE_FOLDER = 0o700;
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 30_000;
const DEFAULT_LINK_SECONDS = 300;

/** What a store needs from outside its protocol. */
export interface SftpSurroundings {
  readonly journals: JournalRoom;
  readonly lockLocally: LockOptions['lockLocally'];
  /** Connects, again after a loss. */
  readonly connect: () => Promise<Session>;
}

/** The files of an SFTP server. Paths are whole URLs. */
export class SftpStore implements Store {
  readonly label: string;
  readonly journals: JournalRoom;
  /** Commands on the same host, over the same connection. */
  readonly shell: RemoteShell;
  readonly join: Store['join'];
  readonly folderOf: Store['folderOf'];
  readonly nameOf: Store['nameOf'];
  readonly isAbsolute: Store['isAbsolute'];
  private readonly paths: SftpPaths;
  /** How the file that was locked last is copied in. */
  private way: CopyWay | undefined;
  private readonly left = new Map<string, string>();
  private helper: { session: Session; process: Promise<HelperProcess | undefined> } | undefined;

  constructor(
    private session: Session,
    private readonly options: RemoteOptions,
    private readonly around: SftpSurroundings,
  ) {
    this.paths = sftpPaths(session.label);
    const { join, folderOf, nameOf, isAbsolute } = this.paths;
    this.join = join;
    this.folderOf = folderOf;
    this.nameOf = nameOf;
    this.isAbsolute = isAbsolute;
    this.label = session.label;
    this.journals = around.journals;
    this.shell = remoteShell(async () => this.session);
  }

  /** The path as the server itself knows it. */
  pathOnServer(path: string): string {
    return this.paths.remote(path);
  }

  async stat(path: string): Promise<FileStat | undefined> {
    const found = await look(this.session, this.paths.remote(path), path, 'lstat');
    if (found === undefined) return undefined;
    const { kind, sizeBytes, modifiedMs } = found;
    // The protocol knows neither blocks nor inodes nor links.
    return { kind, sizeBytes, modifiedMs, allocatedBytes: null, inode: '', linkCount: null };
  }

  async realPath(path: string): Promise<string> {
    try {
      const real = await this.session.request<string>((sftp, done) =>
        sftp.realpath(this.paths.remote(path), done),
      );
      // OpenSSH resolves names that are not there.
      if ((await look(this.session, real, path, 'lstat')) !== undefined) return this.paths.url(real);
    } catch (error) {
      throw asOwnError(error, 'resolve', path);
    }
    throw deviceError('not-found', `cannot resolve ${path}: no such file or folder`, { path });
  }

  list(folder: string) {
    return listFolder(this.session, this.paths.remote(folder), folder);
  }

  async readFile(path: string, maxBytes: number): Promise<Uint8Array> {
    return readWhole(await this.open(path, 'read'), path, maxBytes);
  }

  replaceFile(path: string, bytes: Uint8Array): Promise<void> {
    return replaceFile(this.session, this.paths, path, bytes, { flush: !this.isUnsafe });
  }

  async createFolder(path: string): Promise<void> {
    const remote = this.paths.remote(path);
    try {
      await act(this.session, 'create the folder', path, (sftp, done) =>
        sftp.mkdir(remote, { mode: PRIVATE_FOLDER }, done),
      );
    } catch (error) {
      // The protocol has one answer for everything that fails.
      if (this.session.lost === undefined && (await this.stat(path)) !== undefined) throw isThere(path);
      throw error;
    }
    await this.flushFolderOf(path);
  }

  async rename(from: string, to: string): Promise<void> {
    if ((await this.stat(to)) !== undefined) throw isThere(to);
    const [source, target] = [this.paths.remote(from), this.paths.remote(to)];
    try {
      await this.session.request((sftp, done) => sftp.ext_openssh_rename(source, target, asVoid(done)));
    } catch (error) {
      if (!isUnsupported(error)) throw asOwnError(error, 'rename', from);
      await act(this.session, 'rename', from, (sftp, done) => sftp.rename(source, target, done));
    }
    await this.flushFolderOf(to);
    if (this.folderOf(from) !== this.folderOf(to)) await this.flushFolderOf(from);
  }

  async remove(path: string): Promise<void> {
    if (await this.unlink(path)) await this.flushFolderOf(path);
  }

  async removeAll(folder: string, names: readonly string[]): Promise<void> {
    let last: string | undefined;
    for (const name of names) {
      const path = this.join(folder, name);
      if (await this.unlink(path)) last = path;
    }
    if (last !== undefined) await this.flushFolderOf(last);
  }

  /** False when there was nothing. */
  private async unlink(path: string): Promise<boolean> {
    const found = await this.stat(path);
    if (found === undefined) return false;
    const remote = this.paths.remote(path);
    await act(this.session, 'remove', path, (sftp, done) =>
      found.kind === 'folder' ? sftp.rmdir(remote, done) : sftp.unlink(remote, done),
    );
    return true;
  }

  async open(path: string, mode: 'read' | 'write' | 'create'): Promise<StoreFile> {
    const remote = this.paths.remote(path);
    const session = this.session;
    // Opening a FIFO would make the server wait for ever.
    const found = await look(session, remote, path, 'stat');
    if (mode === 'create' && found !== undefined) throw isThere(path);
    if (mode !== 'create') checkIsFile(found, path);
    try {
      const handle = await openHandle(session, remote, FLAGS[mode], PRIVATE_FILE);
      if (mode === 'create') await this.flushFolderOf(path);
      return await this.opened(session, path, handle, mode !== 'read');
    } catch (error) {
      if (mode === 'create' && session.lost === undefined && (await this.stat(path)) !== undefined)
        throw isThere(path);
      throw asOwnError(error, 'open', path);
    }
  }

  async freeBytes(folder: string): Promise<number | null> {
    return (await spaceOf(this.session, this.paths, folder))?.freeBytes ?? null;
  }

  volumeOf(folder: string): Promise<StoreVolume | null> {
    return volumeOf(this.session, this.paths, folder);
  }

  /** Connects again after a loss, with growing pauses, for as long as the options say. False: it stays away. */
  async reconnect(signal: AbortSignal): Promise<boolean> {
    this.session.end();
    const until = Date.now() + (this.options.linkSeconds ?? DEFAULT_LINK_SECONDS) * 1000;
    for (
      let pause = FIRST_PAUSE_MS;
      Date.now() + pause <= until;
      pause = Math.min(2 * pause, LONGEST_PAUSE_MS)
    ) {
      await sleep(pause, signal);
      if (signal.aborted) return false;
      try {
        this.session = await this.around.connect();
        return true;
      } catch (error) {
        // Another key, or no way to log in any more: waiting does not help.
        if (!(error instanceof VmreclaimError) || error.family !== 'device') throw error;
      }
    }
    return false;
  }

  async removeLeftLocks(): Promise<void> {
    await removeLeftLocks(this.session, this.paths, this.left);
  }

  async copyNote(): Promise<Reason> {
    if (this.way !== undefined) return WAY_NOTES[this.way];
    if (this.options.helper === 'off') return WAY_NOTES.wire;
    return (await this.startHelper()) === undefined ? GUESS_NOTE : WAY_NOTES.helper;
  }

  /** Closes the connection. A process that has nothing else to do ends without. */
  end(): void {
    this.session.end();
  }

  private get isUnsafe(): boolean {
    return this.options.allowUnsafeFlush === true;
  }

  private async opened(
    session: Session,
    path: string,
    handle: Buffer,
    writable: boolean,
  ): Promise<StoreFile> {
    try {
      const stats = await session.request<{ size: number }>((sftp, done) => sftp.fstat(handle, done));
      const sizeBytes = Number(stats.size);
      if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0) throw requestError(undefined, 'measure', path);
      const durableFlush = !writable || (await this.canFlush(session, path, handle));
      const lock = async (file: SftpFile) => {
        const held = await takeLock(session, this.paths, file, this.lockOptions(session));
        this.way = held.inPlace?.kind ?? 'wire';
        return held;
      };
      return new SftpFile(session, { path, handle, sizeBytes, writable, durableFlush, lock });
    } catch (error) {
      await session.request((sftp, done) => sftp.close(handle, asVoid(done))).catch(() => undefined);
      throw error;
    }
  }

  /** Tries it: a server that cannot make writes durable is refused for changes, unless the user insists. */
  private async canFlush(session: Session, path: string, handle: Buffer): Promise<boolean> {
    try {
      await session.request((sftp, done) => sftp.ext_openssh_fsync(handle, asVoid(done)));
      return true;
    } catch (error) {
      if (session.lost !== undefined) throw error;
      if (this.isUnsafe) return false;
      throw refused('no-flush', `${this.label} cannot make writes durable (fsync@openssh.com)`, {
        path,
        hint: 'a power cut could destroy the disk; with a backup at hand: --allow-unsafe-flush',
      });
    }
  }

  private lockOptions(session: Session): LockOptions {
    const { journals, lockLocally } = this.around;
    return {
      client: journals.client,
      lockLocally,
      current: () => this.session,
      left: this.left,
      helper: () => this.startHelper(session),
      serverSide: this.options.helper !== 'off',
    };
  }

  /** One helper for all files of a connection. */
  private startHelper(session = this.session): Promise<HelperProcess | undefined> {
    if (this.helper?.session !== session) this.helper = { session, process: HelperProcess.start(session) };
    return this.helper.process;
  }

  private flushFolderOf(path: string): Promise<void> {
    return flushFolder(this.session, this.paths.remote(this.folderOf(path)));
  }
}

const FLAGS = { read: 'r', write: 'r+', create: 'wx+' } as const;

function checkIsFile(found: Attributes | undefined, path: string): void {
  if (found === undefined) {
    throw deviceError('not-found', `cannot open ${path}: no such file or folder`, { path });
  }
  if (found.kind !== 'file') throw unsupported('not-a-file', `${path} is no file`, { path });
}

function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
