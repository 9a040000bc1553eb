import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { matchesPattern } from '../../src/profile/pattern.js';

/** The same by a regular expression, for texts short enough that it ends. */
function slowly(text: string, pattern: string): boolean {
  const source = [...pattern].map((sign) => {
    if (sign === '*') return '[^]*';
    return sign === '?' ? '[^]' : sign.replace(/[.+^${}()|[\]\\]/, '\\$&');
  });
  return new RegExp(`^${source.join('')}$`, 'iu').test(text);
}

describe('matchesPattern', () => {
  it.each([
    ['web01', 'web*', true],
    ['WEB01', 'web??', true],
    ['web01', 'web?', false],
    ['db.web', 'web*', false],
    ['anything', '*', true],
    ['', '*', true],
    ['', '', true],
    ['a', '', false],
    ['a.b', 'a?b', true],
    ['axb', 'a.b', false],
  ])('%j against %j: %s', (text, pattern, expected) => {
    expect(matchesPattern(text, pattern)).toBe(expected);
  });

  it('agrees with a regular expression', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', '.', 'A'), maxLength: 8 });
    const patterns = fc.string({ unit: fc.constantFrom('a', 'b', '.', '*', '?'), maxLength: 6 });
    fc.assert(
      fc.property(letters, patterns, (text, pattern) => {
        expect(matchesPattern(text, pattern)).toBe(slowly(text, pattern));
      }),
    );
  });

  it('ends on patterns that keep a backtracking matcher busy for ever', () => {
    expect(matchesPattern('a'.repeat(5000), `${'*a'.repeat(500)}*b`)).toBe(false);
  });
});
