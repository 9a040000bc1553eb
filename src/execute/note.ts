import { shellQuote } from '../core/text.js';

/** What stands in READ-ME-FIRST.txt of a run folder. `target` is what the disk is called where it is resumed. */
export function noteFor(disk: string, target: string): string {
  return (
    `vmreclaim is changing the disk ${disk}, or was interrupted while it did.\n` +
    `Finish it with:\n\n    vmreclaim resume ${shellQuote(target)}\n\n` +
    'Do not start the virtual machine and do not remove this folder before that: without it the disk cannot be made whole.\n'
  );
}

/** The same, of a run with a safety copy. */
export const wayBack = (disk: string): string =>
  '\nThis folder also holds a safety copy of the disk. Going back to it drops the run:\n\n' +
  `    vmreclaim abandon --restore ${shellQuote(disk)}\n`;
