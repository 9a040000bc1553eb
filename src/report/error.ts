import { type ErrorFamily, VmreclaimError } from '../core/errors.js';
import { painter } from './paint.js';
import { wrapText } from './text-width.js';
import type { Rendered, RenderOptions, StepDocument } from './types.js';

/** Exit codes that do not come from an error. See docs/exit-codes.md. */
export const EXIT_DONE = 0;
export const EXIT_FINDINGS = 3;

/** Who must act decides the exit code. */
export const EXIT_CODES: Readonly<Record<ErrorFamily, number>> = {
  internal: 1,
  usage: 2,
  unsupported: 4,
  refused: 4,
  damaged: 5,
  device: 6,
  conflict: 7,
  verify: 8,
  interrupted: 9,
};

/** The exit code of whatever was thrown. What is no VmreclaimError is a bug. */
export function exitCodeOf(error: unknown): number {
  return EXIT_CODES[error instanceof VmreclaimError ? error.family : 'internal'];
}

/** What is known of a command that failed besides the error; `run` tells the steps that it took. */
export interface FailureParts {
  readonly steps?: readonly StepDocument[];
}

/** What `--json` prints on stderr when a command fails. Keys that say nothing are left out. */
export interface ErrorDocument {
  readonly error: {
    readonly code: string;
    readonly family: ErrorFamily;
    readonly message: string;
    readonly hint?: string;
    readonly path?: string;
    /** Bytes, of the structure's own device. */
    readonly offset?: number;
    readonly expected?: string | number;
    readonly actual?: string | number;
    readonly cause?: string;
  };
}

/** Any thrown value as JSON. No stack: it says nothing to an operator and differs between builds. */
export function errorDocument(error: unknown): ErrorDocument {
  if (!(error instanceof VmreclaimError)) {
    return { error: { code: 'internal', family: 'internal', message: messageOf(error) } };
  }
  const { cause, ...where } = error.detail;
  const located = Object.fromEntries(Object.entries(where).filter(([, value]) => value !== undefined));
  return {
    error: {
      code: error.code,
      family: error.family,
      message: error.message,
      ...located,
      ...(cause === undefined ? {} : { cause: messageOf(cause) }),
    },
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Any thrown value for a terminal: what, where, expected and found, what to do. */
export function renderError(error: unknown, options: RenderOptions): Rendered {
  const paint = painter(options);
  const { error: shown } = errorDocument(error);
  const lines = [`${paint.bad('error')} [${paint.text(shown.code)}]: ${paint.text(shown.message)}`];
  const detail = (title: string, value: string | number | undefined) => {
    if (value !== undefined) lines.push(`  ${title}: ${paint.text(String(value))}`);
  };
  detail('path', shown.path);
  detail('offset', offsetText(shown.offset));
  detail('expected', shown.expected);
  detail('found', shown.actual);
  detail('cause', shown.cause);
  if (shown.hint !== undefined) lines.push(`  ${paint.strong('remedy')}: ${paint.text(shown.hint)}`);
  if (shown.family === 'internal') lines.push('  This is a bug of vmreclaim. Please report it.');
  const text = lines.flatMap((line) => wrapText(line, options.width, '    ')).join('\n');
  return { text: `${text}\n`, exitCode: exitCodeOf(error) };
}

function offsetText(offset: number | undefined): string | undefined {
  return offset === undefined ? undefined : `${offset} (0x${offset.toString(16)})`;
}
