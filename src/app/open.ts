import { locate } from '../backends/registry.js';
import { openDisk, openSource } from '../disk/open.js';
import type { Disk, DiskSource } from '../disk/types.js';
import { factsWithoutContent, inspectDisk } from '../inspect/inspect.js';
import type { DiskFacts } from '../inspect/types.js';

export interface OpenOptions {
  readonly allowOutsideExtents?: boolean;
}

/** A disk as found: where it is, and what is on it. */
export interface Found {
  readonly source: DiskSource;
  readonly facts: DiskFacts;
}

/** Opens a disk read-only, looks at it for a change, and closes it again. */
export async function findDisk(target: string, options: OpenOptions, signal?: AbortSignal): Promise<Found> {
  const { store, path } = await locate(target);
  const source = await openSource(store, path, options);
  return { source, facts: await inspectSource(source, { forChange: true, ...(signal ? { signal } : {}) }) };
}

/** Facts of a source; those without readable content (sparse formats) are described by their descriptor. */
export async function inspectSource(
  source: DiskSource,
  options: { forChange?: boolean; signal?: AbortSignal } = {},
): Promise<DiskFacts> {
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
