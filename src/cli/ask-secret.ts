import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { usageError } from '../core/errors.js';
import { cleanText } from '../core/text.js';
import { printTalk } from './terminal.js';

/**
 * Asks for a line on the terminal, hidden if it is a secret: what is typed is not echoed. The question may come from a
 * server, so it is cleaned. Usage (no-answer) when the terminal is closed or Ctrl-C is pressed.
 */
export async function askSecret(question: string, hidden: boolean, signal: AbortSignal): Promise<string> {
  signal.throwIfAborted();
  printTalk(`${cleanText(question)} `);
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const output = hidden ? silent : process.stderr;
  const lines = createInterface({ input: process.stdin, output, terminal: true, historySize: 0 });
  try {
    return await new Promise<string>((resolve, reject) => {
      const stop = (): void => reject(usageError('no-answer', 'the question was not answered'));
      lines.once('close', stop);
      lines.once('SIGINT', () => {
        process.kill(process.pid, 'SIGINT');
        stop();
      });
      lines.question('', resolve);
    });
  } finally {
    lines.close();
    if (hidden) printTalk('\n');
  }
}
