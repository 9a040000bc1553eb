import { conflict, refusal } from '../core/errors.js';
import { readOnlyDevice } from '../device/read-only.js';
import { spanDevice } from '../device/span.js';
import type { Store } from '../device/store.js';
import type { BlockDevice } from '../device/types.js';
import { extentDevice } from './extent-device.js';
import type { Disk, DiskExtent, DiskSource } from './types.js';

export interface OpenDiskOptions {
  /** Opens for writing and locks every extent file. */
  readonly writable: boolean;
}

/** The one reason that does not stand against writing: `resume` must be able to. */
const RESUMABLE = 'interrupted';

/**
 * The disk's bytes as one device. Read-only unless writable; the device owns the files. Refused when the
 * source has no bytes to read, or (writable) something stands against a change; Conflict when a file is not
 * the one that openSource saw, or somebody holds its lock.
 */
export async function openDisk(source: DiskSource, { writable }: OpenDiskOptions): Promise<Disk> {
  const obstacle = source.reasons.find(({ code }) => code !== RESUMABLE);
  if (source.extents.length === 0 || (writable && obstacle !== undefined)) {
    const reason = obstacle ?? { code: 'no-extents', message: 'the disk has no extents' };
    throw refusal(reason, { path: source.path });
  }
  const parts: BlockDevice[] = [];
  try {
    for (const extent of source.extents) parts.push(await openExtent(source.store, extent, writable));
  } catch (error) {
    await Promise.allSettled(parts.map((part) => part.close()));
    throw error;
  }
  const [only] = parts;
  const device = only !== undefined && parts.length === 1 ? only : spanDevice(source.path, parts);
  return { source, device: writable ? device : readOnlyDevice(device) };
}

async function openExtent(store: Store, extent: DiskExtent, writable: boolean): Promise<BlockDevice> {
  const file = await store.open(extent.path, writable ? 'write' : 'read');
  try {
    if (writable) await file.lock();
    const stat = await store.stat(extent.path);
    // After the lock, so that nobody can change it any more.
    if (stat?.inode !== extent.inode || file.sizeBytes < extent.sizeBytes) {
      throw conflict('changed', 'the extent file is not the one that was looked at', {
        path: extent.path,
        expected: `inode ${extent.inode}, ${extent.sizeBytes} bytes`,
        actual: `inode ${stat?.inode ?? 'gone'}, ${file.sizeBytes} bytes`,
        hint: 'somebody replaced it meanwhile: run the command again',
      });
    }
    return extentDevice(file, extent.sizeBytes);
  } catch (error) {
    await file.close();
    throw error;
  }
}
