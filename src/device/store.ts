import type { Reason } from '../core/errors.js';
import type { BlockDevice } from './types.js';

/**
 * Name of the temporary file of `replaceFile`, in the same folder. A crash may leave it behind; the next
 * replaceFile of the same file clears it away.
 */
export const temporaryNameOf = (name: string): string => `.${name}.tmp`;

/** Name of the file that says who works on a file, on stores whose locks are files. A crash leaves it behind. */
export const lockNameOf = (path: string): string => `${path}.vmreclaim-lock`;

/** Codes of `copyNote`: the server copies, it may be able to, everything passes through this process. */
export const COPY_NOTES: readonly string[] = [
  'copied-on-server',
  'copied-on-server-maybe',
  'copied-over-wire',
];

export type FileKind = 'file' | 'folder' | 'link' | 'other';

export interface FileStat {
  /** Of the entry itself: a link is not followed. */
  readonly kind: FileKind;
  readonly sizeBytes: number;
  /** Bytes the store really keeps for it; null where it cannot tell. */
  readonly allocatedBytes: number | null;
  /** Inode number as text: tells a file that was replaced from one that was changed. Empty where unknown. */
  readonly inode: string;
  /** Names this file has (hard links); null where the store cannot tell. */
  readonly linkCount: number | null;
  readonly modifiedMs: number;
}

/** The file system of the store that holds a folder. Sizes are bytes. */
export interface StoreVolume {
  readonly name: string;
  /** Where it begins in the store: a mount point, a datastore. */
  readonly path: string;
  /** `ext4`, `VMFS-6` ...; null where the store cannot tell. */
  readonly type: string | null;
  readonly capacityBytes: number;
  readonly usedBytes: number;
  /** Free for this user: what is reserved for root counts neither as used nor as free. */
  readonly freeBytes: number;
}

export interface FolderEntry {
  readonly name: string;
  readonly kind: FileKind;
}

/** A file opened for positional access. */
export interface StoreFile extends BlockDevice {
  /**
   * Takes an exclusive lock that ends with this process, against other vmreclaims and (where the store can)
   * hypervisors. Throws Conflict (code in-use) when somebody holds it. Opened read-only: Internal.
   */
  lock(): Promise<void>;
}

/** Which vmreclaim: the state folder it keeps its journals in, and the machine, for people. */
export interface ClientName {
  readonly id: string;
  readonly host: string;
}

/** Where journals are kept of disks that lie on a store to which they must not be written at every step. */
export interface JournalRoom {
  readonly store: Store;
  readonly client: ClientName;
  /** Folder of the run on the disk at `path`; it need not be there. */
  folderOf(path: string): string;
}

/**
 * A place that holds files: the local file system, an SFTP server. Paths are the store's own, absolute,
 * with `/` or the platform's separator; join, folderOf and nameOf take them apart.
 */
export interface Store {
  /** Scheme and host in messages: `file` or `sftp://root@esx1`. */
  readonly label: string;
  join(folder: string, ...names: string[]): string;
  folderOf(path: string): string;
  nameOf(path: string): string;
  isAbsolute(path: string): boolean;
  /** Undefined when there is nothing. */
  stat(path: string): Promise<FileStat | undefined>;
  /** The path with all links resolved. */
  realPath(path: string): Promise<string>;
  /** Entries in name order; throws Device when it is no folder. */
  list(folder: string): Promise<FolderEntry[]>;
  /** The whole file; refuses (Device, file-too-large) files above maxBytes. */
  readFile(path: string, maxBytes: number): Promise<Uint8Array>;
  /** Temporary file, write, fsync, rename, fsync of the folder; keeps mode and owner of what it replaces. */
  replaceFile(path: string, bytes: Uint8Array): Promise<void>;
  /** Fails with Conflict (code exists) when it is there. Durable. */
  createFolder(path: string): Promise<void>;
  /** Durable. Replaces nothing: Conflict (code exists) when `to` is there. */
  rename(from: string, to: string): Promise<void>;
  /** A file or an empty folder; nothing there is fine. Durable. */
  remove(path: string): Promise<void>;
  /** Entries of one folder, as `remove` does it. Durable together, at the end: after a crash before it any of them may be there. */
  removeAll(folder: string, names: readonly string[]): Promise<void>;
  /**
   * `read` and `write` (read and write) open what is there, following links; `create` makes an empty file
   * for this user alone, durably, and fails with Conflict (code exists) when the name is taken.
   */
  open(path: string, mode: 'read' | 'write' | 'create'): Promise<StoreFile>;
  /**
   * Makes `target` a copy of the file `source` that shares its blocks: instantly, and without room of its own until one of
   * them is changed. Durable when it returns. What is there keeps inode, owner and mode; a new file takes those of the source.
   * Can be repeated after a crash in the middle. Throws Refused (no-reflink) when the store cannot, and before anything of
   * `target` has changed. Absent: it never can.
   */
  cloneFile?(source: string, target: string): Promise<void>;
  /** Why `cloneFile` would not take a copy of the file in its own folder; undefined when it would. Leaves nothing behind. */
  whyNoClone?(source: string): Promise<Reason | undefined>;
  /** Free bytes for this user at the folder; null where the store cannot tell. */
  freeBytes(folder: string): Promise<number | null>;
  /** The file system that holds the folder; null where the store cannot tell. */
  volumeOf(folder: string): Promise<StoreVolume | null>;
  /** Journals lie there, and a pointer to them beside the disk. Absent: they lie beside the disk. */
  readonly journals?: JournalRoom;
  /**
   * After a failure with the code `link-lost`: connects again, with patience. False: the store stays away. What is open is
   * of no use any more in either case. Absent: there is no link.
   */
  reconnect?(signal: AbortSignal): Promise<boolean>;
  /** Removes lock files of ours that a lost link has kept from being removed. Absent: locks end by themselves. */
  removeLeftLocks?(): Promise<void>;
  /**
   * How data moves inside a disk of this store, for plan and result: one of COPY_NOTES. What the last lock found out, or a
   * guess before. Absent: as on a local disk.
   */
  copyNote?(): Promise<Reason>;
}
