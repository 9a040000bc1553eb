import { describe, expect, it } from 'vitest';
import { SegmentKind } from '../../src/device/segment-chunk.js';
import { SegmentList } from '../../src/device/segment-list.js';
import { seededRandom } from '../support/random.js';

const SLOTS = 20_000;

/** What each unit shows: NaN for a gap, -1 for zeros, else the offset at the source. */
function contentOf(list: SegmentList): Float64Array {
  const content = new Float64Array(SLOTS).fill(Number.NaN);
  let last = 0;
  for (const { at, length, kind, source } of list.overlapping(0, SLOTS)) {
    expect(at).toBeGreaterThanOrEqual(last);
    expect(length).toBeGreaterThan(0);
    last = at + length;
    for (let i = 0; i < length; i++) content[at + i] = kind === SegmentKind.zero ? -1 : source + i;
  }
  return content;
}

describe('segment list', () => {
  it.each([1, 2, 3, 4])('behaves like an array over many chunks, seed %i', (seed) => {
    const random = seededRandom(seed);
    const below = (limit: number): number => Math.floor(random() * limit);
    const list = new SegmentList();
    const model = new Float64Array(SLOTS).fill(Number.NaN);
    for (let i = 0; i < 12_000; i++) {
      const at = below(SLOTS);
      // Mostly single units, so that thousands of segments build up; now and then a long stretch.
      const length = Math.min(SLOTS - at, i % 500 === 0 ? below(SLOTS / 4) : 1 + below(3));
      const choice = below(10);
      if (choice === 0) {
        list.clear(at, at + length);
        model.fill(Number.NaN, at, at + length);
      } else if (choice === 1) {
        list.put({ at, length, kind: SegmentKind.zero, source: 0 });
        model.fill(-1, at, at + length);
      } else {
        // Few distances, so that neighbours meet that continue each other.
        const source = at + 1000 * below(3);
        list.put({ at, length, kind: SegmentKind.base, source });
        for (let k = 0; k < length; k++) model[at + k] = source + k;
      }
    }
    expect(contentOf(list)).toEqual(model);
    expect(list.count).toBe(list.overlapping(0, SLOTS).length);
    expect(list.count).toBeGreaterThan(1500);
    const from = below(SLOTS / 2);
    const part = list.overlapping(from, from + 100);
    expect(part.every(({ at, length }) => at >= from && at + length <= from + 100)).toBe(true);
    list.clear(0, SLOTS);
    expect(list.count).toBe(0);
  });

  it('joins neighbours that continue each other, from either side', () => {
    const list = new SegmentList();
    const put = (at: number, length: number): void =>
      list.put({ at, length, kind: SegmentKind.base, source: at + 500 });
    for (let at = 0; at < 100_000; at += 20) put(at, 10);
    expect(list.count).toBe(5000);
    for (let at = 10; at < 100_000; at += 20) put(at, 10);
    expect(list.overlapping(0, 200_000)).toEqual([
      { at: 0, length: 100_000, kind: SegmentKind.base, source: 500 },
    ]);
  });

  it('takes a stretch of nothing as nothing', () => {
    const list = new SegmentList();
    list.put({ at: 0, length: 10, kind: SegmentKind.base, source: 100 });
    list.put({ at: 5, length: 0, kind: SegmentKind.zero, source: 0 });
    list.clear(5, 5);
    expect(list.overlapping(5, 5)).toEqual([]);
    expect(list.count).toBe(1);
  });
});
