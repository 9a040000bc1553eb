import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { EXIT_CODES, EXIT_DONE, EXIT_FINDINGS } from '../../src/report/error.js';
import { projectPath, readDocument, tableRows } from './markdown.js';

const text = readDocument('docs/cli.md');

/** The lines of a section of a help, without the wrapped ends of long ones. */
function helpSection(title: string, args: readonly string[]): string[] {
  const { stdout } = spawnSync(process.execPath, [projectPath('bin/vmreclaim.js'), ...args, '--help'], {
    encoding: 'utf8',
  });
  const section = stdout.split(`${title}:\n`)[1]?.split('\n\n')[0] ?? '';
  return section.split('\n').filter((line) => /^ {2}\S/.test(line));
}

/** The flags of an option as commander prints them: `-o, --output <file>`. */
const flagsOf = (line: string): string => line.trim().split(/ {2,}/)[0] ?? '';

const commands = helpSection('Commands', []).map((line) => line.trim().split(' ')[0] ?? '');
const changing = commands.filter((command) => command !== 'help');

/** `-x, --option <value>` to the commands that the document says have it. */
const documented = new Map(
  tableRows(text, '## Options').map(([flags = '', who = '']) => [
    flags.replaceAll('`', ''),
    who === 'all' ? [...changing] : who.split(', '),
  ]),
);

describe('docs/cli.md', () => {
  it('lists the commands of the program, and no other', () => {
    const listed = [...text.matchAll(/^ {4}vmreclaim (\S+)/gm)].map(([, command]) => command);
    expect(listed).toEqual(commands);
    const headings = [...text.matchAll(/^## vmreclaim (\S+)$/gm)].map(([, command]) => command);
    expect(headings).toEqual(changing);
  });

  it.each(changing)('documents the options of %s, and no other', (command) => {
    const real = helpSection('Options', [command]).map(flagsOf);
    const told = [...documented].filter(([, who]) => who.includes(command)).map(([flags]) => flags);
    expect(told.sort()).toEqual(real.sort());
  });

  it('names commands that exist beside each option', () => {
    for (const who of documented.values()) expect(changing).toEqual(expect.arrayContaining(who));
  });

  it('documents the exit codes of errors', () => {
    const codes = tableRows(text, '## Exit codes').flatMap(([code = '']) => code.split(', ').map(Number));
    const real = [...new Set([EXIT_DONE, EXIT_FINDINGS, ...Object.values(EXIT_CODES)])];
    expect(codes.filter((code) => code < 128).sort()).toEqual(real.sort());
  });
});
