import { existsSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { expectCli } from '../support/cli.js';
import { type Guest, makeGuest } from '../support/guests.js';
import { rootJudge, run } from '../support/judges.js';
import { loopStores, MKFS } from '../support/loop-store.js';
import { seededRandom } from '../support/random.js';
import { flatOf } from '../support/unused.js';
import { JUDGES, judgeGuest, remember } from '../support/verdicts.js';
import { Workbench } from '../support/workbench.js';
import { goOn, mountImage, runBeside } from './cutter.js';
import { killWhen, newestCheckpointOf } from './killer.js';

/** Power cuts. */
const CUTS = Number(process.env.VMRECLAIM_CUTS ?? 2);
const SEED = Number(process.env.VMRECLAIM_SEED ?? Date.now() % 1_000_000);
/** Less than the move takes from its first clone to its end. */
const MOVE_SECONDS = 0.3;

const bench = new Workbench();
const mounted = loopStores(bench);
afterAll(() => bench.remove());

const MIB_SECTORS = 2048;

/** One partition at LBA 63, full enough to share its windows. */
function guestIn(folder: string, kind: 'ntfs' | 'opaque'): Guest {
  const partitions = [bench.partition(1, kind, 63, 90 * MIB_SECTORS, { contentBytes: 70 << 20 })];
  return makeGuest(folder, { name: 'disk', sectors: 92 * MIB_SECTORS, table: 'mbr', partitions });
}

const said = (text: string): string => text.replace(/\s+/g, ' ');

/** A window leaves one or two more. What lies between used ranges stays where it is, and adds to that. */
const MORE_EXTENTS = 8;

/** Pieces of the file, and bytes it keeps, as others see them. */
function costOf(guest: Guest): { readonly extents: number; readonly bytes: number } {
  const file = flatOf(guest);
  run('sync', ['-f', file]);
  const extents = Number(/: (\d+) extents? found/.exec(run('filefrag', [file]))?.[1]);
  return { extents, bytes: statSync(file).blocks * 512 };
}

describe.skipIf(!rootJudge(...JUDGES, 'mkfs.xfs', 'mkfs.btrfs', 'filefrag'))(
  'windows share blocks of the disk',
  () => {
    it('aligned from LBA 63: nothing is lost, and the file stays in few pieces', async () => {
      const store = mounted(MKFS.xfs);
      const guest = guestIn(store.point, 'ntfs');
      const [memory, before] = [remember(guest), costOf(guest)];
      const { stderr } = await expectCli(0, 'align', guest.disk, '-y', '--no-color');
      expect(said(stderr)).toContain('each window shares its blocks with the journal first, 256.0 MiB');
      store.remount();
      judgeGuest(guest, memory, { 1: 128 });
      const after = costOf(guest);
      expect(after.extents).toBeLessThanOrEqual(before.extents + MORE_EXTENTS);
      expect(after.bytes).toBeLessThanOrEqual(before.bytes);
    }, 120_000);

    it.each(['xfs', 'btrfs'] as const)(
      'killed on %s while a window is written, and resumed, with a safety copy of it all',
      async (kind) => {
        const store = mounted(MKFS[kind]);
        const guest = guestIn(store.point, 'opaque');
        const memory = remember(guest);
        const isCloned = () => newestCheckpointOf(guest)?.cloned === true;
        await killWhen(isCloned, 'align', '--safety-copy', guest.disk, '-y');
        expect(isCloned()).toBe(true);
        await killWhen(() => existsSync(`${guest.disk}.vmreclaim`), 'resume', guest.disk);
        await expectCli(0, 'resume', guest.disk);
        store.remount();
        judgeGuest(guest, memory, { 1: 128 });
        expect(existsSync(`${guest.disk}.vmreclaim`)).toBe(false);
      },
      120_000,
    );
  },
);

describe.skipIf(!rootJudge(...JUDGES, 'mkfs.xfs', 'python3'))(
  'the power is cut while windows share blocks',
  () => {
    it(
      'resumed, every byte is where it belongs',
      async () => {
        const folder = bench.newFolder();
        const random = seededRandom(SEED);
        const [image, point] = [join(folder, 'store.img'), join(folder, 'store')];
        run('mkdir', [point]);
        run('truncate', ['-s', '1G', `${image}.new`]);
        run('mkfs.xfs', [...MKFS.xfs.slice(1), `${image}.new`]);
        mountImage(`${image}.new`, point);
        const guest = guestIn(point, 'opaque');
        const memory = remember(guest);
        run('umount', [point]);
        let cloned = 0;
        for (let count = 0; count < CUTS; count++) {
          run('cp', ['--sparse=always', `${image}.new`, image]);
          mountImage(image, point);
          try {
            const cut = { point, sign: 'clone', seconds: MOVE_SECONDS * random() };
            expect(await runBeside(cut, guest.disk, 'align', guest.disk, '-y')).toBe('cut');
            run('umount', [point]);
            mountImage(image, point);
            if (newestCheckpointOf(guest)?.cloned === true) cloned++;
            await goOn(guest.disk);
            run('umount', [point]);
            mountImage(image, point);
            judgeGuest(guest, memory, { 1: 128 });
          } finally {
            run('umount', [point]);
          }
        }
        console.log(`${CUTS} power cuts, ${cloned} behind a clone, VMRECLAIM_SEED=${SEED}`);
        for (const path of [image, `${image}.new`]) rmSync(path);
      },
      60_000 + CUTS * 20_000,
    );
  },
);
