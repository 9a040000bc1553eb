import { describe, expect, it } from 'vitest';
import { cleanText } from '../../../src/core/text.js';
import { OVERVIEW_FORMATS } from '../../../src/report/overview/render.js';
import { cellText, type Sheet, sheetsOf } from '../../../src/report/overview/sheets.js';
import { displayWidth } from '../../../src/report/text-width.js';
import { ascii, coloured, plain, UNSAFE } from '../sample.js';
import { csvRows } from './csv-reader.js';
import { HOSTILE_NAME, overviewOf } from './sample.js';

const ESC = String.fromCharCode(27);
const overview = overviewOf();
const sheets = sheetsOf(overview);
const sheet = (id: Sheet['id']) => sheets.find((each) => each.id === id) as Sheet;
const json = JSON.parse(OVERVIEW_FORMATS.json(overview, plain(80)));
const keyOf = {
  vm: 'vms',
  datastore: 'datastores',
  saving: 'savings',
  done: 'done',
  error: 'errors',
} as const;
const IDS = Object.keys(keyOf) as (keyof typeof keyOf)[];

const unescapeHtml = (text: string) =>
  text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&amp;', '&');

/** The lines of a table of the page, as titles and cells. */
function htmlTable(id: string): { titles: string[]; rows: { value: number | null; text: string }[][] } {
  const text = OVERVIEW_FORMATS.html(overview, plain(80));
  const section = text.split(`<section id=${id}>`)[1]?.split('</section>')[0] ?? '';
  const titles = [...section.matchAll(/<button type=button>([^<]*)</g)].map(([, title = '']) => title);
  const rows = section
    .split('<tr>')
    .slice(2)
    .map((row) =>
      [...row.matchAll(/<td(?: class=\w+)?(?: data-v=(-?[\d.]+))?>([^<\n]*)/g)].map(
        ([, value, cell = '']) => ({
          value: value === undefined ? null : Number(value),
          text: unescapeHtml(cell),
        }),
      ),
    );
  return { titles, rows };
}

