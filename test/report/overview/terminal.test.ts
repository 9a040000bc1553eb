import { describe, expect, it } from 'vitest';
import { historyDocument, renderHistory } from '../../../src/report/history-table.js';
import { renderOverviewTable } from '../../../src/report/overview/table.js';
import { displayWidth } from '../../../src/report/text-width.js';
import { UNSAFE } from '../sample.js';
import { overviewOf, runOf } from './sample.js';

const OVERVIEW = overviewOf();
const HISTORY = historyDocument([runOf({ disk: '/vmfs/volumes/ds2/vm0001/disk.vmdk' })], 0, 0);
/** Colours, and nothing else that moves a cursor. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: it is these that are looked for
const COLOUR = /\u001b\[\d+m/g;

const TERMINALS = [80, 120, 200].flatMap((width) =>
  [true, false].flatMap((color) => [true, false].map((unicode) => ({ width, color, unicode }))),
);

describe.each(TERMINALS)('in a terminal of %o', (options) => {
  it.each([
    ['a report', () => renderOverviewTable(OVERVIEW, options)],
    ['a history', () => renderHistory(HISTORY, { ...options, details: false }).text],
    ['a history with maps', () => renderHistory(HISTORY, { ...options, details: true }).text],
  ])('%s fits, in signs and colours that it can draw', (_, render) => {
    const text = render();
    const plain = text.replace(COLOUR, '');
    expect(text !== plain).toBe(options.color);
    expect(plain).not.toMatch(UNSAFE);
    if (!options.unicode) expect(plain).toMatch(/^[\n -~]*$/);
    for (const line of plain.split('\n')) expect(displayWidth(line)).toBeLessThanOrEqual(options.width);
  });
});

describe('a report in 80 columns', () => {
  const lines = renderOverviewTable(OVERVIEW, { width: 80, color: false, unicode: true }).split('\n');

  it('tells machines apart, and what is to be done', () => {
    for (let index = 0; index < 24; index++) {
      const hits = lines.filter((line) => line.startsWith(`machine ${index} `));
      expect(hits).toHaveLength(1);
      expect(hits[0]).toMatch(/ (?:mis)?aligned .* (?:ready|refused)$/);
    }
  });
});
