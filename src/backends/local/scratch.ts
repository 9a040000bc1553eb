import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BlockDevice } from '../../device/types.js';
import { attempt } from './errors.js';
import { LocalFile } from './local-file.js';

/**
 * An empty file in the system's temporary folder (TMPDIR) that is gone when it is closed, whatever ends the process:
 * it has no name from the beginning. For what a rehearsal cannot keep in memory. Throws Device.
 */
export async function openScratch(): Promise<BlockDevice> {
  const folder = await attempt('make a temporary file in', tmpdir(), () =>
    mkdtemp(join(tmpdir(), 'vmreclaim-')),
  );
  const path = join(folder, 'scratch');
  const handle = await attempt('make', path, () => open(path, 'wx+', 0o600));
  await rm(folder, { recursive: true, force: true });
  return new LocalFile(handle, { path, sizeBytes: 0, writable: true, resizable: true, native: undefined });
}
