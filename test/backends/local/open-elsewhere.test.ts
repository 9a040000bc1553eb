import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { localStore } from '../../../src/backends/local/local-store.js';

describe.skipIf(process.platform !== 'linux')('a file that another process has open', () => {
  const folder = mkdtempSync(join(tmpdir(), 'vmreclaim-open-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** Opens the file in a process that does nothing else, for so many seconds, without any lock. */
  function holdOpen(path: string, seconds: string) {
    const fd = openSync(path, 'r');
    const holder = spawn('sleep', [seconds], { stdio: ['ignore', 'ignore', 'ignore', fd] });
    closeSync(fd);
    return holder;
  }

  async function lock(path: string): Promise<void> {
    const file = await localStore.open(path, 'write');
    await file.lock().finally(() => file.close());
  }

  it('is not locked while it stays open, and the process is named', async () => {
    const path = join(folder, 'x-flat.vmdk');
    writeFileSync(path, 'bytes');
    const holder = holdOpen(path, '60');
    const failure = await lock(path).catch((error) => error);
    expect(failure).toMatchObject({ family: 'conflict', code: 'in-use' });
    expect(failure.message).toContain(`open in process ${holder.pid} (sleep)`);
    holder.kill('SIGKILL');
    await lock(path);
  });

  it('is locked when that process is about to end, as a scan is, or has a file of the same name', async () => {
    const path = join(folder, 'y-flat.vmdk');
    writeFileSync(path, 'bytes');
    holdOpen(path, '0.5');
    await lock(path);
    const other = mkdtempSync(join(folder, 'other-'));
    writeFileSync(join(other, 'y-flat.vmdk'), 'bytes');
    const holder = holdOpen(join(other, 'y-flat.vmdk'), '60');
    await lock(path);
    holder.kill('SIGKILL');
  });
});
