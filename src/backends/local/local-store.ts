import { constants, type Dirent } from 'node:fs';
import {
  type FileHandle,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  realpath,
  rename,
  rmdir,
  statfs,
  unlink,
} from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import { conflict, unsupported } from '../../core/errors.js';
import { readWhole } from '../../device/read-whole.js';
import type { FileKind, FileStat, FolderEntry, Store, StoreFile } from '../../device/store.js';
import { fileAbilities } from './abilities.js';
import { cloneFile, whyNoClone } from './clone-file.js';
import { deviceNumber } from './device-number.js';
import { attempt, storeError } from './errors.js';
import { LocalFile } from './local-file.js';
import { isErrno, loadNative, type NativeCalls } from './native.js';
import { replaceFileDurably, syncFolder } from './replace-file.js';
import { localVolume } from './volume.js';

/** Unit of st_blocks and of the size of block devices in /sys, whatever the real block size. */
const STAT_BLOCK_BYTES = 512;
/** Files and folders made here hold bytes of disks: nobody else's business. */
const PRIVATE_FILE = 0o600;
const PRIVATE_FOLDER = 0o700;

type OpenMode = Parameters<Store['open']>[1];

/** O_NONBLOCK: opening a FIFO would wait for ever; for files it means nothing. */
const OPEN_FLAGS: Readonly<Record<OpenMode, number>> = {
  read: constants.O_RDONLY | constants.O_NONBLOCK,
  write: constants.O_RDWR | constants.O_NONBLOCK,
  create: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL,
};

/** The local file system, which alone knows a working folder. */
export interface LocalStore extends Store {
  /** The absolute path of what the user wrote, relative to the working folder; links are not followed. */
  resolve(path: string): string;
}

/** The files of this machine. */
export const localStore: LocalStore = createLocalStore(loadNative);

/** A local store with other native calls than usual, for tests of both ways. */
export function createLocalStore(native: () => Promise<NativeCalls | undefined>): LocalStore {
  return {
    label: 'file',
    resolve: (path) => resolve(path),
    join,
    folderOf: dirname,
    nameOf: (path) => basename(path),
    isAbsolute,
    stat: statEntry,
    realPath: (path) => attempt('resolve', path, () => realpath(path)),
    list: listFolder,
    readFile: readWholeFile,
    replaceFile: (path, bytes) => attempt('replace', path, () => replaceFileDurably(path, bytes)),
    createFolder,
    rename: renameToNew,
    remove: removeEntry,
    removeAll: removeEntries,
    open: async (path, mode) => openFile(path, mode, await native()),
    cloneFile: async (source, target) => cloneFile(source, target, await native()),
    whyNoClone: async (source) => whyNoClone(source, await native()),
    freeBytes: async (folder) => {
      const { bavail, bsize } = await attempt('ask for the free space of', folder, () => statfs(folder));
      return bavail * bsize;
    },
    volumeOf: localVolume,
  };
}

async function statEntry(path: string): Promise<FileStat | undefined> {
  try {
    const stat = await lstat(path, { bigint: true });
    return {
      kind: kindOf(stat),
      sizeBytes: Number(stat.size),
      allocatedBytes: Number(stat.blocks) * STAT_BLOCK_BYTES,
      inode: String(stat.ino),
      linkCount: Number(stat.nlink),
      modifiedMs: Number(stat.mtimeMs),
    };
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw storeError(error, 'look at', path);
  }
}

function kindOf(entry: Pick<Dirent, 'isFile' | 'isDirectory' | 'isSymbolicLink'>): FileKind {
  if (entry.isFile()) return 'file';
  if (entry.isDirectory()) return 'folder';
  return entry.isSymbolicLink() ? 'link' : 'other';
}

async function listFolder(folder: string): Promise<FolderEntry[]> {
  const entries = await attempt('list', folder, () => readdir(folder, { withFileTypes: true }));
  const found = entries.map((entry) => ({ name: entry.name, kind: kindOf(entry) }));
  // By code unit, not by locale: the same order on every machine.
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function readWholeFile(path: string, maxBytes: number): Promise<Uint8Array> {
  return readWhole(await openFile(path, 'read', undefined), path, maxBytes);
}

function createFolder(path: string): Promise<void> {
  return attempt('create the folder', path, async () => {
    await mkdir(path, { mode: PRIVATE_FOLDER });
    await syncFolder(dirname(path));
  });
}

/**
 * rename(2) would replace the target silently, so it is looked at before. Between the look and the rename
 * another process could put a file there: the lock of a run keeps other vmreclaims away, and a link with a
 * later unlink, which could not replace anything, would leave two names after a crash.
 */
function renameToNew(from: string, to: string): Promise<void> {
  return attempt('rename', from, async () => {
    if ((await statEntry(to)) !== undefined) {
      throw conflict('exists', `${to} is there already`, { path: to });
    }
    await rename(from, to);
    await syncFolder(dirname(to));
    if (dirname(from) !== dirname(to)) await syncFolder(dirname(from));
  });
}

function removeEntry(path: string): Promise<void> {
  return attempt('remove', path, async () => {
    if (await unlinkEntry(path)) await syncFolder(dirname(path));
  });
}

async function removeEntries(folder: string, names: readonly string[]): Promise<void> {
  let isChanged = false;
  for (const name of names) {
    const path = join(folder, name);
    if (await attempt('remove', path, () => unlinkEntry(path))) isChanged = true;
  }
  if (isChanged) await attempt('remove files in', folder, () => syncFolder(folder));
}

/** False when there was nothing. */
async function unlinkEntry(path: string): Promise<boolean> {
  const stat = await statEntry(path);
  if (stat === undefined) return false;
  await (stat.kind === 'folder' ? rmdir(path) : unlink(path));
  return true;
}

async function openFile(path: string, mode: OpenMode, native: NativeCalls | undefined): Promise<StoreFile> {
  const handle = await attempt('open', path, () => open(path, OPEN_FLAGS[mode], PRIVATE_FILE));
  try {
    if (mode === 'create') await syncFolder(dirname(path));
    const { sizeBytes, resizable } = await measure(handle, path);
    const isOldFile = resizable && mode !== 'create';
    const abilities = isOldFile ? await fileAbilities(handle, { path, sizeBytes }, native) : {};
    const writable = mode !== 'read';
    return new LocalFile(handle, { path, sizeBytes, writable, resizable, native, ...abilities });
  } catch (error) {
    await handle.close().catch(() => undefined);
    throw storeError(error, 'open', path);
  }
}

/** Size of a file or block device; throws Unsupported (not-a-file) for everything else. */
async function measure(handle: FileHandle, path: string): Promise<{ sizeBytes: number; resizable: boolean }> {
  const stat = await handle.stat({ bigint: true });
  if (stat.isFile()) return { sizeBytes: Number(stat.size), resizable: true };
  if (!stat.isBlockDevice()) {
    throw unsupported('not-a-file', `${path} is neither a file nor a block device`, { path });
  }
  // stat says 0 for block devices; the kernel tells their size here.
  const { major, minor } = deviceNumber(stat.rdev);
  const sectors = await readFile(`/sys/dev/block/${major}:${minor}/size`, 'latin1');
  return { sizeBytes: Number(sectors) * STAT_BLOCK_BYTES, resizable: false };
}
