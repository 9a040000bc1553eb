import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeText,
  fromByteString,
  joinLines,
  parseEntry,
  splitLines,
  toByteString,
  withValue,
} from '../../src/codec/lines.js';

describe('lines', () => {
  it('come out as they went in, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(fromByteString(toByteString(bytes))).toEqual(bytes);
        expect(joinLines(splitLines(bytes))).toEqual(bytes);
      }),
    );
  });

  it('are numbered and located, with either ending', () => {
    const lines = splitLines(fromByteString('a\r\nbc\n\nd'));
    expect(lines).toEqual([
      { number: 1, at: 0, text: 'a', ending: '\r\n' },
      { number: 2, at: 3, text: 'bc', ending: '\n' },
      { number: 3, at: 6, text: '', ending: '\n' },
      { number: 4, at: 7, text: 'd', ending: '' },
    ]);
  });
});

describe('settings', () => {
  it.each([
    ['a=b', 'a', 'b', 'a=NEW'],
    ['  a . b', undefined, undefined, undefined],
    [' key\t= "va=l ue" \t', 'key', 'va=l ue', ' key\t= "NEW" \t'],
    ['key = ""', 'key', '', 'key = "NEW"'],
    ['key =', 'key', '', 'key =NEW'],
    ['key = "open', undefined, undefined, undefined],
    ['key = "', undefined, undefined, undefined],
    ['two words = x', undefined, undefined, undefined],
  ])('%j', (text, key, value, changed) => {
    const entry = parseEntry(text);
    expect([entry?.key, entry?.value]).toEqual([key, value]);
    if (entry !== undefined) expect(withValue(text, entry, 'NEW')).toBe(changed);
  });
});

describe('decodeText', () => {
  it('goes by the name of the character set, else by the bytes', () => {
    expect(decodeText('\xc3\xbc', 'UTF-8')).toBe('ü');
    expect(decodeText('\xfc', 'windows-1252')).toBe('ü');
    expect(decodeText('\xc3\xbc', null)).toBe('ü');
    expect(decodeText('\xfc', null)).toBe('ü');
    expect(decodeText('\xfc', 'no such set')).toBe('ü');
    expect(decodeText('\xff', 'UTF-8')).toBe('\ufffd');
  });
});
