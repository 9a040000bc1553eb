import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { advise } from '../../src/profile/advise.js';
import { NO_PROFILE } from '../../src/profile/defaults.js';
import type { Settings } from '../../src/profile/types.js';
import { GIB, MIB, place, subject, volume } from './subject.js';

const settings = (change: Partial<Settings>) => ({ ...NO_PROFILE, defaults: change });

describe('advise', () => {
  it('keeps the free space that was asked for: 2 GiB used and 4 GiB free are 6 GiB', () => {
    const advice = advise(settings({ freePercent: 0, freeBytes: 4 * GIB }), subject());
    expect(advice.partitions[0]).toMatchObject({ action: 'shrink', wantedBytes: 6 * GIB });
    expect(advice).toMatchObject({
      findings: ['over-allocated'],
      actions: ['shrink'],
      plannedBytes: 6 * GIB + MIB,
      savedBytes: 4 * GIB + MIB,
      growthBytes: 0,
    });
  });

  it('counts a percentage of the new size', () => {
    const [target] = advise(settings({ freePercent: 50 }), subject()).partitions;
    expect(target).toMatchObject({ action: 'shrink', wantedBytes: 4 * GIB });
    expect(target?.why).toBe('2.0 GiB used + 2.0 GiB free');
  });

  it('leaves room to grow', () => {
    const profile = settings({ freePercent: 50, growthPerMonth: GIB / 2, growthMonths: 4 });
    expect(advise(profile, subject()).partitions[0]).toMatchObject({ wantedBytes: 8 * GIB });
    const measured = settings({ freePercent: 50, growthPerMonth: 'measured', growthMonths: 2 });
    const advice = advise(measured, subject(), () => GIB);
    expect(advice.partitions[0]).toMatchObject({ wantedBytes: 8 * GIB });
    expect(advice).toMatchObject({ growthPerMonth: GIB, monthsLeft: 8 });
  });

  it('finds a disk that is running low, and what it needs', () => {
    const low = subject({ partitions: [place({ filesystem: volume({ usedBytes: 9 * GIB }) })] });
    const advice = advise(settings({ freePercent: 25 }), low);
    expect(advice).toMatchObject({ findings: ['running-low'], actions: ['enlarge'], savedBytes: 0 });
    expect(advice.growthBytes).toBe(2 * GIB - MIB);
  });

  it('never goes below the minimum, and says so', () => {
    const filesystem = volume({ minimumBytes: 7 * GIB });
    const [target] = advise(
      settings({ freePercent: 10 }),
      subject({ partitions: [place({ filesystem })] }),
    ).partitions;
    expect(target).toMatchObject({ action: 'shrink', wantedBytes: 7 * GIB });
    expect(target?.why).toMatch(/at its minimum$/);
  });

  it.each([
    ['what is not worth it', { freePercent: 20, worthBytes: 8 * GIB }, {}, /not worth a change/],
    ['what may not shrink', { shrink: false }, {}, /does not shrink/],
    ['what is never touched, by number', { untouched: [1] }, {}, /never touched/],
    ['what is never touched, by label', { untouched: ['sys*'] }, {}, /never touched/],
    ['what cannot shrink', {}, { kind: 'xfs', minimumBytes: null }, /xfs cannot be shrunk/],
    ['what nobody knows the use of', {}, { usedBytes: null }, /not known/],
  ])('leaves alone %s', (_, change, filesystem, why) => {
    const disk = subject({ partitions: [place({ filesystem: volume(filesystem) })] });
    const advice = advise(settings(change), disk);
    expect(advice.partitions[0]).toMatchObject({ action: 'keep', wantedBytes: 10 * GIB });
    expect(advice.partitions[0]?.why).toMatch(why);
    expect(advice.savedBytes).toBe(0);
  });

  it('finds misaligned starts, but not those that are not to be aligned, nor containers', () => {
    const at63 = subject({ partitions: [place({ startBytes: 32_256 })] });
    const keepSize = { shrink: false };
    expect(advise(settings(keepSize), at63).actions).toEqual(['align']);
    for (const change of [{ align: false }, { doNotAlign: [1] }, { boundaryBytes: 512 }]) {
      expect(advise(settings({ ...keepSize, ...change }), at63).actions).toEqual([]);
    }
    const container = place({ number: 2, kind: 'extended', startBytes: 11 * GIB + 512, filesystem: null });
    const disk = subject({ sizeBytes: 20 * GIB, partitions: [place(), container] });
    expect(advise(settings(keepSize), disk).actions).toEqual([]);
  });

  it('cuts a disk whose end is unallocated', () => {
    const disk = subject({ sizeBytes: 40 * GIB });
    const advice = advise(settings({ freePercent: 80 }), disk);
    expect(advice).toMatchObject({ actions: ['shrink'], plannedBytes: 10 * GIB + MIB });
    expect(advise(settings({ freePercent: 80, shrink: false }), disk)).toMatchObject({ savedBytes: 0 });
  });

  it.each(['damaged', 'interrupted'] as const)('recommends nothing for a disk that is %s', (state) => {
    expect(advise(NO_PROFILE, subject({ state }))).toMatchObject({
      actions: [],
      savedBytes: 0,
      partitions: [],
    });
  });

  it('places partitions in order, apart, inside the planned disk, and never promises more than there is', () => {
    const volumes = fc.array(
      fc.record({
        mib: fc.integer({ min: 1, max: 40_000 }),
        used: fc.double({ min: 0, max: 1, noNaN: true }),
        gap: fc.integer({ min: 0, max: 5000 }),
        odd: fc.boolean(),
        kind: fc.constantFrom('ntfs', 'ext4', 'xfs'),
        known: fc.boolean(),
      }),
      { minLength: 1, maxLength: 6 },
    );
    const wishes = fc.record({
      freePercent: fc.integer({ min: 0, max: 90 }),
      freeBytes: fc.integer({ min: 0, max: 8 * GIB }),
      growthPerMonth: fc.integer({ min: 0, max: GIB }),
      growthMonths: fc.integer({ min: 0, max: 24 }),
      align: fc.boolean(),
    });
    fc.assert(
      fc.property(volumes, wishes, fc.integer({ min: 1, max: 9000 }), (wanted, wish, tailMib) => {
        let end = MIB;
        const partitions = wanted.map(({ mib, used, gap, odd, kind, known }, index) => {
          const startBytes = end + gap * MIB + (odd ? 63 * 512 : 0);
          const sizeBytes = mib * MIB;
          end = startBytes + sizeBytes;
          const usedBytes = Math.round(used * sizeBytes);
          const filesystem = known
            ? volume({ kind, totalBytes: sizeBytes, usedBytes, minimumBytes: usedBytes })
            : null;
          return place({ number: index + 1, startBytes, sizeBytes, filesystem });
        });
        const disk = subject({ sizeBytes: end + tailMib * MIB, partitions });
        const advice = advise(settings(wish), disk);
        expect(advise(settings(wish), structuredClone(disk))).toEqual(advice);
        let at = 0;
        for (const target of advice.partitions) {
          expect(target.plannedStartBytes).toBeGreaterThanOrEqual(at);
          at = target.plannedStartBytes + target.wantedBytes;
          const filesystem = partitions[target.number - 1]?.filesystem;
          expect(target.wantedBytes).toBeGreaterThanOrEqual(filesystem?.usedBytes ?? 0);
          if (target.action !== 'keep') expect(target.wantedBytes % target.boundaryBytes).toBe(0);
        }
        expect(advice.plannedBytes).toBeGreaterThanOrEqual(at);
        expect(disk.sizeBytes - advice.savedBytes + advice.growthBytes).toBe(advice.plannedBytes);
      }),
    );
  });
});
