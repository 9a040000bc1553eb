import { painter } from '../paint.js';
import { type Column, renderTable } from '../table.js';
import { wrapText } from '../text-width.js';
import type { RenderOptions } from '../types.js';
import { type CellKind, cellText, forPeople, isNumeric, type Sheet, sheetsOf } from './sheets.js';
import { summaryLines } from './summary.js';
import type { Overview } from './types.js';

/** From so many columns on the `wide` ones are shown too, as many as fit. */
const WIDE_TERMINAL = 120;
/** What a column takes at the least, with its gap, when it is asked whether one more fits. */
const COLUMN_ROOM = 13;

/** The overview for a terminal: a table for each part that has lines, the totals last. */
export function renderOverviewTable(overview: Overview, options: RenderOptions): string {
  const paint = painter(options);
  const tables = sheetsOf(overview)
    .filter(({ rows }) => rows.length > 0)
    .map(forPeople)
    .flatMap((sheet) => [paint.strong(sheet.title), ...sheetLines(sheet, overview, options), '']);
  const summary = summaryLines(overview).flatMap(({ title, value }) =>
    wrapText(`${paint.dim(`${title}:`)} ${paint.text(value)}`, options.width, '  '),
  );
  return `${[...tables, ...summary].join('\n')}\n`;
}

function sheetLines(sheet: Sheet, overview: Overview, options: RenderOptions): string[] {
  const paint = painter(options);
  const shown = shownColumns(sheet, options.width);
  const columns: Column[] = shown.map(({ title, kind, least }) => ({
    title,
    ...layoutOf(kind),
    ...(least === undefined ? {} : { least }),
  }));
  const rows = sheet.rows.map((row) =>
    shown.map(({ key, kind, index }) => {
      const text = paint.text(cellText(row[index] ?? null, kind, overview));
      return toneOf(key, text, paint)(text);
    }),
  );
  return renderTable(columns, rows, options);
}

function shownColumns({ columns }: Sheet, width: number) {
  const indexed = columns.map((column, index) => ({ ...column, index }));
  const narrow = indexed.filter(({ wide }) => wide !== true);
  if (width < WIDE_TERMINAL) return narrow;
  let room = Math.floor(width / COLUMN_ROOM) - narrow.length;
  return indexed.filter(({ wide }) => wide !== true || room-- > 0);
}

function layoutOf(kind: CellKind): Omit<Column, 'title'> {
  if (isNumeric(kind)) return { align: 'right' };
  return kind === 'path' ? { least: 12, cut: 'start' } : { least: 6 };
}

function toneOf(key: string, text: string, paint: ReturnType<typeof painter>): (text: string) => string {
  if (text === 'misaligned' || text === 'damaged') return paint.bad;
  if (key === 'state' && text !== 'ready') return paint.warn;
  return text === 'aligned' ? paint.good : (same) => same;
}
