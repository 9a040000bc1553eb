import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const BIN = fileURLToPath(new URL('../../bin/vmreclaim.js', import.meta.url));
/** Nothing in the tests takes this long: the command hangs. */
const TIMEOUT_MS = 60_000;

/** How a command ended and what it said. */
export interface CliResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly milliseconds: number;
}

/** A command under way. */
export interface CliRun {
  readonly child: ChildProcess;
  readonly ended: Promise<CliResult>;
}

/** Starts the real command line in a process of its own. */
export const startCli = (...args: string[]): CliRun => spawnCli(args, false);

/** The same in a group of its own, as a shell does: a signal to the group is what Ctrl-C is. */
export const startCliInGroup = (...args: string[]): CliRun => spawnCli(args, true);

function spawnCli(args: readonly string[], detached: boolean): CliRun {
  const began = performance.now();
  const env = { ...process.env, NO_COLOR: '1', LC_ALL: 'C' };
  const child = spawn(process.execPath, [BIN, ...args], {
    env,
    detached,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), TIMEOUT_MS);
  const texts = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    texts.stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    texts.stderr += text;
  });
  const ended = new Promise<CliResult>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, ...texts, milliseconds: performance.now() - began });
    });
  });
  return { child, ended };
}

/** Runs a command to its end, whatever its exit code. */
export function runCli(...args: string[]): Promise<CliResult> {
  return startCli(...args).ended;
}

/** Runs a command that must end with the given code; the error shows what it said. */
export async function expectCli(code: number, ...args: string[]): Promise<CliResult> {
  const result = await runCli(...args);
  if (result.code === code) return result;
  throw new Error(
    `vmreclaim ${args.join(' ')} ended with ${result.code ?? result.signal} instead of ${code}:\n${result.stdout}${result.stderr}`,
  );
}
