import { describe, expect, it } from 'vitest';
import { MIB } from '../../src/core/units.js';
import { makePlan } from '../../src/plan/plan.js';
import { alignRequest, diskFacts, filesystemFacts } from './layouts.js';

/** One partition that move-extents puts somewhere else; how its store can shift is part of the wish. */
interface Wish {
  readonly from?: number;
  readonly to?: number;
  readonly count?: number;
  readonly blockBytes?: number | null;
  readonly usedBytes?: number;
}

function moveOf({ from = 4096, to = 2048, count = 400_000, blockBytes = 4096, usedBytes }: Wish) {
  const filesystem = filesystemFacts('ntfs', { move: { copies: 'used' }, usedBytes: usedBytes ?? 100 * MIB });
  const facts = diskFacts(1_000_000, [{ number: 1, startLba: from, sectorCount: count, filesystem }], {
    shiftBlockBytes: blockBytes,
  });
  const target = { number: 1, startLba: to, sectorCount: null, ebrLba: null };
  return makePlan(facts, alignRequest({ command: 'move-extents', targets: [target] })).moves[0];
}

describe('a move on a store that can shift', () => {
  it.each<[string, Wish]>([
    ['whole blocks to the left', {}],
    ['as far as it is long', { from: 402_048 }],
    ['by 1 MiB', { from: 4096 }],
    ['with 64 MiB to copy otherwise', { usedBytes: 64 * MIB }],
  ])('is a shift: %s', (_, wish) => {
    expect(moveOf(wish)).toMatchObject({ copiedBy: 'shift', mode: 'direct', bytesToCopy: 0 });
  });

  it.each<[string, Wish]>([
    ['the store cannot', { blockBytes: null }],
    ['it starts inside a block', { from: 4097 }],
    ['it goes to the inside of a block', { to: 2049 }],
    ['it ends inside a block', { count: 400_001 }],
    ['it goes to the right', { from: 2048, to: 8192 }],
    ['something may lie between the two places', { from: 402_056 }],
    ['the distance is shorter than 1 MiB', { from: 4088 }],
    ['there is less than 64 MiB to copy', { usedBytes: 64 * MIB - 1 }],
  ])('is none: %s', (_, wish) => {
    expect(moveOf(wish)?.copiedBy).toBe('program');
  });
});
