import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A state folder for all commands that the tests start; it goes when they are over. */
export default function setup(): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'vmreclaim-state-'));
  process.env.VMRECLAIM_STATE_DIR = folder;
  return () => rmSync(folder, { recursive: true, force: true });
}
