import { existsSync, mkdirSync, mkdtempSync, renameSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * What takes long to make and is needed by several test files: made once in a run of the tests, into a folder that
 * goes when the run is over (state-folder.ts). `make` gets a path that nothing is at yet. What is there is not to be
 * changed: copy it.
 */
export function once(name: string, make: (path: string) => void): string {
  const folder = process.env.VMRECLAIM_TEST_ONCE ?? mkdtempSync(join(tmpdir(), 'vmreclaim-once-'));
  process.env.VMRECLAIM_TEST_ONCE = folder;
  mkdirSync(folder, { recursive: true });
  const path = join(folder, name);
  if (existsSync(path)) return path;
  const fresh = `${path}.${process.pid}`;
  make(fresh);
  // Two test files may have made it at the same time: either is good.
  renameSync(fresh, path);
  return path;
}
