import { describe, expect, it } from 'vitest';
import { MIB } from '../../src/core/units.js';
import { makePlan } from '../../src/plan/plan.js';
import { alignRequest, diskFacts, filesystemFacts } from './layouts.js';

/** One NTFS partition at LBA 63, to be aligned. */
function moveOf({ sharesBlocks = true, usedBytes = 100 * MIB }) {
  const filesystem = filesystemFacts('ntfs', { move: { copies: 'used' }, usedBytes });
  const partitions = [{ number: 1, startLba: 63, sectorCount: 400_000, filesystem }];
  return makePlan(diskFacts(1_000_000, partitions, { sharesBlocks }), alignRequest()).moves[0];
}

describe('a journaled move on a store that shares blocks', () => {
  it.each([64 * MIB, 100 * MIB])('shares large windows: %i bytes', (usedBytes) => {
    const plain = moveOf({ usedBytes, sharesBlocks: false });
    const move = moveOf({ usedBytes });
    expect(move).toMatchObject({ mode: 'journaled', spill: 'shared', windowBytes: 256 * MIB });
    expect(move?.copiedBy).toBe('program');
    expect(move?.estimatedSeconds).toBeLessThan(plain?.estimatedSeconds ?? 0);
  });

  it.each([
    ['the store cannot', { sharesBlocks: false }],
    ['there is little to copy', { usedBytes: 64 * MIB - 1 }],
  ])('saves small windows in the journal: %s', (_, wish) => {
    const move = moveOf(wish);
    expect(move).toMatchObject({ mode: 'journaled', windowBytes: 8 * MIB });
    expect(move).not.toHaveProperty('spill');
  });
});
