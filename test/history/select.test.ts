import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isWanted, Latest } from '../../src/history/select.js';
import { run, scan } from './records.js';

describe('isWanted', () => {
  it.each([
    [{ scans: false }, true, false],
    [{ scans: true }, true, true],
    [{ scans: true, disk: '/vms/a/a.vmdk' }, true, true],
    [{ scans: true, disk: '/vms/a' }, true, true],
    [{ scans: true, disk: '/vms/a/a' }, false, false],
    [{ scans: true, vm: 'a' }, true, true],
    [{ scans: true, vm: 'b' }, false, false],
    [{ scans: true, since: '2026-11-20T03:30:00.000Z' }, true, false],
    [{ scans: true, since: '2026-11-20T04:00:00.000Z' }, true, false],
    [{ scans: true, until: '2026-11-20T04:00:00.000Z' }, false, true],
  ])('%j: the run %s, the scan %s', (query, wantsRun, wantsScan) => {
    expect([isWanted(run(), query), isWanted(scan(), query)]).toEqual([wantsRun, wantsScan]);
  });
});

describe('Latest', () => {
  it('keeps the last ones in order and counts the others', () => {
    fc.assert(
      fc.property(fc.array(fc.integer()), fc.integer({ min: 1, max: 10 }), (values, limit) => {
        const latest = new Latest<number>(limit);
        for (const value of values) latest.add(value);
        expect(latest.values()).toEqual(values.slice(-limit));
        expect(latest.leftOut).toBe(Math.max(0, values.length - limit));
      }),
    );
  });
});
