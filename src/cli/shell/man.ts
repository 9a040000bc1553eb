import type { CommandSpec, OptionSpec, ProgramSpec } from './tree.js';

/** Text in roff: nothing in it is a request, an escape or a typographic quote. */
const roff = (text: string): string =>
  text.replaceAll('\\', '\\e').replaceAll('-', '\\-').replaceAll("'", '\\(aq').replace(/^\./gm, '\\&.');

const bold = (text: string): string => `\\fB${roff(text)}\\fR`;
const italic = (text: string): string => `\\fI${roff(text)}\\fR`;

/** Exit codes as docs/exit-codes.md explains them. */
const EXIT_STATUS: readonly (readonly [string, string])[] = [
  ['0', 'done; for scan --check: nothing found'],
  ['1', 'internal error: a bug'],
  ['2', 'usage, or no terminal to confirm on'],
  ['3', 'scan --check: findings'],
  ['4', 'refused or unsupported: nothing was changed'],
  ['5', 'damaged input: nothing was changed'],
  ['6', 'input or output error'],
  ['7', 'conflict: locked, in use, or changed since the plan'],
  ['8', 'verification failed'],
  ['9', 'stopped, resumable: run vmreclaim resume'],
  ['130, 143', 'stopped by a signal, nothing in flight'],
];

const ENVIRONMENT: readonly (readonly [string, string])[] = [
  ['NO_COLOR, FORCE_COLOR', 'no colours, or colours where there is no terminal'],
  ['LC_ALL, LC_CTYPE, LANG, TERM', 'whether maps and tables are drawn with Unicode'],
  ['VMRECLAIM_STATE_DIR', 'the folder of the history'],
  ['XDG_STATE_HOME', 'the folder that has it as vmreclaim; unless set ~/.local/state'],
];

/** The manual page, in the macros of man(7). Equal programs give equal pages: there is no date in it. */
export function manualPage(program: ProgramSpec): string {
  const { name, version, description, commands, options } = program;
  const shared = sharedOptions(commands);
  const lines = [
    `.\\" Made by: ${name} man`,
    `.TH ${name.toUpperCase()} 1 "" "${name} ${version}" "User Commands"`,
    '.SH NAME',
    `${roff(name)} \\- ${roff(lowerFirst(description))}`,
    '.SH SYNOPSIS',
    ...commands.flatMap((command) => [synopsis(name, command), '.br']).slice(0, -1),
    '.SH DESCRIPTION',
    roff(description),
    '.PP',
    'TARGET is a descriptor, a flat or raw image, a .vmx or a folder; DISK is one disk. Switch the machine off first.',
    'A changing command prints its plan and asks; it can be stopped at any moment, and resumed.',
    'Sizes take K, M, G and T as powers of 1024, and s for sectors.',
    '.SH OPTIONS',
    ...options.filter(({ long }) => long !== '--help').flatMap(optionLines),
    '.SS Of every command',
    ...shared.flatMap(optionLines),
    '.SH COMMANDS',
    ...commands.flatMap((command) => commandLines(name, command, shared)),
    '.SH EXIT STATUS',
    ...EXIT_STATUS.flatMap(([code, text]) => ['.TP', bold(code), roff(text)]),
    '.SH ENVIRONMENT',
    ...ENVIRONMENT.flatMap(([variable, text]) => ['.TP', bold(variable), roff(text)]),
  ];
  return `${lines.flatMap(wrapped).join('\n')}\n`;
}

/** Formatters fill text anyway; sources are easier to look at with short lines. */
const LINE_LENGTH = 79;

function wrapped(line: string): string[] {
  if (line.startsWith('.')) return [line];
  const lines = [''];
  for (const word of line.split(' ')) {
    const last = lines.at(-1) ?? '';
    if (last.length + 1 + word.length > LINE_LENGTH) lines.push(word.replace(/^\./, '\\&.'));
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`;
  }
  return lines;
}

/** What every command has is told once. */
function sharedOptions([first, ...others]: readonly CommandSpec[]): OptionSpec[] {
  const has = ({ options }: CommandSpec, long: string) => options.some((option) => option.long === long);
  return (first?.options ?? []).filter(({ long }) => others.every((command) => has(command, long)));
}

const lowerFirst = (text: string): string =>
  (text.charAt(0).toLowerCase() + text.slice(1)).replace(/\.$/, '');

function synopsis(program: string, { name, arguments: positional }: CommandSpec): string {
  const told = positional.map((argument) => {
    const text = `${italic(argument.name)}${argument.variadic ? ' ...' : ''}`;
    return argument.required ? text : `[${text}]`;
  });
  return [bold(`${program} ${name}`), '[options]', ...told].join(' ');
}

function commandLines(program: string, command: CommandSpec, shared: readonly OptionSpec[]): string[] {
  const known = new Set(shared.map(({ long }) => long));
  return [
    `.SS ${roff(command.name)}`,
    synopsis(program, command),
    '.PP',
    `${roff(command.description)}.`,
    ...command.arguments
      .filter(({ choices }) => choices.length > 0)
      .flatMap(({ name, choices }) => ['.TP', italic(name), `one of: ${roff(choices.join(', '))}`]),
    ...command.options.filter(({ long }) => !known.has(long)).flatMap(optionLines),
  ];
}

function optionLines({ short, long, value, description, choices, preset }: OptionSpec): string[] {
  const flags = [...(short === undefined ? [] : [short]), long].map(bold).join(', ');
  const notes = [
    ...(choices.length === 0 ? [] : [`one of ${choices.join(', ')}`]),
    ...(preset === undefined ? [] : [`${preset} unless given`]),
  ];
  const note = notes.length === 0 ? '' : ` (${notes.join('; ')})`;
  return ['.TP', value === undefined ? flags : `${flags} ${italic(value)}`, roff(`${description}${note}`)];
}
