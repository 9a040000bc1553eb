import { createInterface } from 'node:readline';
import { usageError } from '../core/errors.js';

/**
 * Asks whether to go on. Without a terminal nobody can answer: Usage (no-terminal), unless `yes` was given.
 * The question goes to stderr, so that stdout stays data.
 */
export async function askToGoOn(question: string, yes: boolean, signal: AbortSignal): Promise<boolean> {
  if (yes) return true;
  requireAnswer(yes);
  const answer = await ask(`${question} [y/N] `);
  signal.throwIfAborted();
  return /^y(es)?$/i.test(answer.trim());
}

/** Throws Usage (no-terminal) when a question could not be answered. */
export function requireAnswer(yes: boolean): void {
  if (yes) return;
  if (process.stdin.isTTY !== true || process.stderr.isTTY !== true) {
    throw usageError('no-terminal', 'there is no terminal to confirm the plan on', {
      hint: 'answer with --yes, or look first with --dry-run',
    });
  }
}

/** One line from the terminal; empty when it is closed (Ctrl-D) or the user presses Ctrl-C. */
function ask(question: string): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  return new Promise((resolve) => {
    lines.on('close', () => resolve(''));
    // A terminal in raw mode sends no signal for Ctrl-C: send it ourselves, so that one place judges it.
    lines.on('SIGINT', () => {
      process.once('SIGINT', () => lines.close());
      process.kill(process.pid, 'SIGINT');
    });
    lines.question(question, (line) => {
      resolve(line);
      lines.close();
    });
  });
}
