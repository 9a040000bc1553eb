import { damaged, refused, usageError, VmreclaimError } from '../core/errors.js';
import { cleanText } from '../core/text.js';
import type { FileKind, Store } from '../device/store.js';
import { MAX_DESCRIPTOR_BYTES, sparseKind } from '../formats/vmdk/index.js';
import { MAX_VMX_BYTES, parseVmx } from '../formats/vmx/index.js';
import { readHead } from './extents.js';
import { FolderCache, type FolderView } from './folder.js';
import { properPath } from './locate.js';
import { HIDDEN_SUFFIX, hiddenNameOf, RUN_FOLDER_SUFFIX } from './names.js';

/** Folders inside folders that a search goes down: datastores have two levels, file servers a few more. */
const MAX_DEPTH = 32;
/** Disk images that are told by their name only; `.vmdk` files are told by content. */
const RAW_NAME = /(?:-flat\.vmdk|\.raw|\.img)$/i;

const CHANGE_TRACKING_NAME = /-ctk\.vmdk$/i;

/** A disk, or a place where one could not be looked for. */
export type Discovered =
  | { readonly path: string; readonly error?: undefined }
  | { readonly path: string; readonly error: VmreclaimError };

export interface DiscoverOptions {
  /** Disks already found: pass the same set for all targets of a command, and none comes twice. */
  readonly seen?: Set<string>;
  /** Shared with openSource, so that a folder is read once. */
  readonly folders?: FolderCache;
}

/**
 * The disks at a target: a descriptor, a flat or raw image, a .vmx (its disks) or a folder (all disks below,
 * in order of their paths). Links to files and folders inside a folder are not followed, so there are no
 * loops. What cannot be read comes as an error beside its path and stops nothing.
 */
export async function* discover(
  store: Store,
  target: string,
  options: DiscoverOptions = {},
): AsyncGenerator<Discovered> {
  const search = new Search(store, options.folders ?? new FolderCache(store));
  const seen = options.seen ?? new Set<string>();
  for await (const found of search.target(properPath(store, target))) {
    const key = found.error === undefined ? await search.keyOf(found.path) : found.path;
    if (seen.has(key)) continue;
    seen.add(key);
    yield found;
  }
}

class Search {
  /** The folder asked for last: its disks come one after the other. */
  private last = { folder: '', real: '' };

  constructor(
    private readonly store: Store,
    private readonly folders: FolderCache,
  ) {}

  /** The path with the links of its folder resolved: one disk has one key, by whatever way it was found. */
  async keyOf(path: string): Promise<string> {
    const folder = this.store.folderOf(path);
    if (this.last.folder !== folder) {
      const real = await this.store.realPath(folder).catch(() => folder);
      this.last = { folder, real };
    }
    return this.store.join(this.last.real, this.store.nameOf(path));
  }

  async *target(path: string): AsyncGenerator<Discovered> {
    try {
      const { kind, real } = await this.resolve(path);
      if (kind === 'folder') yield* this.folder(real, 0);
      else if (/\.vmx$/i.test(real)) yield* this.machine(real);
      else yield { path: await this.diskOf(real) };
    } catch (error) {
      yield { path, error: expected(error) };
    }
  }

  /** What a target is; a link named by the user is followed. */
  private async resolve(path: string): Promise<{ kind: FileKind; real: string }> {
    const stat = await this.store.stat(path);
    if (stat?.kind === 'link') {
      const real = await this.store.realPath(path);
      const target = await this.store.stat(real);
      // A folder keeps the name the user knows it by: datastores are links to UUIDs.
      if (target !== undefined) return { kind: target.kind, real: target.kind === 'folder' ? path : real };
    }
    if (stat !== undefined) return { kind: stat.kind, real: path };
    if ((await this.store.stat(hiddenNameOf(path))) !== undefined) return { kind: 'file', real: path };
    throw usageError('not-found', `there is no ${cleanText(path)}`, { path });
  }

