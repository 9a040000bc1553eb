import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rangeEnd } from '../../src/core/range.js';
import { MIB } from '../../src/core/units.js';
import type { DiskFacts, PartitionFacts } from '../../src/inspect/types.js';
import { makePlan } from '../../src/plan/plan.js';
import { layoutRequest, type ZeroWish } from '../../src/plan/types.js';
import { unallocatedRanges } from '../../src/plan/unallocated.js';
import { anyDisk, diskFacts, filesystemFacts } from './layouts.js';

const WISH: ZeroWish = { gapsOnly: false, swap: false, pagefile: false, punch: true };
const zeroRequest = (wish: Partial<ZeroWish> = {}, only: readonly number[] = []) =>
  layoutRequest({ command: 'zero', only, zero: { ...WISH, ...wish } });

const free = { free: true, scratch: null } as const;
const ntfs = filesystemFacts('ntfs', { usedBytes: MIB, freeBytes: 9 * MIB, move: { copies: 'used' } });

/** NTFS, something opaque, swap; a gap behind each. */
function facts(change: Pick<Partial<DiskFacts>, 'thinOnVmfs'> = {}): DiskFacts {
  const disk = diskFacts(
    200_000,
    [
      { number: 1, startLba: 2048, sectorCount: 20_480, filesystem: ntfs },
      { number: 2, startLba: 40_000, sectorCount: 20_000 },
      { number: 3, startLba: 80_000, sectorCount: 20_000, filesystem: filesystemFacts('swap') },
    ],
    change,
  );
  const clearing: Record<number, PartitionFacts['clearing']> = {
    1: { free: true, scratch: 'pagefile' },
    3: { free: false, scratch: 'swap' },
  };
  const partitions = disk.partitions.map((each) => ({
    ...each,
    ...(clearing[each.number] === undefined ? {} : { clearing: clearing[each.number] }),
  })) as PartitionFacts[];
  return { ...disk, partitions };
}

const areasOf = (disk: DiskFacts, ...wish: Parameters<typeof zeroRequest>) =>
  makePlan(disk, zeroRequest(...wish)).zero?.areas.map(({ kind, number }) => `${kind} ${number}`);

describe('what zero is to clear', () => {
  it('is free space and gaps; what cannot be told is left alone and named', () => {
    const plan = makePlan(facts(), zeroRequest());
    expect(plan.zero?.areas.map(({ kind, number, bytes }) => [kind, number, bytes])).toEqual([
      ['free', 1, 9 * MIB],
      ['gaps', null, (200_000 - 2048 - 20_480 - 40_000) * 512],
    ]);
    expect(plan.zero?.skipped.map(({ number, code }) => [number, code])).toEqual([
      [2, 'not-recognised'],
      [3, 'swap'],
    ]);
    expect(plan.after).toEqual(plan.before);
    expect(plan).toMatchObject({ moves: [], resizes: [], savedBytes: 0 });
  });

  it('is what the options say', () => {
    expect(areasOf(facts(), { swap: true, pagefile: true })).toEqual([
      'free 1',
      'pagefile 1',
      'swap 3',
      'gaps null',
    ]);
    expect(areasOf(facts(), { gapsOnly: true })).toEqual(['gaps null']);
    expect(areasOf(facts(), {}, [1])).toEqual(['free 1']);
  });

  it('is refused for a partition by name that cannot tell its free space', () => {
    expect(() => areasOf(facts(), {}, [2])).toThrow(expect.objectContaining({ code: 'not-recognised' }));
    expect(() => areasOf(facts(), {}, [9])).toThrow(expect.objectContaining({ code: 'no-such-partition' }));
  });

  it.each(['dirty', 'hibernated', 'needs-recovery', 'unknown'] as const)(
    'is refused where a volume is %s, unless it is left out',
    (state) => {
      const disk = facts();
      const partitions = disk.partitions.map((each) =>
        each.number === 1 ? { ...each, filesystem: { ...ntfs, state }, clearing: free } : each,
      );
      const detail = expect.objectContaining({ hint: expect.stringContaining('--gaps-only') });
      expect(() => areasOf({ ...disk, partitions })).toThrow(
        expect.objectContaining({ code: 'not-clean', detail }),
      );
      expect(areasOf({ ...disk, partitions }, { gapsOnly: true })).toEqual(['gaps null']);
    },
  );

  it('reminds of vmkfstools where VMFS keeps a thin disk', () => {
    const codes = (thinOnVmfs: boolean) =>
      makePlan(facts({ thinOnVmfs }), zeroRequest()).warnings.map(({ code }) => code);
    expect(codes(true)).toEqual(['vmfs-thin']);
    expect(codes(false)).toEqual([]);
  });
});

describe('what no partition holds', () => {
  it('touches no partition, no boot record, no table and not the first MiB, of any disk', () => {
    fc.assert(
      fc.property(anyDisk, (disk) => {
        const { sectorSize, partitions } = disk;
        const gaps = unallocatedRanges(disk);
        const sectors = gaps.map(({ at, length }) => [at / sectorSize, (at + length) / sectorSize] as const);
        const isFree = (first: number, count: number) =>
          sectors.every(([from, end]) => end <= first || first + count <= from);
        for (const { kind, startLba, sectorCount, ebrLba } of partitions) {
          expect(isFree(startLba, kind === 'extended' ? 1 : sectorCount)).toBe(true);
          if (ebrLba !== null) expect(isFree(ebrLba, 1)).toBe(true);
        }
        for (const gap of gaps) {
          expect(gap.at).toBeGreaterThanOrEqual(MIB);
          expect(rangeEnd(gap)).toBeLessThanOrEqual(disk.usable.end * sectorSize);
          expect(gap.length).toBeGreaterThan(0);
        }
      }),
    );
  });

  it('keeps a GPT that was left on an MBR disk', () => {
    const table = diskFacts(100_000, [], { table: 'gpt' });
    const disk = { ...facts(), sizeBytes: 100_000 * 512, partitions: [], gpt: table.gpt };
    const gaps = unallocatedRanges({ ...disk, usable: { ...disk.usable, end: table.usable.end } });
    expect(gaps).toEqual([{ at: MIB, length: (100_000 - 2048 - 33) * 512 }]);
  });
});
