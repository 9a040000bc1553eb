import type { FileKind, Store } from '../device/store.js';
import type { VmsdFile } from '../formats/vmx/index.js';
import {
  type DescriptorFile,
  hasParent,
  lastPart,
  type Machine,
  readMachine,
  readSnapshotList,
  readVmdkFile,
  type VmdkFile,
} from './folder-files.js';
import { mapLimit } from './map-limit.js';

/** A file that says something of a machine as a whole. */
export interface MachineFile {
  readonly name: string;
  /** The machine whose name it bears; null when no .vmx in the folder does. */
  readonly owner: Machine | null;
}

/** A .vmsd; `vmsd` is null when it is damaged or cannot be read. */
export interface SnapshotList extends MachineFile {
  readonly vmsd: VmsdFile | null;
}

/** A machine's reference to a disk. */
export interface Attachment {
  readonly machine: Machine;
  /** As the .vmx has it. */
  readonly fileName: string;
  readonly multiWriter: boolean;
}

/** What a folder holds: read once for all the disks in it, indexed so that each costs the same in any folder. */
export interface FolderView {
  readonly path: string;
  readonly entries: ReadonlyMap<string, FileKind>;
  /** Files named `.vmdk` (hidden descriptors too), by name. */
  readonly vmdkFiles: ReadonlyMap<string, VmdkFile>;
  readonly descriptors: readonly DescriptorFile[];
  /** Descriptors by the name of each extent file they name. */
  readonly byExtentName: ReadonlyMap<string, readonly DescriptorFile[]>;
  /** Descriptors that have a parent. */
  readonly children: readonly DescriptorFile[];
  readonly machines: readonly Machine[];
  /** By the last part of the file name. */
  readonly attachments: ReadonlyMap<string, readonly Attachment[]>;
  /** Those whose file name is that of a snapshot, by the disk's stem. */
  readonly deltaAttachments: ReadonlyMap<string, readonly Attachment[]>;
  readonly snapshotLists: readonly SnapshotList[];
  readonly suspendFiles: readonly MachineFile[];
  readonly swapFiles: readonly MachineFile[];
  /** Names of `.lck-<hex>` files. */
  readonly nfsLocks: readonly string[];
  /** Names of snapshot files (`x-000001.vmdk`, `x-000001-delta.vmdk`, `x-delta.vmdk`), by the stem `x`. */
  readonly deltas: ReadonlyMap<string, readonly string[]>;
}

const VMDK_NAME = /\.vmdk(?:\.hidden-by-vmreclaim)?$/i;
/** A snapshot's descriptor or extent: the disk's stem, then the number or the kind. */
const DELTA_NAME = /^(.+?)-(?:\d{6}(?:-delta|-sesparse|-s\d{3,4})?|delta|sesparse)\.vmdk$/i;

/**
 * Reads what surrounds the disks of a folder: small files whole, of others only name, size and inode. A disk
 * behind a link belongs to the folder where it really is.
 */
export async function readFolder(store: Store, path: string): Promise<FolderView> {
  const entries = new Map((await store.list(path)).map(({ name, kind }) => [name, kind]));
  const names = [...entries].filter(([, kind]) => kind === 'file' || kind === 'link').map(([name]) => name);
  const isFile = (name: string): boolean => entries.get(name) === 'file';
  const ending = (pattern: RegExp): string[] => names.filter((name) => pattern.test(name));
  const vmdkFiles = await mapLimit(ending(VMDK_NAME).filter(isFile), (name) =>
    readVmdkFile(store, path, name),
  );
  const machines = await mapLimit(ending(/\.vmx$/i), (name) => readMachine(store, path, name));
  const attachments = attachmentsOf(machines);
  const owned = (name: string): MachineFile => ({ name, owner: ownerOf(machines, name) });
  const descriptors = vmdkFiles.map(({ descriptor }) => descriptor).filter((found) => found !== null);
  return {
    path,
    entries,
    vmdkFiles: new Map(vmdkFiles.map((file) => [file.name, file])),
    descriptors,
    byExtentName: groupBy(descriptors, ({ extentNames }) => extentNames),
    children: descriptors.filter(({ parsed }) => parsed !== null && hasParent(parsed)),
    machines,
    attachments: groupBy(attachments, ({ fileName }) => [lastPart(fileName)]),
    deltaAttachments: groupBy(attachments, ({ fileName }) => stemOfDelta(lastPart(fileName))),
    snapshotLists: await mapLimit(ending(/\.vmsd$/i), async (name) => ({
      ...owned(name),
      vmsd: await readSnapshotList(store, path, name),
    })),
    suspendFiles: ending(/\.vmss$/i).map(owned),
    swapFiles: ending(/\.vswp$/i).map(owned),
    nfsLocks: ending(/^\.lck-[0-9a-f]+$/i),
    deltas: groupBy(ending(VMDK_NAME), stemOfDelta),
  };
}

/** How many folders a cache keeps: a scan goes from folder to folder and does not come back. */
const FOLDERS_KEPT = 16;

/**
 * Folders already read. For scans only: a command that changes a disk looks again, with a cache of its own.
 */
export class FolderCache {
  private readonly views = new Map<string, Promise<FolderView>>();

  constructor(private readonly store: Store) {}

  /** The folder's view; rejects with Device when it cannot be listed. */
  view(path: string): Promise<FolderView> {
    const known = this.views.get(path);
    if (known !== undefined) return known;
    const view = readFolder(this.store, path);
    const [oldest] = this.views.keys();
    if (oldest !== undefined && this.views.size >= FOLDERS_KEPT) this.views.delete(oldest);
    this.views.set(path, view);
    return view;
  }
}

/** The stem of the disk whose snapshot has this file name, or nothing. */
function stemOfDelta(name: string): readonly string[] {
  return DELTA_NAME.exec(name)?.slice(1, 2) ?? [];
}

/** The machine with the longest name that the file's name begins with (`vmx-x-1a2b.vswp` belongs to x). */
function ownerOf(machines: readonly Machine[], name: string): Machine | null {
  const bare = name.replace(/^vmx-/, '');
  let owner: Machine | null = null;
  for (const machine of machines) {
    const better = machine.stem.length > (owner?.stem.length ?? 0);
    if (better && (bare.startsWith(machine.stem) || name.startsWith(machine.stem))) owner = machine;
  }
  return owner;
}

function attachmentsOf(machines: readonly Machine[]): Attachment[] {
  return machines.flatMap((machine) =>
    (machine.vmx?.disks ?? []).map(({ fileName, multiWriter }) => ({ machine, fileName, multiWriter })),
  );
}

function groupBy<T>(
  items: readonly T[],
  keysOf: (item: T) => readonly string[],
): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    for (const key of new Set(keysOf(item))) {
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [item]);
      else group.push(item);
    }
  }
  return groups;
}