  /** An extent file stands for its descriptor. */
  private async diskOf(path: string): Promise<string> {
    const folder = await this.folders.view(this.store.folderOf(path));
    const name = this.store.nameOf(path);
    if (folder.vmdkFiles.get(name)?.descriptor != null) return path;
    return folder.byExtentName.get(name)?.[0]?.path ?? path;
  }

  private async *machine(path: string): AsyncGenerator<Discovered> {
    const { disks } = parseVmx(await this.store.readFile(path, MAX_VMX_BYTES));
    const folder = this.store.folderOf(path);
    const paths = disks.map(({ fileName }) =>
      this.store.isAbsolute(fileName) ? fileName : this.store.join(folder, fileName),
    );
    for (const disk of paths.sort(byCodeUnit)) yield { path: disk };
  }

  private async *folder(path: string, depth: number): AsyncGenerator<Discovered> {
    let steps: readonly Step[];
    try {
      if (depth > MAX_DEPTH) throw refused('too-deep', `${cleanText(path)} lies too deep`, { path });
      steps = await this.steps(path);
    } catch (error) {
      yield { path, error: expected(error) };
      return;
    }
    for (const { name, error, isFolder } of steps) {
      const below = this.store.join(path, name);
      if (isFolder) yield* this.folder(below, depth + 1);
      else yield error === undefined ? { path: below } : { path: below, error };
    }
  }

  /**
   * Disks and folders of a folder in the order of full paths: a folder sorts with its separator, so that
   * `a-b/x` comes before `a/x`.
   */
  private async steps(path: string): Promise<Step[]> {
    const view = await this.folders.view(path);
    const steps: Step[] = [];
    for (const [name, kind] of view.entries) {
      if (kind === 'folder' && isSearched(name)) steps.push({ name, isFolder: true });
    }
    for (const name of new Set(view.descriptors.map((descriptor) => descriptor.name))) steps.push({ name });
    for (const [name, kind] of view.entries) {
      if (kind === 'file') steps.push(...(await this.otherImage(view, name)));
    }
    const key = ({ name, isFolder }: Step): string => (isFolder === true ? `${name}/` : name);
    return steps.sort((a, b) => byCodeUnit(key(a), key(b)));
  }

  /** A disk without a descriptor: raw images by name, sparse disks by content. */
  private async otherImage(view: FolderView, name: string): Promise<Step[]> {
    const file = view.vmdkFiles.get(name);
    if (file?.error != null) return [{ name, error: file.error }];
    if (file?.descriptor != null || view.byExtentName.has(name) || name.endsWith(HIDDEN_SUFFIX)) return [];
    if (RAW_NAME.test(name)) return [{ name }];
    if (file === undefined || CHANGE_TRACKING_NAME.test(name)) return [];
    try {
      const path = this.store.join(view.path, name);
      if (sparseKind(await readHead(this.store, path, file.sizeBytes)) !== undefined) return [{ name }];
      // Extent files without a descriptor and the like are no disks; what is small was meant as a descriptor.
      return file.sizeBytes > MAX_DESCRIPTOR_BYTES ? [] : [{ name, error: noDisk(path) }];
    } catch (error) {
      return [{ name, error: expected(error) }];
    }
  }
}

/** A disk, a folder to go down into, or what went wrong at a name. */
interface Step {
  readonly name: string;
  readonly isFolder?: true;
  readonly error?: VmreclaimError;
}

/** Not searched: runs in flight, lock folders, and what systems hide (storage snapshots hold every disk again). */
function isSearched(name: string): boolean {
  return !name.endsWith(RUN_FOLDER_SUFFIX) && !/\.lck$/i.test(name) && !name.startsWith('.');
}

const noDisk = (path: string): VmreclaimError =>
  damaged('no-disk', `${cleanText(path)} is neither a descriptor nor a sparse disk`, { path });

const byCodeUnit = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Our own errors go into the result; anything else is a bug and passes. */
function expected(error: unknown): VmreclaimError {
  if (error instanceof VmreclaimError && error.family !== 'internal') return error;
  throw error;
}
