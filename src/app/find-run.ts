import { conflict } from '../core/errors.js';
import type { Store } from '../device/store.js';
import { runFolderOf } from '../disk/names.js';
import { openSource } from '../disk/open.js';
import type { DiskSource } from '../disk/types.js';
import { Journal } from '../execute/journal.js';
import type { RunHeader } from '../execute/types.js';
import { sweepLitter } from './litter.js';
import type { OpenOptions } from './open.js';

/** The run in flight of a disk, and the disk as it is found now. */
export interface RunInFlight {
  readonly header: RunHeader;
  readonly source: DiskSource;
}

/** The path of the disk for that of its run folder. */
export function withoutRunSuffix(path: string): string {
  const suffix = runFolderOf('');
  return path.endsWith(suffix) ? path.slice(0, -suffix.length) : path;
}

/**
 * The run in flight for what the user named: the disk, one of its files, its hidden descriptor or the run folder. Conflict
 * (no-run) when there is none; litter is swept up then.
 */
export async function findRun(store: Store, path: string, options: OpenOptions): Promise<RunInFlight> {
  const source = await openSource(store, withoutRunSuffix(path), options);
  const header = await Journal.find(store, source.path);
  if (header !== undefined) return { header, source };
  const swept = await sweepLitter(source);
  throw conflict('no-run', 'no run is in flight for this disk: there is nothing to resume', {
    path: source.path,
    ...(swept ? { hint: 'what was left of a run that never began, or was over, has been removed' } : {}),
  });
}
