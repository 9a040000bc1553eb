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
  variables: Readonly<Record<string, string>> = {},
): Promise<ProgramResult> {
  signal?.throwIfAborted();
  const [command, line] = await boundToUs(path, args);
  return new Promise((resolve, reject) => {
    const child = spawn(command, line, {
      stdio: ['ignore', 'pipe', 'pipe'],
      // A group of its own: Ctrl-C is ours to judge.
      detached: true,
      env: { ...process.env, LC_ALL: 'C', ...variables },
    });
    // Its children too, which would keep our pipes open.
    const tell = (name: NodeJS.Signals) => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, name);
      } catch {
        // They have ended.
      }
    };
    let killer: NodeJS.Timeout | undefined;
    const stop = () => {
      tell('SIGTERM');
      killer ??= setTimeout(() => tell('SIGKILL'), PATIENCE_MS);
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
