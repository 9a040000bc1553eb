import { statSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import type { RunResult } from '../../src/report/run-result.js';
import { expectCli } from '../support/cli.js';
import { type Guest, makeGuest } from '../support/guests.js';
import { rootJudge, run } from '../support/judges.js';
import { loopStores, MKFS } from '../support/loop-store.js';
import { fill, flatOf, UNUSED_JUDGES, unusedOf } from '../support/unused.js';
import { JUDGES, judgeGuest, remember } from '../support/verdicts.js';
import type { VolumeKind } from '../support/volumes.js';
import { Workbench } from '../support/workbench.js';
import { killWhen, newestCheckpointOf } from './killer.js';

const bench = new Workbench();
const mounted = loopStores(bench);
afterAll(() => bench.remove());

const STORES = [
  { name: 'ext4', mkfs: MKFS.ext4 },
  { name: 'XFS with reflink', mkfs: MKFS.xfs },
] as const;

const part = (number: number, kind: VolumeKind, start: number, sectors: number) =>
  bench.partition(number, kind, start, sectors, { contentBytes: 6 << 20 });

/** NTFS, and far behind it ext4 and something opaque, all aligned to 1 MiB. */
function guestIn(folder: string): Guest {
  const partitions = [
    part(1, 'ntfs', 2048, 61_440),
    part(2, 'ext4', 129_024, 61_440),
    part(3, 'opaque', 190_464, 61_440),
  ];
  return makeGuest(folder, { name: 'disk', sectors: 260_096, table: 'mbr', partitions });
}

const allocated = (guest: Guest): number => {
  run('sync', ['-f', flatOf(guest)]);
  return statSync(flatOf(guest)).blocks * 512;
};

describe.skipIf(!rootJudge(...JUDGES, ...UNUSED_JUDGES, 'mkfs.xfs', 'mke2fs'))('a disk on a store of', () => {
  it.each(STORES)(
    '$name: moved by the store, then cleared: nothing is lost, no block more',
    async ({ mkfs }) => {
      const guest = guestIn(mounted(mkfs).point);
      const unused = unusedOf(guest);
      fill(flatOf(guest), unused, 'noise');
      const [memory, before] = [remember(guest), allocated(guest)];
      const move = ['move-extents', guest.disk, '--to', '2=63488', '--to', '3=124928'];
      const { stderr } = await expectCli(0, ...move, '-y', '--no-color');
      expect(stderr.replace(/\s+/g, ' ')).toContain('copied inside the store where it can');
      judgeGuest(guest, memory, { 1: 2048, 2: 63_488, 3: 124_928 });
      expect(allocated(guest)).toBeLessThanOrEqual(before);
      const moved = {
        ...guest,
        partitions: guest.partitions.map((each) => ({ ...each, start: START[each.number] ?? 0 })),
      };
      const [again, full] = [remember(moved), allocated(moved)];
      const cleared = JSON.parse(
        (await expectCli(0, 'zero', guest.disk, '-y', '--json')).stdout,
      ) as RunResult;
      expect(cleared.bytesDiscarded).toBeGreaterThan(0);
      judgeGuest(moved, again, START);
      expect(full - allocated(moved)).toBeGreaterThan(0.9 * cleared.bytesDiscarded);
    },
    120_000,
  );

  it.each(STORES)(
    '$name: killed while the store copies, and resumed: nothing is lost',
    async ({ mkfs }) => {
      const guest = guestIn(mounted(mkfs).point);
      const memory = remember(guest);
      const isMoving = () => newestCheckpointOf(guest)?.started === true;
      await killWhen(isMoving, 'move-extents', guest.disk, '--to', '2=63488', '--to', '3=124928', '-y');
      expect(isMoving()).toBe(true);
      expect(newestCheckpointOf(guest)?.verified).toBe(false);
      await expectCli(0, 'resume', guest.disk);
      judgeGuest(guest, memory, START);
    },
    120_000,
  );
});

const START: Readonly<Record<number, number>> = { 1: 2048, 2: 63_488, 3: 124_928 };
