import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nextShiftStep, type ShiftStep } from '../../../src/backends/local/shift-steps.js';
import type { Shift, ShiftMap } from '../../../src/device/types.js';

/** Blocks, not bytes: the steps know no block size. */
type Extent = readonly [number, number, number];

/** A file as its file system sees it; every call can be cut behind any number of its extents. */
class ModelFile {
  constructor(
    public extents: Extent[],
    public sizeBytes: number,
  ) {}

  map(): ShiftMap {
    return { sizeBytes: this.sizeBytes, extents: [...this.extents].sort((a, b) => a[0] - b[0]) };
  }

  /** Returns how many extents the call moves; cut behind `most` of them, and before the size when there are no more. */
  take(step: ShiftStep, most = Number.POSITIVE_INFINITY): number {
    if (step.do === 'resize') this.resize(step.to);
    if (step.do === 'collapse') return this.collapse(step.at, step.length, most);
    if (step.do === 'insert') return this.insert(step.at, step.length, most);
    return 0;
  }

  private resize(to: number): void {
    for (const [at, , length] of this.extents) if (at + length > to) throw new Error(`${at} cut off`);
    this.sizeBytes = to;
  }

  private collapse(at: number, length: number, most: number): number {
    if (at + length >= this.sizeBytes) throw new Error('EINVAL: behind the end');
    this.refuseData(at, length);
    return this.shift((start) => start >= at + length, -length, most, -length);
  }

  /** The size comes first, then the extents from the last on. */
  private insert(at: number, length: number, most: number): number {
    if (at >= this.sizeBytes) throw new Error('EINVAL: at the end');
    this.splitAt(at);
    this.sizeBytes += length;
    this.extents.reverse();
    const moved = this.shift((start) => start >= at, length, most, 0);
    this.extents.sort((a, b) => a[0] - b[0]);
    return moved;
  }

  private shift(isBehind: (start: number) => boolean, by: number, most: number, grows: number): number {
    let moved = 0;
    this.extents = this.extents.map(([start, medium, length]) => {
      if (!isBehind(start) || moved >= most) return [start, medium, length];
      moved++;
      return [start + by, medium, length];
    });
    if (moved < most) this.sizeBytes += grows;
    return moved;
  }

  private splitAt(border: number): void {
    this.extents = this.extents.flatMap(([at, medium, length]): Extent[] => {
      const head = border - at;
      if (head <= 0 || head >= length) return [[at, medium, length]];
      return [
        [at, medium, head],
        [border, medium + head, length - head],
      ];
    });
  }

  private refuseData(at: number, length: number): void {
    for (const [start, , count] of this.extents) {
      if (start < at + length && at < start + count) throw new Error(`data at ${start} would be lost`);
    }
  }
}

/** Where each block on the medium is in the file. */
const placesOf = ({ extents }: ShiftMap): Map<number, number> =>
  new Map(
    extents.flatMap(([at, medium, length]) =>
      Array.from({ length }, (_, index): [number, number] => [medium + index, at + index]),
    ),
  );

const anyCase = fc
  .record({
    front: fc.integer({ min: 0, max: 6 }),
    distance: fc.integer({ min: 1, max: 5 }),
    extra: fc.integer({ min: 0, max: 6 }),
    tail: fc.integer({ min: 0, max: 8 }),
    holes: fc.array(fc.boolean(), { minLength: 32, maxLength: 32 }),
    isContiguous: fc.boolean(),
    cuts: fc.array(fc.integer({ min: 0, max: 6 }), { maxLength: 4 }),
  })
  .map(({ front, distance, extra, tail, holes, isContiguous, cuts }) => {
    const shift: Shift = { from: front + distance, to: front, length: distance + extra };
    const sizeBytes = shift.from + shift.length + tail;
    const blocks = Array.from({ length: sizeBytes }, (_, at) => at).filter(
      (at) => (at < shift.to || at >= shift.from) && holes[at] !== true,
    );
    return { shift, cuts, file: new ModelFile(extentsOf(blocks, isContiguous), sizeBytes) };
  });

function extentsOf(blocks: readonly number[], isContiguous: boolean): Extent[] {
  const extents: Extent[] = [];
  for (const at of blocks) {
    const last = extents.at(-1);
    if (isContiguous && last !== undefined && last[0] + last[2] === at) {
      extents[extents.length - 1] = [last[0], last[1], last[2] + 1];
    } else {
      // In an order of its own on the medium.
      extents.push([at, 1000 - 3 * at + (isContiguous ? 500 * extents.length : 0), 1]);
    }
  }
  return extents;
}

describe('nextShiftStep', () => {
  it('leads from every place at which the power can be cut to the same end', () => {
    fc.assert(
      fc.property(anyCase, ({ shift, cuts, file }) => {
        const saved = file.map();
        const goal = new Map(
          [...placesOf(saved)].map(([medium, at]) => {
            const moves = at >= shift.from && at < shift.from + shift.length;
            return [medium, moves ? at - (shift.from - shift.to) : at];
          }),
        );
        const rest = [...cuts];
        for (let count = 0; ; count++) {
          expect(count).toBeLessThan(20);
          const { step } = nextShiftStep(saved, file.map(), shift);
          if (step.do === 'nothing') break;
          file.take(step, rest.shift());
        }
        expect(placesOf(file.map())).toEqual(goal);
        expect(file.sizeBytes).toBe(saved.sizeBytes);
      }),
      { numRuns: 3000 },
    );
  });

  const shift: Shift = { from: 8, to: 4, length: 8 };
  const saved: ShiftMap = {
    sizeBytes: 24,
    extents: [
      [0, 100, 4],
      [8, 200, 8],
      [18, 300, 2],
    ],
  };
  const refusals: [string, ShiftMap][] = [
    ['a block is gone', { ...saved, extents: saved.extents.slice(0, 2) }],
    ['a block is new', { ...saved, extents: [...saved.extents, [22, 900, 1]] }],
    ['a block before the range has moved', { ...saved, extents: [[1, 100, 4], ...saved.extents.slice(1)] }],
    [
      'a block is somewhere else',
      {
        ...saved,
        extents: [
          [0, 100, 4],
          [6, 200, 8],
          [18, 300, 2],
        ],
      },
    ],
    [
      'a later block is shifted and an earlier one is not',
      {
        ...saved,
        extents: [
          [0, 100, 4],
          [8, 200, 8],
          [14, 300, 2],
        ],
      },
    ],
    ['it has another size', { ...saved, sizeBytes: 23 }],
  ];
  it.each(refusals)('refuses a file that a shift cannot leave: %s', (_, now) => {
    expect(() => nextShiftStep(saved, now, shift)).toThrow(
      expect.objectContaining({ family: 'conflict', code: 'shift-state' }),
    );
  });

  it('knows the file nobody has touched', () => {
    expect(nextShiftStep(saved, saved, shift)).toEqual({
      step: { do: 'collapse', at: 4, length: 4 },
      isUntouched: true,
    });
  });
});
