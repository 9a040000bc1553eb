import { locate } from '../backends/registry.js';
import type { Store } from '../device/store.js';
import { discover } from '../disk/discover.js';
import { FolderCache } from '../disk/folder.js';
import { openSource } from '../disk/open.js';
import type { ScanEntry } from '../report/scan-json.js';
import { inspectSource, type OpenOptions } from './open.js';

export interface ScanOptions extends OpenOptions {
  /** Walk every volume. */
  readonly deep?: boolean;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: { readonly why: string; readonly disks: number }) => void;
}

/** Disks looked at at once: reading metadata waits for the store more than for the processor. */
const CONCURRENCY = 4;

/** Looks at every disk below the targets. An error at one of them is an entry; it does not stop the others. */
export async function scanTargets(targets: readonly string[], options: ScanOptions): Promise<ScanEntry[]> {
  const entries = new Map<string, ScanEntry>();
  const seen = new Set<string>();
  for (const target of targets) {
    const { store, path } = await locate(target, options.remote);
    const folders = new FolderCache(store);
    const found = discover(store, path, { seen, folders });
    const worker = async (): Promise<void> => {
      for (;;) {
        const next = await found.next();
        if (next.done === true) return;
        options.signal.throwIfAborted();
        const { path: diskPath } = next.value;
        const entry =
          next.value.error === undefined ? await scanOne(store, diskPath, folders, options) : next.value;
        entries.set(diskPath, entry);
        options.onProgress({ why: diskPath, disks: entries.size });
      }
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, worker));
  }
  return [...entries.values()];
}

async function scanOne(
  store: Store,
  path: string,
  folders: FolderCache,
  options: ScanOptions,
): Promise<ScanEntry> {
  try {
    const source = await openSource(store, path, { ...options, folders });
    const { signal, deep = false } = options;
    const facts = await inspectSource(source, { signal, deep, guest: true });
    // The raw table sectors are for edits; a scan of thousands of disks need not keep them.
    return { facts: { ...facts, mbr: null, gpt: null } };
  } catch (error) {
    options.signal.throwIfAborted();
    return { path, error };
  }
}
