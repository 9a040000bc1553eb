import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GrowthMeter } from '../../src/history/growth.js';
import { GIB, layout, scan } from './records.js';

const DAY = 24 * 60 * 60 * 1000;
const NOW = Date.UTC(2026, 10, 24);
const MONTH_DAYS = 30.4375;
const at = (daysAgo: number) => new Date(NOW - daysAgo * DAY).toISOString();

function meterOf(points: readonly (readonly [daysAgo: number, usedBytes: number | null])[]): GrowthMeter {
  const meter = new GrowthMeter(NOW);
  for (const [daysAgo, usedBytes] of points) meter.add(scan({ at: at(daysAgo), layout: layout(usedBytes) }));
  return meter;
}

const growth = (points: Parameters<typeof meterOf>[0]) => meterOf(points).perMonth('/vms/a/a.vmdk', 1);

describe('GrowthMeter', () => {
  it('finds a steady growth exactly, whatever the days and their order', () => {
    const days = fc.uniqueArray(fc.integer({ min: 0, max: 179 }), { minLength: 3, maxLength: 30 });
    fc.assert(
      fc.property(
        days,
        fc.integer({ min: 0, max: GIB }),
        fc.integer({ min: 0, max: 2 ** 46 }),
        (when, aDay, base) => {
          const last = Math.max(...when);
          fc.pre(last - Math.min(...when) >= 7);
          const found = growth(when.map((day) => [day, base + (last - day) * aDay] as const));
          const off = Math.abs((found ?? Number.NaN) - aDay * MONTH_DAYS);
          expect(off).toBeLessThanOrEqual(1 + aDay * 1e-6);
        },
      ),
    );
  });

  it('takes the nearest line through points that are not on one', () => {
    expect(
      growth([
        [20, 0],
        [10, 3 * GIB],
        [0, 2 * GIB],
      ]),
    ).toBe(Math.round(0.1 * GIB * MONTH_DAYS));
  });

  it.each([
    [
      'two scans',
      [
        [30, GIB],
        [0, 2 * GIB],
      ],
    ],
    [
      'scans of one week only',
      [
        [6, GIB],
        [3, 2 * GIB],
        [0, 3 * GIB],
      ],
    ],
    [
      'scans that are too old',
      [
        [400, GIB],
        [300, 2 * GIB],
        [200, 3 * GIB],
      ],
    ],
    [
      'scans of the future',
      [
        [-1, GIB],
        [-20, 2 * GIB],
        [-40, 3 * GIB],
      ],
    ],
    [
      'a file system that does not tell',
      [
        [30, null],
        [20, null],
        [0, null],
      ],
    ],
  ] as const)('says nothing of %s', (_, points) => {
    expect(growth(points)).toBeNull();
  });

  it('keeps disks and partitions apart', () => {
    const meter = meterOf([
      [20, 0],
      [10, GIB],
      [0, 2 * GIB],
    ]);
    expect(meter.perMonth('/vms/a/a.vmdk', 2)).toBeNull();
    expect(meter.perMonth('/vms/b/b.vmdk', 1)).toBeNull();
  });
});