describe('all formats tell the same', () => {
  it.each(IDS)('%s: JSON and CSV, number by number', (id) => {
    const rows = csvRows(OVERVIEW_FORMATS.csv(overview, plain(80))).filter(({ table }) => table === id);
    const told = json[keyOf[id]] as Record<string, unknown>[];
    expect(rows).toHaveLength(told.length);
    expect(told.length).toBeGreaterThan(0);
    for (const [index, row] of rows.entries()) {
      for (const { key, kind } of sheet(id).columns) {
        const value = told[index]?.[key];
        const shown = row[key] ?? '';
        if (typeof value === 'number') expect(Number(shown)).toBe(value);
        else if (value === null) expect(shown).toBe('');
        else
          expect(shown.replace(/^'/, '')).toBe(
            cleanText(Array.isArray(value) ? value.join('; ') : String(value)),
          );
        expect(kind).toBeDefined();
      }
    }
  });

  it.each(IDS)('%s: JSON and HTML, number by number and text by text', (id) => {
    const { titles, rows } = htmlTable(id);
    const told = json[keyOf[id]] as Record<string, unknown>[];
    expect(rows).toHaveLength(told.length);
    for (const [index, row] of rows.entries()) {
      expect(row).toHaveLength(titles.length);
      for (const [place, title] of titles.entries()) {
        const column = sheet(id).columns.find((each) => each.title === title);
        const value = told[index]?.[column?.key ?? ''];
        if (typeof value === 'number') expect(row[place]?.value).toBe(value);
        const text = cellText(value as string, column?.kind ?? 'text', overview);
        expect(row[place]?.text).toBe(cleanText(text));
      }
    }
  });

  it.each(IDS)('%s: Markdown and the table of a terminal show each number of the JSON', (id) => {
    const markdown = OVERVIEW_FORMATS.markdown(overview, plain(80)).split(`## ${sheet(id).title}\n`)[1] ?? '';
    const [part = ''] = markdown.split('\n## ');
    const lines = part
      .split('\n')
      .filter((line) => line.startsWith('| '))
      .slice(2);
    const terminal = OVERVIEW_FORMATS.table(overview, plain(200)).split(`${sheet(id).title}\n`)[1] ?? '';
    const tableLines = terminal.split('\n\n')[0]?.split('\n').slice(1) ?? [];
    const told = json[keyOf[id]] as Record<string, unknown>[];
    expect(lines).toHaveLength(told.length);
    expect(tableLines).toHaveLength(told.length);
    for (const [index, row] of told.entries()) {
      for (const { key, kind, wide, data } of sheet(id).columns) {
        const value = row[key];
        if (typeof value !== 'number' || data === true) continue;
        const text = cellText(value, kind, overview);
        expect(lines[index]).toContain(` ${text} |`);
        if (wide !== true) expect(tableLines[index]).toContain(text);
      }
    }
  });

  it('totals are the sums of the lines, in JSON and in words', () => {
    const sum = (rows: Record<string, number>[], key: string) =>
      rows.reduce((all, row) => all + (row[key] ?? 0), 0);
    const { totals } = json;
    for (const key of [
      'sizeBytes',
      'usedBytes',
      'reclaimableBytes',
      'savedBytes',
      'growthBytes',
      'plannedBytes',
    ]) {
      expect(sum(json.vms, key)).toBe(totals[key]);
      expect(sum(json.savings, key)).toBe(totals[key]);
    }
    expect(totals.sizeBytes - totals.savedBytes + totals.growthBytes).toBe(totals.plannedBytes);
    expect(sum(json.done, 'savedBytes')).toBe(totals.doneBytes);
    expect(sum(json.savings, 'blockedBytes')).toBe(totals.blockedBytes);
    expect(totals.blockedBytes).toBeGreaterThan(0);
    expect(totals.savedCost).toBeCloseTo((totals.savedBytes / 2 ** 30) * 0.25, 1);
    for (const format of ['table', 'markdown', 'html'] as const) {
      const text = OVERVIEW_FORMATS[format](overview, plain(200));
      expect(text).toContain(cellText(totals.savedBytes, 'bytes', overview));
      expect(text).toContain(cellText(totals.savedCost, 'money', overview));
    }
  });

  it('puts the largest potential change first, and sorts as asked', () => {
    const reclaimable = json.vms.map((row: { reclaimableBytes: number }) => row.reclaimableBytes);
    expect(reclaimable).toEqual([...reclaimable].sort((a: number, b: number) => b - a));
    const bySize = overviewOf({ sort: 'size' }).vms.map(({ sizeBytes }) => sizeBytes);
    expect(bySize).toEqual([...bySize].sort((a, b) => b - a));
    const byPath = overviewOf({ sort: 'path' }).disks.map(({ path }) => path);
    expect(byPath).toEqual([...byPath].sort((a, b) => (a < b ? -1 : 1)));
  });

  it('lists only runs that were done, to disks of the report', () => {
    expect(json.done.map(({ command }: { command: string }) => command)).toEqual(['shrink', 'enlarge']);
  });
});

describe('names from disks', () => {
  it('begin no formula in CSV', () => {
    const text = OVERVIEW_FORMATS.csv(overview, plain(80));
    expect(text).toContain(`"'=HYPERLINK(""x"")`);
    for (const row of csvRows(text)) {
      for (const value of Object.values(row)) {
        if (!/^-?\d+(?:\.\d+)?$/.test(value)) expect(value).not.toMatch(/^[=+\-@\t\r]/);
      }
    }
  });

  it('are no markup in Markdown', () => {
    const text = OVERVIEW_FORMATS.markdown(overview, plain(80));
    expect(text).not.toMatch(/<|(?<!\\)\*a|(?<!\\)`|@me/);
    for (const line of text.split('\n').filter((each) => each.startsWith('| '))) {
      expect(line.match(/(?<!\\)\|/g)?.length).toBeGreaterThan(3);
    }
    expect(text).not.toContain(HOSTILE_NAME);
  });

  it.each([80, 120, 200])('stay within %d columns of a terminal and do nothing to it', (width) => {
    const text = OVERVIEW_FORMATS.table(overview, plain(width));
    expect(text).not.toMatch(UNSAFE);
    for (const line of text.split('\n')) expect(displayWidth(line)).toBeLessThanOrEqual(width);
    expect(OVERVIEW_FORMATS.table(overview, ascii(width))).toMatch(/^[\n -~]*$/);
    const inColour = OVERVIEW_FORMATS.table(overview, coloured(width));
    expect(inColour.replaceAll(new RegExp(`${ESC}\\[\\d+m`, 'g'), '')).toBe(text);
  });
});
