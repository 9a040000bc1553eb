import { cleanText } from '../../core/text.js';
import { cellText, forPeople, isNumeric, type Sheet, sheetsOf } from './sheets.js';
import { summaryLines } from './summary.js';
import type { Overview } from './types.js';

/** The overview as Markdown with tables. Text from disks cannot become markup: what means something is escaped. */
export function renderMarkdown(overview: Overview): string {
  const sheets = sheetsOf(overview)
    .filter(({ rows }) => rows.length > 0)
    .map(forPeople);
  const summary = summaryLines(overview).map(({ title, value }) => `- ${title}: ${escapeMarkdown(value)}`);
  return [
    '# Report on virtual disks',
    '',
    ...summary,
    ...sheets.flatMap((sheet) => ['', `## ${sheet.title}`, '', ...table(sheet, overview)]),
    '',
  ].join('\n');
}

function table({ columns, rows }: Sheet, overview: Overview): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [
    line(columns.map(({ title }) => title)),
    line(columns.map(({ kind }) => (isNumeric(kind) ? '--:' : '---'))),
    ...rows.map((row) =>
      line(columns.map(({ kind }, index) => escapeMarkdown(cellText(row[index] ?? null, kind, overview)))),
    ),
  ];
}

/** Every sign that Markdown or HTML in it gives a meaning to. A full stop and a hyphen inside a cell have none. */
function escapeMarkdown(text: string): string {
  return cleanText(text)
    .replace(/[\\`*_{}[\]#+!|<>~&@]/g, (sign) => ENTITIES[sign] ?? `\\${sign}`)
    .replace(/:(?=\/\/)/g, '&#58;')
    .replace(/(?<=www)\./gi, '&#46;');
}

/** What would become a tag, or a link by itself (as `https://`, `www.` and addresses do), needs more than a backslash. */
const ENTITIES: Readonly<Record<string, string>> = { '<': '&lt;', '>': '&gt;', '&': '&amp;', '@': '&#64;' };
