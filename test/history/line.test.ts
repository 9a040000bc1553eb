import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeLine, encodeLine } from '../../src/history/line.js';
import { anyRun, run } from './records.js';

describe('a line of the history', () => {
  it('is JSON with a newline at its end only, and comes back as it went in', () => {
    fc.assert(
      fc.property(anyRun, (record) => {
        const line = encodeLine(record);
        expect(line.indexOf('\n')).toBe(line.length - 1);
        expect(JSON.parse(line).record).toEqual(JSON.parse(JSON.stringify(record)));
        expect(decodeLine(line.slice(0, -1))).toEqual(JSON.parse(JSON.stringify(record)));
      }),
    );
  });

  it('is not taken for whole when it is cut or any byte of it is another', () => {
    const line = encodeLine(run()).slice(0, -1);
    for (let at = 0; at < line.length; at++) {
      expect(decodeLine(line.slice(0, at))).toBeUndefined();
      const other = String.fromCharCode(line.charCodeAt(at) ^ 1);
      expect(decodeLine(line.slice(0, at) + other + line.slice(at + 1))).toBeUndefined();
    }
  });

  it('of a version to come is left to that version', () => {
    expect(decodeLine(encodeLine({ ...run(), v: 2 as 1 }).slice(0, -1))).toBeUndefined();
  });
});
