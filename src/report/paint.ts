import { Chalk } from 'chalk';
import { cleanText } from '../core/text.js';
import type { RenderOptions } from './types.js';

type Paint = (text: string) => string;

/** The few meanings that have a colour, and the way of text that comes from outside. */
export interface Painter {
  readonly good: Paint;
  readonly bad: Paint;
  readonly warn: Paint;
  readonly dim: Paint;
  readonly strong: Paint;
  /** For labels, paths, messages: removes what could act on a terminal, and what the console cannot show. */
  readonly text: Paint;
  readonly ellipsis: string;
  readonly arrow: string;
}

/** Level 1 are the 16 colours that every theme keeps readable. */
const COLOR_LEVEL = 1;

/** Colours as the options say: an own chalk, so that nothing depends on the process's terminal. */
export function painter(options: RenderOptions): Painter {
  const chalk = new Chalk({ level: options.color ? COLOR_LEVEL : 0 });
  return {
    good: chalk.green,
    bad: chalk.red,
    warn: chalk.yellow,
    dim: chalk.gray,
    strong: chalk.bold,
    text: (text) => (options.unicode ? cleanText(text) : toAscii(cleanText(text))),
    ellipsis: options.unicode ? '…' : '~',
    arrow: options.unicode ? '→' : '->',
  };
}

function toAscii(text: string): string {
  return text.replace(/[^ -~]/gu, '?');
}
