import { writeFileSync, writeSync } from 'node:fs';
import { deviceError } from '../core/errors.js';
import type { RenderOptions } from '../report/types.js';

const DEFAULT_WIDTH = 80;
const MIN_WIDTH = 60;
const MAX_WIDTH = 200;

/** What output options say about where text goes. */
export interface OutputOptions {
  readonly json?: boolean;
  readonly output?: string;
  readonly quiet?: boolean;
  readonly color?: boolean;
}

/** How to render for a stream: colour as the user, the environment and the stream allow. */
export function renderOptions(stream: NodeJS.WriteStream, options: OutputOptions): RenderOptions {
  const width = Math.min(MAX_WIDTH, Math.max(MIN_WIDTH, stream.columns || DEFAULT_WIDTH));
  return { color: wantsColor(stream, options), width, unicode: canUnicode() };
}

/** --no-color, then NO_COLOR and FORCE_COLOR (no-color.org), then whether it is a terminal. */
function wantsColor(stream: NodeJS.WriteStream, { color, output }: OutputOptions): boolean {
  const { NO_COLOR, FORCE_COLOR, TERM } = process.env;
  if (color === false || (NO_COLOR !== undefined && NO_COLOR !== '')) return false;
  if (FORCE_COLOR !== undefined && FORCE_COLOR !== '0' && FORCE_COLOR !== 'false') return true;
  return stream.isTTY === true && TERM !== 'dumb' && output === undefined;
}

function canUnicode(): boolean {
  const { LC_ALL, LC_CTYPE, LANG, TERM } = process.env;
  const locale = LC_ALL || LC_CTYPE || LANG || '';
  if (TERM === 'linux' || TERM === 'dumb') return false;
  return /utf-?8/i.test(locale) || (locale === '' && process.platform !== 'linux');
}

/** Data goes to stdout, or to the file of -o. Throws Device (output) when it cannot be written there. */
export function printData(text: string, { output }: OutputOptions): void {
  try {
    if (output === undefined || output === '-') writeAll(1, text);
    else writeFileSync(output, text);
  } catch (error) {
    const where = output === undefined || output === '-' ? 'standard output' : output;
    throw deviceError('output', `the result cannot be written to ${where}`, {
      hint: 'what was done is done: look at it with scan',
      cause: error,
    });
  }
}

/** Talk goes to stderr. Where nobody can listen the work goes on. */
export function printTalk(text: string): void {
  try {
    writeAll(2, text);
  } catch {
    // A full disk behind `2> log` must not stop a run in flight.
  }
}

/** Writes synchronously, so that nothing is lost when the process ends right after; a closed pipe is no error. */
function writeAll(fd: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let done = 0; done < bytes.length; ) {
    try {
      done += writeSync(fd, bytes, done);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EPIPE') return;
      if (code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}
