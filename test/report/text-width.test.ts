import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { displayWidth, truncateStart, truncateText, wrapText } from '../../src/report/text-width.js';

const red = (text: string) => `${String.fromCharCode(0x1b)}[31m${text}${String.fromCharCode(0x1b)}[39m`;

describe('displayWidth', () => {
  it('counts columns: none for colours and combining marks, two for wide characters', () => {
    expect(displayWidth(red('abc'))).toBe(3);
    expect(displayWidth('e\u0301')).toBe(1);
    expect(displayWidth('数据')).toBe(4);
    expect(displayWidth('한글')).toBe(4);
    expect(displayWidth('Büro')).toBe(4);
    expect(displayWidth('👍🏽')).toBe(2);
    expect(displayWidth('🇩🇪')).toBe(2);
  });
});

describe('truncation', () => {
  it('keeps the beginning of a label and the end of a path', () => {
    expect(truncateText('a long label', 6, '…')).toBe('a lon…');
    expect(truncateStart('/vms/web/web.vmdk', 9, '…')).toBe('…web.vmdk');
    expect(truncateText('short', 5, '…')).toBe('short');
    expect(truncateText('数据数据', 6, '…')).toBe('数据…');
  });
});

describe('wrapText', () => {
  it('breaks at spaces, indents what follows, and cuts a word that is too long', () => {
    expect(wrapText('one two three four', 9, '  ')).toEqual(['one two', '  three', '  four']);
    expect(wrapText('/a/very/long/path', 8, '  ')).toEqual(['/a/very/', '  long/p', '  ath']);
    expect(wrapText('', 8)).toEqual(['']);
  });

  it('loses no letter, and no line is too wide', () => {
    const words = fc.array(
      fc.string({ minLength: 1, maxLength: 30 }).map((word) => word.replace(/\s/g, '_')),
    );
    fc.assert(
      fc.property(words, fc.integer({ min: 4, max: 40 }), (list, width) => {
        const lines = wrapText(list.join(' '), width, ' ');
        for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(width);
        expect(lines.join('').replaceAll(' ', '')).toBe(list.join(''));
      }),
    );
  });
});
