import { refused } from '../../core/errors.js';
import { cleanText } from '../../core/text.js';

/** C0 controls and DEL: no datastore has such names, and a terminal or a log behind the host would act on them. */
const hasControls = (text: string): boolean => [...text].some((each) => each < ' ' || each === '\x7f');

/**
 * A name as one word of a POSIX shell (ESXi has ash), whatever is in it. Unlike `shellQuote`, which is for people, it
 * changes nothing of the name. Refused (odd-name) for control characters.
 */
export function shellWord(text: string): string {
  if (hasControls(text)) {
    throw refused('odd-name', `a name holds control characters: ${cleanText(text)}`, {
      hint: 'rename it, then come back',
    });
  }
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** A handle of the host: nothing but digits reaches a command line. */
export function machineId(id: string): string {
  if (/^\d{1,10}$/.test(id)) return id;
  throw refused('host-answer', `the host names a virtual machine ${cleanText(id)}, which is no number`);
}

/** `vim-cmd SERVICE WORDS...`, every word quoted. */
export const vimCommand = (service: string, ...words: string[]): string =>
  ['vim-cmd', service, ...words.map(shellWord)].join(' ');
