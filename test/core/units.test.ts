import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  alignDown,
  alignUp,
  isPowerOfTwo,
  largestPowerOfTwoDividing,
  lba,
  lbaToBytes,
  TIB,
} from '../../src/core/units.js';

/** Beyond 32 bits on purpose: that is where bit operators would lie. */
const position = fc.integer({ min: 0, max: 64 * TIB });
const step = fc.oneof(
  fc.integer({ min: 1, max: 1_000_000 }),
  fc.nat(24).map((power) => 2 ** power),
);

describe('alignment', () => {
  it('goes to the nearest multiple on its side', () => {
    fc.assert(
      fc.property(position, step, (value, size) => {
        const down = alignDown(value, size);
        const up = alignUp(value, size);
        expect([down % size, up % size]).toEqual([0, 0]);
        expect(value - down).toBeGreaterThanOrEqual(0);
        expect(value - down).toBeLessThan(size);
        expect(up - value).toBeGreaterThanOrEqual(0);
        expect(up - value).toBeLessThan(size);
      }),
    );
  });
});

describe('powers of two', () => {
  it('are found by what divides a number', () => {
    fc.assert(
      fc.property(fc.nat(46), fc.integer({ min: 0, max: 60 }), (power, half) => {
        const value = 2 ** power * (2 * half + 1);
        expect(largestPowerOfTwoDividing(value)).toBe(2 ** power);
        expect(isPowerOfTwo(value)).toBe(half === 0);
      }),
    );
  });

  it.each([0, -1, -2, 0.5, 3, Number.NaN, Number.POSITIVE_INFINITY])('are not %d', (value) => {
    expect(isPowerOfTwo(value)).toBe(false);
  });

  it('all divide 0', () => {
    expect(largestPowerOfTwoDividing(0)).toBe(0);
  });
});

it('counts bytes exactly at the end of the largest disks', () => {
  expect(lbaToBytes(lba(2 ** 37 - 1), 512)).toBe(64 * TIB - 512);
});
