import { spawn } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { deviceError } from '../../core/errors.js';

/** Tools of the administrator are not in everybody's PATH. */
const SYSTEM_FOLDERS = ['/usr/sbin', '/sbin', '/usr/local/sbin', '/usr/bin', '/bin'];
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
    if (
      await access(path, constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return path;
  }
  return undefined;
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
    const stop = () => void child.kill('SIGTERM');
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
    child.on('close', (code) => {
      signal?.removeEventListener('abort', stop);
      resolve({ code, output });
    });
  });
}
