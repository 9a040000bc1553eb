import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DiskFacts } from '../../src/inspect/types.js';
import { makePlan } from '../../src/plan/plan.js';
import { advise } from '../../src/profile/advise.js';
import { NO_PROFILE } from '../../src/profile/defaults.js';
import { commandFor, requestFor } from '../../src/profile/place.js';
import { resolveSettings } from '../../src/profile/resolve.js';
import { diskDocument } from '../../src/report/scan-json.js';
import { diskFacts, filesystemFacts, type Part } from '../plan/layouts.js';

const MIB_SECTORS = 2048;

/** Disks with primaries, or a GPT: volumes of any use, gaps of any size, aligned or not. */
const disks = fc
  .record({
    table: fc.constantFrom('mbr' as const, 'gpt' as const),
    tailMib: fc.integer({ min: 2, max: 9000 }),
    volumes: fc.array(
      fc.record({
        mib: fc.integer({ min: 64, max: 60_000 }),
        used: fc.double({ min: 0.02, max: 0.99, noNaN: true }),
        gapMib: fc.integer({ min: 0, max: 3000 }),
        odd: fc.boolean(),
        kind: fc.constantFrom('ntfs', 'ntfs', 'xfs'),
      }),
      { minLength: 1, maxLength: 4 },
    ),
  })
  .map(({ table, tailMib, volumes }): DiskFacts => {
    let end = MIB_SECTORS;
    const parts = volumes.map(({ mib, used, gapMib, odd, kind }, index): Part => {
      const startLba = end + gapMib * MIB_SECTORS + (odd ? 63 : 0);
      const sectorCount = mib * MIB_SECTORS;
      end = startLba + sectorCount;
      const totalBytes = sectorCount * 512;
      const usedBytes = Math.floor((totalBytes * used) / 4096) * 4096;
      const minimumBytes = kind === 'ntfs' ? usedBytes : null;
      const filesystem = filesystemFacts(kind, {
        totalBytes,
        usedBytes,
        minimumBytes,
        freeBytes: totalBytes - usedBytes,
        move: { copies: 'used' },
      });
      return { number: index + 1, startLba, sectorCount, filesystem };
    });
    const facts = diskFacts(end + tailMib * MIB_SECTORS, parts, { table });
    const resizable = { canShrink: true, canEnlarge: true, minimum: null, blocker: null };
    const partitions = facts.partitions.map((partition) =>
      partition.filesystem?.kind === 'ntfs' ? { ...partition, resizing: resizable } : partition,
    );
    return { ...facts, partitions };
  });

describe('recommendation and plan', () => {
  it('tell the same numbers', () => {
    const wishes = fc.record({
      freePercent: fc.integer({ min: 0, max: 80 }),
      worthBytes: fc.constantFrom(0, 2 ** 29),
      align: fc.constant(true),
    });
    let changed = 0;
    fc.assert(
      fc.property(disks, wishes, (facts, defaults) => {
        const profile = { ...NO_PROFILE, defaults };
        const document = diskDocument(facts, 65_536);
        const advice = advise(profile, document);
        const { settings } = resolveSettings(profile, document, null);
        if (advice.actions.length === 0) return;
        const command = commandFor(advice.partitions, advice.actions.includes('shrink'));
        const plan = makePlan(facts, requestFor(command, advice.partitions, settings));
        changed++;
        expect(plan.after.sizeBytes).toBe(advice.plannedBytes);
        expect(plan.savedBytes).toBe(advice.savedBytes - advice.growthBytes);
        const starts = advice.partitions.map(({ plannedStartBytes }) => plannedStartBytes);
        expect(plan.after.partitions.map(({ startLba }) => startLba * 512)).toEqual(starts);
        for (const { number, action, wantedBytes } of advice.partitions) {
          const after = plan.after.partitions.find((partition) => partition.number === number);
          if (action !== 'keep') expect((after?.sectorCount ?? 0) * 512).toBeGreaterThanOrEqual(wantedBytes);
        }
      }),
    );
    expect(changed).toBeGreaterThan(20);
  });

  it('neither move nor resize what is never touched', () => {
    fc.assert(
      fc.property(disks, fc.integer({ min: 1, max: 4 }), (facts, number) => {
        const profile = { ...NO_PROFILE, defaults: { untouched: [number], freePercent: 5, enlarge: false } };
        const document = diskDocument(facts, 65_536);
        const advice = advise(profile, document);
        const before = document.partitions.find((partition) => partition.number === number);
        const target = advice.partitions.find((partition) => partition.number === number);
        expect(target?.plannedStartBytes).toBe(before?.startBytes);
        expect(target?.wantedBytes).toBe(before?.sizeBytes);
      }),
    );
  });
});
