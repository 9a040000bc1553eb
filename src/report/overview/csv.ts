import { cleanText } from '../../core/text.js';
import { type CellValue, sheetsOf } from './sheets.js';
import type { Overview } from './types.js';

/**
 * All tables as one CSV (RFC 4180) under one heading: the column `table` says which one a line belongs to (vm, datastore,
 * saving, done, error); columns that a table does not have are empty. Numbers are plain: bytes, not GiB.
 */
export function renderCsv(overview: Overview): string {
  const sheets = sheetsOf(overview);
  const keys = [...new Set(sheets.flatMap(({ columns }) => columns.map(({ key }) => key)))];
  const lines = [['table', ...keys].join(',')];
  for (const { id, columns, rows } of sheets) {
    const places = keys.map((key) => columns.findIndex((column) => column.key === key));
    for (const row of rows) {
      lines.push([id, ...places.map((place) => csvCell(place < 0 ? null : (row[place] ?? null)))].join(','));
    }
  }
  return `${lines.join('\r\n')}\r\n`;
}

/** What a spreadsheet would take for a formula; the wide forms are the same to some of them. */
const FORMULA = /^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/;

function csvCell(value: CellValue): string {
  if (value === null) return '';
  if (typeof value === 'number') return String(value);
  const text = cleanText(typeof value === 'string' ? value : value.join('; '));
  const safe = FORMULA.test(text) ? `'${text}` : text;
  return /[",\r\n;]/.test(safe) || safe !== text ? `"${safe.replaceAll('"', '""')}"` : safe;
}
