import CliTable from 'cli-table3';
import { type Painter, painter } from './paint.js';
import { displayWidth, truncateStart, truncateText } from './text-width.js';
import type { RenderOptions } from './types.js';

export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
  /** May be cut down to this many columns when the table is too wide. Columns without it keep their text. */
  readonly least?: number;
  /** Where it is cut: paths lose their beginning. */
  readonly cut?: 'start' | 'end';
}

const COLUMN_GAP = 2;

/** No frame: columns are told apart by space, which copies and greps well. */
const FRAMELESS = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: ' '.repeat(COLUMN_GAP),
} as const;

/**
 * A table no wider than the options say, as lines. Cells are safe text (see Painter.text), coloured or not.
 * Too wide: columns that may be cut are, the widest first; when that is not enough, all the others too.
 */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  options: RenderOptions,
): string[] {
  const paint = painter(options);
  const widths = fitWidths(columns, rows, options.width);
  const table = new CliTable({
    chars: FRAMELESS,
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [], compact: true },
    colWidths: [...widths],
    colAligns: columns.map((column) => column.align ?? 'left'),
  });
  table.push(
    columns.map((column, index) => paint.dim(truncateText(column.title, widths[index] ?? 0, paint.ellipsis))),
  );
  for (const row of rows) {
    table.push(columns.map((column, index) => cutCell(row[index] ?? '', column, widths[index] ?? 0, paint)));
  }
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd());
}

function cutCell(cell: string, column: Column, width: number, paint: Painter): string {
  const cut = column.cut === 'start' ? truncateStart : truncateText;
  return cut(cell, width, paint.ellipsis);
}

function fitWidths(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  width: number,
): readonly number[] {
  const widths = columns.map((column, index) =>
    rows.reduce((most, row) => Math.max(most, displayWidth(row[index] ?? '')), column.title.length),
  );
  const room = width - COLUMN_GAP * (columns.length - 1);
  cutWidest(widths, room, (index) => columns[index]?.least);
  cutWidest(widths, room, () => 1);
  return widths;
}

/** Takes columns from the widest column that may give one, until the sum fits or nobody may. */
function cutWidest(widths: number[], room: number, leastOf: (index: number) => number | undefined): void {
  let excess = widths.reduce((sum, each) => sum + each, 0) - room;
  while (excess > 0) {
    const spare = widths.map((each, index) => each - (leastOf(index) ?? each));
    const widest = widths.reduce((best, each, index) => {
      if ((spare[index] ?? 0) <= 0) return best;
      return best === -1 || each > (widths[best] ?? 0) ? index : best;
    }, -1);
    if (widest === -1) return;
    widths[widest] = (widths[widest] ?? 0) - 1;
    excess--;
  }
}
