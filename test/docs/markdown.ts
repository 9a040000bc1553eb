import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** The absolute path of a file of the project. */
export const projectPath = (name: string): string => `${ROOT}${name}`;

export const readDocument = (name: string): string => readFileSync(projectPath(name), 'utf8');

/** A fenced block whose first line is `$ command`: the command and what follows it. */
const EXAMPLE = /^(```[a-z]*\n)\$ ([^\n]*)\n([\s\S]*?)^```$/gm;

/** Replaces what follows each `$ command` by the output of that command. */
export function withExamples(text: string, examples: ReadonlyMap<string, string>): string {
  return text.replace(EXAMPLE, (block, fence: string, command: string) => {
    const output = examples.get(command);
    return output === undefined ? block : `${fence}$ ${command}\n${output}\n\`\`\``;
  });
}

/** The commands that a document shows with their output. */
export const shownCommands = (text: string): string[] =>
  [...text.matchAll(EXAMPLE)].map(([, , command = '']) => command);

/** What a document shows behind `$ command`. */
export function exampleIn(text: string, command: string): string {
  for (const [, , shown, output = ''] of text.matchAll(EXAMPLE)) if (shown === command) return output;
  throw new Error(`no example of: ${command}`);
}

/** Rows of all tables below a heading up to the next heading, as cells without the header and the line below it. */
export function tableRows(text: string, heading: string): string[][] {
  const lines = text.split('\n');
  const start = lines.indexOf(heading);
  if (start < 0) throw new Error(`no heading: ${heading}`);
  const length = lines.slice(start + 1).findIndex((line) => /^#+ /.test(line));
  const section = lines.slice(start + 1, length < 0 ? undefined : start + 1 + length);
  const rows = section.filter((line) => line.startsWith('|')).map((line) => line.split('|').slice(1, -1));
  const cells = rows.map((row) => row.map((cell) => cell.trim()));
  return cells.filter((row, i) => !isRule(row) && !isRule(cells[i + 1] ?? []));
}

const isRule = (row: readonly string[]): boolean => row.length > 0 && row.every((cell) => /^-+$/.test(cell));
