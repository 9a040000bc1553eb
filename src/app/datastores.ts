import { locate } from '../backends/registry.js';
import type { DatastoreDocument } from '../report/scan-json.js';
import type { OpenOptions } from './open.js';

/**
 * The file systems that hold these disks, by path, with the number of disks on each. What a store does not tell, or
 * fails to, is left out: a report without datastores is still a report.
 */
export async function datastoresOf(
  paths: readonly string[],
  options: OpenOptions,
): Promise<DatastoreDocument[]> {
  const disksIn = new Map<string, { path: string; disks: number }>();
  for (const path of paths) {
    const folder = path.slice(0, Math.max(1, path.lastIndexOf('/')));
    const known = disksIn.get(folder);
    if (known === undefined) disksIn.set(folder, { path, disks: 1 });
    else known.disks++;
  }
  const found = new Map<string, DatastoreDocument>();
  for (const { path, disks } of disksIn.values()) {
    const volume = await volumeOf(path, options);
    if (volume === null) continue;
    const before = found.get(volume.path)?.disks ?? 0;
    found.set(volume.path, { ...volume, disks: before + disks });
  }
  return [...found.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

async function volumeOf(path: string, { remote }: OpenOptions) {
  try {
    const { store, path: own } = await locate(path, remote);
    return await store.volumeOf(store.folderOf(own));
  } catch {
    return null;
  }
}
