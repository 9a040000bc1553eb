import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cleanText } from '../../src/core/text.js';
import { renderTable } from '../../src/report/table.js';
import { displayWidth } from '../../src/report/text-width.js';
import { plain } from './sample.js';

describe('renderTable', () => {
  it('keeps columns that may not be cut, and cuts paths at their beginning', () => {
    const columns = [
      { title: 'path', least: 6, cut: 'start' as const },
      { title: 'n', align: 'right' as const },
    ];
    expect(renderTable(columns, [['/vms/web/web.vmdk', '12345']], plain(16))).toEqual([
      'path           n',
      '…web.vmdk  12345',
    ]);
  });

  it('is never wider than it may be, whatever the cells hold', () => {
    const cell = fc.string({ unit: 'grapheme', maxLength: 60 }).map(cleanText);
    const rows = fc.array(fc.tuple(cell, cell, cell), { maxLength: 4 });
    fc.assert(
      fc.property(rows, fc.integer({ min: 12, max: 100 }), (cells, width) => {
        const columns = [{ title: 'a', least: 3 }, { title: 'second' }, { title: 'c', least: 2 }];
        const lines = renderTable(columns, cells, plain(width));
        expect(lines).toHaveLength(cells.length + 1);
        for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(width);
      }),
      { numRuns: 300 },
    );
  });
});
