import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { expectCli } from '../support/cli.js';
import { type Guest, makeGuest } from '../support/guests.js';
import { rootJudge, run } from '../support/judges.js';
import { LoopStore, MKFS } from '../support/loop-store.js';
import { seededRandom } from '../support/random.js';
import { Workbench } from '../support/workbench.js';
import { killWhen, newestCheckpointOf } from './killer.js';

/** How many runs are killed and taken back. */
const ROUNDS = Number(process.env.VMRECLAIM_SAFETY_KILLS ?? 1);
const SEED = Number(process.env.VMRECLAIM_SEED ?? Date.now() % 1_000_000);
/** Less than the run takes from the first byte that changes to its end. */
const CHANGING_MS = 40;

const bench = new Workbench();
afterAll(() => bench.remove());

/** An opaque partition at LBA 63: some 70 MiB go through the journal. */
function guestIn(folder: string): Guest {
  const partitions = [bench.partition(1, 'opaque', 63, 140_000)];
  return makeGuest(folder, { name: 'disk', sectors: 145_000, table: 'mbr', partitions });
}

/** True from a random moment on behind the first byte of the disk that changes. */
function whileChanging({ extents }: Guest, random: () => number): () => boolean {
  const writtenAt = () => statSync(extents[0] ?? '').mtimeMs;
  const [before, wait] = [writtenAt(), random() * CHANGING_MS];
  let began: number | undefined;
  return () => {
    if (began === undefined && writtenAt() !== before) began = performance.now();
    return began !== undefined && performance.now() - began >= wait;
  };
}

describe.skipIf(!rootJudge('mkfs.xfs', 'sfdisk'))('align --safety-copy, killed', () => {
  it('goes back to the very disk, also when that is killed', async () => {
    console.log(`VMRECLAIM_SEED=${SEED}`);
    const random = seededRandom(SEED);
    const store = new LoopStore(bench.newFolder(), MKFS.xfs);
    try {
      const guest = guestIn(store.point);
      const pristine = join(store.point, 'pristine');
      run('cp', ['-a', '--reflink=always', guest.folder, pristine]);
      const header = join(`${guest.disk}.vmreclaim`, 'run.json');
      const isAsBefore = () =>
        [guest.extents[0] ?? '', guest.disk].every((path) => {
          const { status } = spawnSync('cmp', ['-s', path, join(pristine, basename(path))]);
          return status === 0;
        });
      for (let [round, attempt] = [0, 0]; round < ROUNDS; attempt++) {
        expect(attempt).toBeLessThan(10 * ROUNDS);
        await killWhen(whileChanging(guest, random), 'align', '--safety-copy', guest.disk, '-y');
        if (!existsSync(header)) {
          // Over before it was killed.
          run('cp', ['-a', '--reflink=always', '-T', pristine, guest.folder]);
          continue;
        }
        const isChanged = !isAsBefore();
        const isRestoring = () => newestCheckpointOf(guest)?.restore !== undefined;
        await killWhen(isRestoring, 'abandon', '--restore', guest.disk, '-y');
        if (existsSync(header)) {
          const { stdout } = await expectCli(0, 'resume', guest.disk, '--json');
          expect(JSON.parse(stdout)).toMatchObject({ command: 'resume', status: 'done', restored: true });
        }
        expect(isAsBefore()).toBe(true);
        // Killed too early, it proves little.
        if (isChanged) round++;
      }
      const unanswered = await expectCli(7, 'abandon', '--restore', guest.disk);
      expect(unanswered.stderr).toContain('no-run');
    } finally {
      store.remove();
    }
  }, 120_000);
});
