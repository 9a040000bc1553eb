import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  formatCount,
  formatDuration,
  formatExactSize,
  formatPercent,
  formatSize,
  parseSize,
} from '../../src/core/size.js';

describe('parseSize', () => {
  it.each([
    ['0', 0],
    ['4096', 4096],
    ['64K', 65536],
    ['64KiB', 65536],
    ['1.5G', 1610612736],
    ['0.5K', 512],
    ['4GiB', 4294967296],
    ['2T', 2199023255552],
    ['2048s', 1048576],
    ['63s', 32256],
    ['0.000M', 0],
  ])('reads %s as %i bytes', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  it.each([
    '',
    ' 4G',
    '4G ',
    '4 G',
    '-4G',
    '+4G',
    '4g',
    '4GB',
    '4B',
    '4Gi',
    'GiB',
    '.5G',
    '5.G',
    '1,5G',
    '1e9',
    '0x10',
    '10GiBx',
    '1.5s',
    '1.5',
    '1.1K',
    '0.3G',
    '4siB',
    '٤G',
    'NaN',
    'Infinity',
    '9007199254740992',
    '9000000T',
    '1'.repeat(33),
  ])('refuses %j', (text) => {
    expect(() => parseSize(text)).toThrow(expect.objectContaining({ family: 'usage', code: 'bad-size' }));
  });

  it('agrees with exact arithmetic on every unit and fraction of a power of two', () => {
    const units = { K: 2n ** 10n, M: 2n ** 20n, G: 2n ** 30n, T: 2n ** 40n } as const;
    const unit = fc.constantFrom(...(Object.keys(units) as (keyof typeof units)[]));
    const quarter = fc.constantFrom('', '.0', '.25', '.5', '.75');
    fc.assert(
      fc.property(fc.nat(4095), quarter, unit, fc.constantFrom('', 'iB'), (whole, part, name, suffix) => {
        const hundredths = BigInt(whole) * 100n + BigInt(Math.round(Number(`0${part}`) * 100));
        expect(BigInt(parseSize(`${whole}${part}${name}${suffix}`))).toBe((hundredths * units[name]) / 100n);
      }),
    );
  });

  it('returns a whole number of bytes or a usage error for any text', () => {
    const near = fc.stringMatching(/^[0-9.KMGTiBs -]{0,12}$/);
    fc.assert(
      fc.property(fc.oneof(near, fc.string()), (text) => {
        try {
          expect(Number.isSafeInteger(parseSize(text))).toBe(true);
        } catch (error) {
          expect(error).toMatchObject({ family: 'usage', code: 'bad-size' });
        }
      }),
    );
  });

  it('reads back what formatExactSize writes', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(20), (count, shift) => {
        const bytes = count * 2 ** shift;
        expect(
          parseSize(formatExactSize(bytes).replace(/ B$/, '').replace(' ', '').replace(/P.*$/, '')),
        ).toBe(bytes);
      }),
    );
  });
});

describe('formatSize', () => {
  it.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1.0 KiB'],
    [65536, '64.0 KiB'],
    [42949672960, '40.0 GiB'],
    [1048575, '1.0 MiB'],
    [1073741824 - 1, '1.0 GiB'],
    [1.5 * 2 ** 40, '1.5 TiB'],
    [-1572864, '-1.5 MiB'],
  ])('writes %i as %s', (bytes, text) => {
    expect(formatSize(bytes)).toBe(text);
  });

  it('is never further from the truth than half a tenth of its unit, and never shows 1024', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (bytes) => {
        const [number = '', unit = ''] = formatSize(bytes).split(' ');
        const unitBytes = 1024 ** ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'].indexOf(unit);
        expect(Math.abs(Number(number) * unitBytes - bytes)).toBeLessThanOrEqual(unitBytes * 0.0501);
        expect(Number(number)).toBeLessThan(unit === 'PiB' ? Number.POSITIVE_INFINITY : 1024);
      }),
    );
  });
});

describe('other numbers for people', () => {
  it('writes sizes exactly', () => {
    expect([0, 512, 33280, 65536, 1048576, 3 * 2 ** 30].map(formatExactSize)).toEqual([
      '0 B',
      '512 B',
      '33280 B',
      '64 KiB',
      '1 MiB',
      '3 GiB',
    ]);
  });

  it('sets thousands apart', () => {
    expect([0, 999, 1000, 1234567, -12345].map(formatCount)).toEqual([
      '0',
      '999',
      '1,000',
      '1,234,567',
      '-12,345',
    ]);
  });

  it.each([
    [0, '0.0 s'],
    [0.44, '0.4 s'],
    [9.96, '10 s'],
    [59.4, '59 s'],
    [59.6, '1 min'],
    [200, '3 min 20 s'],
    [3600, '1 h'],
    [3900, '1 h 5 min'],
    [86399, '1 d'],
    [90000 + 2 * 3600, '1 d 3 h'],
  ])('writes %d seconds as %s', (seconds, text) => {
    expect(formatDuration(seconds)).toBe(text);
  });

  it.each([
    [0, 10, '0 %'],
    [1, 1000, '<1 %'],
    [1, 3, '33 %'],
    [999, 1000, '>99 %'],
    [10, 10, '100 %'],
    [1, 0, '-'],
  ])('writes %d of %d as %s', (part, whole, text) => {
    expect(formatPercent(part, whole)).toBe(text);
  });
});
