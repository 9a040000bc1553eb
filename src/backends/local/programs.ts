import { spawn } from 'node:child_process';
import { access, constants, stat } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { deviceError } from '../../core/errors.js';

/** Tools of the administrator are not in everybody's PATH. */
const SYSTEM_FOLDERS = ['/usr/sbin', '/sbin', '/usr/local/sbin', '/usr/bin', '/bin'];
/** A program that was told to end is killed after this; what its children still say is waited for as long. */
const PATIENCE_MS = 3000;
/** Of what a tool says, its end is kept: there it says how it ended. */
const OUTPUT_CHARACTERS_KEPT = 16 * 1024;

/** How a program ended, and the end of what it said. */
export interface ProgramResult {
  /** Null: ended by a signal. */
  readonly code: number | null;
  readonly output: string;
}

/** Where a program is; undefined when it is not installed. */
export async function findProgram(name: string): Promise<string | undefined> {
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...SYSTEM_FOLDERS];
  for (const folder of folders) {
    if (folder === '') continue;
    const path = join(folder, name);
    if (await isProgram(path)) return path;
  }
  return undefined;
}

async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

/**
 * The command line that lets a program end together with this process, however that ends (util-linux, Linux only);
 * without setpriv it is started as it is.
 */
export async function boundToUs(path: string, args: readonly string[]): Promise<[string, string[]]> {
  const setpriv = await findProgram('setpriv');
  return setpriv === undefined ? [path, [...args]] : [setpriv, ['--pdeathsig', 'TERM', path, ...args]];
}

/** Runs a program to its end, in English, with nothing to read. Throws Device when it cannot be started. */
export async function runProgram(
  path: string,
  args: readonly string[],
  signal?: AbortSignal,
): Promise<ProgramResult> {
  signal?.throwIfAborted();
  const [command, line] = await boundToUs(path, args);
  return new Promise((resolve, reject) => {
    const child = spawn(command, line, {
      stdio: ['ignore', 'pipe', 'pipe'],
      // A group of its own: Ctrl-C is ours to judge.
      detached: true,
      env: { ...process.env, LC_ALL: 'C' },
    });
    let killer: NodeJS.Timeout | undefined;
    const stop = () => {
      tellGroup(child.pid, 'SIGTERM');
      killer ??= setTimeout(() => tellGroup(child.pid, 'SIGKILL'), PATIENCE_MS);
    };
    signal?.addEventListener('abort', stop);
    let output = '';
    const keep = (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-OUTPUT_CHARACTERS_KEPT);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.on('error', (cause) => {
      signal?.removeEventListener('abort', stop);
      reject(deviceError('program', `${path} cannot be started`, { path, cause }));
    });
    const end = (code: number | null) => {
      signal?.removeEventListener('abort', stop);
      clearTimeout(killer);
      resolve({ code, output });
    };
    child.on('close', end);
    child.on('exit', (code) => setTimeout(end, PATIENCE_MS, code).unref());
  });
}

/** How a command ended: its exit code, by a signal, or because it took too long. */
export type CommandLineEnd = number | 'killed' | 'timed-out';

/**
 * Runs a command line by `sh -c` to its end. It has a group of its own, so that Ctrl-C does not reach it; it goes on when this
 * process dies; and what it leaves running (a machine) holds nothing of ours, so nothing is read from it. When the time is over
 * it is ended with all its children. Throws Device when it cannot be started.
 */
export function runCommandLine(
  command: string,
  variables: Readonly<Record<string, string>>,
  milliseconds: number,
): Promise<CommandLineEnd> {
  return new Promise((resolve, reject) => {
    const child = spawn('/bin/sh', ['-c', command], {
      stdio: 'ignore',
      detached: true,
      env: { ...process.env, LC_ALL: 'C', ...variables },
    });
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      tellGroup(child.pid, 'SIGTERM');
      // Also when the shell has ended: its children may not have.
      setTimeout(() => tellGroup(child.pid, 'SIGKILL'), PATIENCE_MS);
    }, milliseconds);
    child.on('error', (cause) => {
      clearTimeout(timer);
      reject(deviceError('program', '/bin/sh cannot be started', { path: '/bin/sh', cause }));
    });
    child.on('exit', (code) => {
      clearTimeout(timer);
      resolve(isLate ? 'timed-out' : (code ?? 'killed'));
    });
  });
}

/** A program with all its children, which would keep our pipes open. */
function tellGroup(pid: number | undefined, name: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, name);
  } catch {
    // They have ended.
  }
}
