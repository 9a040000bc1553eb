import { describe, expect, it } from 'vitest';
import { lba } from '../../src/core/units.js';
import { newHiddenSectors } from '../../src/formats/hidden-sectors.js';
import type { VolumeMove } from '../../src/formats/types.js';

const primary: VolumeMove = {
  sectorSize: 512,
  oldStart: lba(63),
  newStart: lba(2048),
  oldSectorCount: 1000,
  newSectorCount: 1000,
  oldEbr: null,
  newEbr: null,
};
const logical: VolumeMove = {
  ...primary,
  oldStart: lba(100_063),
  newStart: lba(102_400),
  oldEbr: lba(100_000),
  newEbr: lba(102_272),
};

describe('hidden sectors', () => {
  it('that are the start become the new start', () => {
    expect(newHiddenSectors(63, primary)).toEqual({ value: 2048, countedFrom: 'disk', warning: null });
    expect(newHiddenSectors(100_063, logical)).toEqual({
      value: 102_400,
      countedFrom: 'disk',
      warning: null,
    });
  });

  it('counted from the EBR stay counted from the EBR', () => {
    expect(newHiddenSectors(63, logical)).toEqual({ value: 128, countedFrom: 'ebr', warning: null });
  });

  it('that are neither stay, with a warning', () => {
    for (const [old, move] of [
      [0, primary],
      [128, primary],
      [62, logical],
    ] as const) {
      expect(newHiddenSectors(old, move)).toMatchObject({
        value: null,
        countedFrom: null,
        warning: { code: 'hidden-sectors-unknown' },
      });
    }
  });

  it('that are neither are no matter when nothing moves', () => {
    const still = { ...primary, newStart: primary.oldStart };
    expect(newHiddenSectors(0, still).warning).toBeNull();
  });

  it('beyond 32 bits stay, with a warning', () => {
    const far = { ...primary, newStart: lba(2 ** 32) };
    expect(newHiddenSectors(63, far)).toMatchObject({
      value: null,
      warning: { code: 'hidden-sectors-too-large' },
    });
    expect(newHiddenSectors(63, { ...primary, newStart: lba(2 ** 32 - 1) }).value).toBe(2 ** 32 - 1);
    expect(newHiddenSectors(63, far, Number.MAX_SAFE_INTEGER).value).toBe(2 ** 32);
  });
});
