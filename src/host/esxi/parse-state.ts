import { cleanText } from '../../core/text.js';
import type { PowerState } from '../types.js';

/** Texts of a host that end up in a message. */
const TEXT_CHARACTERS = 300;
const NAMES_SHOWN = 3;

const shortText = (text: string): string => {
  const clean = cleanText(text);
  return clean.length > TEXT_CHARACTERS ? `${clean.slice(0, TEXT_CHARACTERS)}...` : clean;
};

const linesOf = (output: string): string[] => output.split('\n').flatMap((line) => line.trim() || []);

const STATES: Readonly<Record<string, PowerState>> = {
  'Powered on': 'on',
  'Powered off': 'off',
  Suspended: 'suspended',
};

/** The answer of `vmsvc/power.getstate`: two lines, word for word; anything else is `unknown`. */
export function parsePowerState(output: string): PowerState {
  const [heading, state = '', ...more] = linesOf(output);
  if (heading !== 'Retrieved runtime info' || more.length > 0) return 'unknown';
  return Object.hasOwn(STATES, state) ? (STATES[state] ?? 'unknown') : 'unknown';
}

/** What a host says against something: the name of the fault, and its text. */
export interface Fault {
  readonly name: string;
  readonly message: string;
}

/** A fault stands at the beginning of a line: `(vim.fault.NotFound) {`. */
const FAULT = /^[ \t]*\((?:vim|vmodl)\.fault\.(\w+)\)/m;

/** The fault in what `vim-cmd` printed, whatever its exit code; undefined: none. */
export function parseFault(output: string): Fault | undefined {
  const found = FAULT.exec(output);
  const [, name] = found ?? [];
  if (found === null || name === undefined) return undefined;
  const [, message = ''] = /^\s*msg = "(.*)",?\s*$/m.exec(output.slice(found.index)) ?? [];
  return { name, message: shortText(message) };
}

/**
 * The snapshots of `vmsvc/snapshot.get`: their names, none for a machine without; undefined when it is not understood. Nothing
 * at all is no answer: only the bare heading says that there are none.
 */
export function parseSnapshots(output: string): string[] | undefined {
  const [heading, root, ...rest] = linesOf(output);
  if (heading !== 'Get Snapshot:') return undefined;
  if (root === undefined) return [];
  if (!root.startsWith('|-ROOT')) return undefined;
  const names = rest.flatMap((line) => /^-*Snapshot Name\s*: (.*)$/.exec(line)?.[1] ?? []);
  return names.length === 0 ? ['(without a name)'] : names.map(shortText);
}

/** Snapshots for a message: the first few names. */
export function snapshotText(names: readonly string[]): string {
  const more = names.length > NAMES_SHOWN ? ` and ${names.length - NAMES_SHOWN} more` : '';
  return `${names.slice(0, NAMES_SHOWN).join(', ')}${more}`;
}

/** The answer of `vmsvc/message`: the question, null when there is none; undefined when it is not understood. */
export function parseQuestion(output: string): string | null | undefined {
  const [first, ...rest] = linesOf(output);
  if (first === undefined) return undefined;
  if (/^No message\.?$/.test(first) && rest.length === 0) return null;
  return /^Virtual machine message \S+?:/.test(first) ? shortText([first, ...rest].join(' ')) : undefined;
}
