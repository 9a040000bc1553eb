import type { Reason } from '../core/errors.js';
import type { Painter } from './paint.js';
import { wrapText } from './text-width.js';

const INDENT = '  ';

/** Reasons as lines: what is the matter, its code for scripts, and on a line of its own what to do. */
export function reasonLines(
  title: string,
  reasons: readonly Reason[],
  paint: Painter,
  width: number,
): readonly string[] {
  return reasons.flatMap((reason) => {
    const what = `${title}: ${paint.text(reason.message)} ${paint.dim(`[${paint.text(reason.code)}]`)}`;
    const remedy = reason.hint === undefined ? [] : [`${INDENT}remedy: ${paint.text(reason.hint)}`];
    return [what, ...remedy].flatMap((line) => wrapText(line, width, INDENT.repeat(2)));
  });
}

/** `1 disk`, `2 disks`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
