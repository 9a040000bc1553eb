import type { RemoteOptions } from '../backends/registry.js';
import { openDisk } from '../disk/open.js';
import type { Disk, DiskSource } from '../disk/types.js';
import { factsWithoutContent, type InspectOptions, inspectDisk } from '../inspect/inspect.js';
import type { DiskFacts } from '../inspect/types.js';

export interface OpenOptions {
  readonly allowOutsideExtents?: boolean;
  /** Needed for targets on other machines. */
  readonly remote?: RemoteOptions;
}

/** A disk as found: where it is, and what is on it. */
export interface Found {
  readonly source: DiskSource;
  readonly facts: DiskFacts;
}

/** Facts of a source; those without readable content (sparse formats) are described by their descriptor. */
export async function inspectSource(source: DiskSource, options: InspectOptions = {}): Promise<DiskFacts> {
  if (source.extents.length === 0) return factsWithoutContent(source);
  return withDisk(source, { writable: false }, (disk) => inspectDisk(disk, options));
}

/** Runs `work` on the opened disk and closes it, whatever happens. */
export async function withDisk<T>(
  source: DiskSource,
  options: { writable: boolean },
  work: (disk: Disk) => Promise<T>,
): Promise<T> {
  const disk = await openDisk(source, options);
  try {
    return await work(disk);
  } finally {
    await disk.device.close();
  }
}
