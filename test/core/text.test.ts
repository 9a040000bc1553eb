import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cleanText, shellQuote } from '../../src/core/text.js';

describe('cleanText', () => {
  it.each([
    ['colours', '\x1b[31;1mred\x1b[0m', 'red'],
    ['a window title', '\x1b]0;owned\x07name', 'name'],
    ['a title ended by ST', '\x1b]2;owned\x1b\\name', 'name'],
    ['8-bit CSI', '\x9b31mred', '31mred'],
    ['a screen reset', '\x1bcname', 'name'],
    ['bidi overrides', 'exe\u202egpj.\u2066x\u2069', 'exegpj.x'],
    ['zero-width characters', 'a\u200bb\ufeff', 'ab'],
    ['line breaks and tabs', ' a\r\nb\tc\u2028d ', 'a b c d'],
    ['bells and backspaces', 'a\x07\x08b\x7f', 'ab'],
    ['a lone surrogate', 'a\ud800b', 'a\ufffdb'],
    ['an escape at the end', 'a\x1b', 'a'],
  ])('removes %s', (_, text, clean) => {
    expect(cleanText(text)).toBe(clean);
  });

  it('leaves readable text of any script alone', () => {
    for (const text of ['Server 01 (prod)', 'kühl', '日本語 中国', 'שלום', '😀'])
      expect(cleanText(text)).toBe(text);
  });

  it('leaves nothing that a terminal obeys, and is done after one pass', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const clean = cleanText(text);
        expect(clean).not.toMatch(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/u);
        expect(cleanText(clean)).toBe(clean);
      }),
    );
  });
});

describe('shellQuote', () => {
  it('gives a shell the same word back', () => {
    const words = ['/ds/vm.vmdk', "it's", '$(touch x)', 'a b', '`id`', '"', '\\', '!', '*', '-n', 'ü'];
    const shown = execFileSync('sh', [
      '-c',
      `for word in ${words.map(shellQuote).join(' ')}; do echo "$word."; done`,
    ]);
    expect(shown.toString()).toBe(words.map((word) => `${word}.\n`).join(''));
  });

  it('leaves plain paths as they are', () => {
    expect(shellQuote('/vmfs/volumes/ds1/web-1/web_1.vmdk')).toBe('/vmfs/volumes/ds1/web-1/web_1.vmdk');
  });
});
