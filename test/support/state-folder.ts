import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * A state folder for all commands that the tests start, and one for what is made once (once.ts); they go when the
 * tests are over.
 */
export default function setup(): () => void {
  const state = mkdtempSync(join(tmpdir(), 'vmreclaim-state-'));
  const once = mkdtempSync(join(tmpdir(), 'vmreclaim-once-'));
  process.env.VMRECLAIM_STATE_DIR = state;
  process.env.VMRECLAIM_TEST_ONCE = once;
  return () => {
    for (const folder of [state, once]) rmSync(folder, { recursive: true, force: true });
  };
}
