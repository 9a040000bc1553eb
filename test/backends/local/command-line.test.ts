import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { runCommandLine } from '../../../src/backends/local/programs.js';

describe('a command of the operator', () => {
  const folder = mkdtempSync(join(tmpdir(), 'vmreclaim-command-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('ends with its exit code, or by a signal', async () => {
    expect(await runCommandLine('exit "$CODE"', { CODE: '7' }, 60_000)).toBe(7);
    expect(await runCommandLine('kill -9 $$', {}, 60_000)).toBe('killed');
  });

  it('is ended with its children when its time is over', async () => {
    const pidFile = join(folder, 'pid');
    const command = `sleep 600 & echo $! >${pidFile}.new; mv ${pidFile}.new ${pidFile}; wait`;
    const ended = runCommandLine(command, {}, 1000);
    expect(await ended).toBe('timed-out');
    const child = Number(readFileSync(pidFile, 'utf8'));
    while (existsSync(`/proc/${child}`)) await new Promise((resolve) => setTimeout(resolve, 50));
  });

  it('leaves running what it started, which holds nothing of ours', async () => {
    const mark = join(folder, 'mark');
    const daemon = `(sleep 0.3; echo said; echo complained >&2; : >${mark}) &`;
    expect(await runCommandLine(daemon, {}, 60_000)).toBe(0);
    while (!existsSync(mark)) await new Promise((resolve) => setTimeout(resolve, 50));
  });
});
