import { createInterface } from 'node:readline/promises';
import { usageError } from '../core/errors.js';

/**
 * Asks whether to go on. Without a terminal nobody can answer: Usage (no-terminal), unless `yes` was given.
 * The question goes to stderr, so that stdout stays data.
 */
export async function askToGoOn(question: string, yes: boolean, signal: AbortSignal): Promise<boolean> {
  if (yes) return true;
  if (process.stdin.isTTY !== true || process.stderr.isTTY !== true) {
    throw usageError('no-terminal', 'there is no terminal to confirm the plan on', {
      hint: 'answer with --yes, or look first with --dry-run',
    });
  }
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await lines.question(`${question} [y/N] `, { signal });
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    lines.close();
  }
}
