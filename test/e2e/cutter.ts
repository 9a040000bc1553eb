import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { runCli, startCli } from '../support/cli.js';
import { run } from '../support/judges.js';

const CUTTER = new URL('../support/power-cut.py', import.meta.url).pathname;

/** Mounts the file system in a file. */
export const mountImage = (image: string, point: string): string =>
  run('mount', ['-o', 'loop', image, point]);

/** Whose power fails, and when: so many seconds after a file of the run folder has appeared. */
export interface Cut {
  readonly point: string;
  readonly sign: string;
  readonly seconds: number | 'never';
}

/** Runs a command on a disk of the mounted store, beside somebody who cuts the power, or does not; returns what that one said. */
export async function runBeside(cut: Cut, disk: string, ...args: string[]): Promise<string> {
  const sign = join(`${disk}.vmreclaim`, cut.sign);
  const cutter = spawn('python3', [CUTTER, cut.point, sign, String(cut.seconds)]);
  let said = '';
  cutter.stdout.on('data', (chunk) => {
    said += chunk;
  });
  const closed = new Promise((resolve) => cutter.once('close', resolve));
  await new Promise((resolve) => cutter.stdout.once('data', resolve));
  const { child, ended } = startCli(...args);
  await closed;
  // With its disk gone it is gone too; and when nobody cut it ends by itself.
  if (cut.seconds !== 'never') child.kill('SIGKILL');
  await ended;
  return said.replace('ready', '').trim();
}

/** Resumes what the cut has left. It may have come when the run was over. */
export async function goOn(disk: string): Promise<void> {
  const isInFlight = existsSync(join(`${disk}.vmreclaim`, 'run.json'));
  const { code, stdout, stderr } = await runCli(isInFlight ? 'resume' : 'scan', disk);
  expect(code, stdout + stderr).toBe(0);
}
