import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type ByteRange,
  clipRanges,
  complement,
  intersection,
  intersectLists,
  intersects,
  mergeRanges,
  rangeEnd,
} from '../../src/core/range.js';

const END = 60;

const range = fc.record({ at: fc.nat(END), length: fc.nat(12) });
/** Sorted by start, overlaps allowed. */
const sorted = fc.array(range, { maxLength: 8 }).map((list) => list.sort((a, b) => a.at - b.at));
/** Sorted, apart from each other. */
const disjoint = sorted.map((list) => mergeRanges(list));

function bytes(ranges: readonly ByteRange[]): Set<number> {
  return new Set(ranges.flatMap(({ at, length }) => Array.from({ length }, (_, i) => at + i)));
}
const both = (a: Set<number>, b: Set<number>) => [...a].filter((at) => b.has(at)).sort((x, y) => x - y);
const inOrder = (set: Set<number>) => [...set].sort((x, y) => x - y);

/** Sorted, none empty, none touching another unless `touching` is allowed. */
function expectTidy(ranges: readonly ByteRange[]): void {
  for (const [index, each] of ranges.entries()) {
    expect(each.length).toBeGreaterThan(0);
    const before = ranges[index - 1];
    if (before !== undefined) expect(each.at).toBeGreaterThanOrEqual(rangeEnd(before));
  }
}

describe('two ranges', () => {
  it('intersect when they share a byte', () => {
    fc.assert(
      fc.property(range, range, (a, b) => {
        const shared = both(bytes([a]), bytes([b]));
        expect(intersects(a, b)).toBe(shared.length > 0);
        const part = intersection(a, b);
        expect(part === undefined ? [] : inOrder(bytes([part]))).toEqual(shared);
      }),
    );
  });
});

describe('lists of ranges', () => {
  it('are merged without losing or inventing a byte', () => {
    fc.assert(
      fc.property(sorted, (list) => {
        const merged = mergeRanges(list);
        expectTidy(merged);
        expect(inOrder(bytes(merged))).toEqual(inOrder(bytes(list)));
      }),
    );
  });

  it('are merged over gaps up to the one given, and over no larger one', () => {
    fc.assert(
      fc.property(sorted, fc.nat(10), (list, maxGap) => {
        const merged = mergeRanges(list, maxGap);
        const covered = bytes(merged);
        for (const at of bytes(list)) expect(covered.has(at)).toBe(true);
        for (const [index, each] of merged.entries()) {
          const before = merged[index - 1];
          if (before !== undefined) expect(each.at - rangeEnd(before)).toBeGreaterThan(maxGap);
        }
        const gaps = complement(mergeRanges(list), { at: 0, length: END + 20 });
        for (const gap of gaps.filter(({ length }) => length > maxGap)) {
          for (const at of bytes([gap])) expect(covered.has(at)).toBe(false);
        }
      }),
    );
  });

  it('are clipped, intersected and complemented as sets are', () => {
    fc.assert(
      fc.property(disjoint, disjoint, range, (a, b, holder) => {
        expect(inOrder(bytes(clipRanges(a, holder)))).toEqual(both(bytes(a), bytes([holder])));
        const common = intersectLists(a, b);
        expectTidy(common);
        expect(inOrder(bytes(common))).toEqual(both(bytes(a), bytes(b)));
        const rest = complement(a, holder);
        expectTidy(rest);
        const inside = inOrder(bytes([holder]));
        expect(inOrder(bytes(rest))).toEqual(inside.filter((at) => !bytes(a).has(at)));
      }),
      { numRuns: 500 },
    );
  });
});
