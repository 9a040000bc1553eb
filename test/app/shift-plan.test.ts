import { closeSync, openSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { changeDisk } from '../../src/app/change.js';
import { loadNative } from '../../src/backends/local/native.js';
import { rootJudge, run } from '../support/judges.js';
import { LoopStore, MKFS } from '../support/loop-store.js';
import { hashPieces } from '../support/mounts.js';
import { testServices } from '../support/services.js';
import { moveTo } from '../support/wishes.js';
import { Workbench } from '../support/workbench.js';

const MIB = 1 << 20;
const [FROM, TO, LENGTH] = [21 * MIB, MIB, 66 * MIB];
const MOVE = moveTo(1, TO);

const bench = new Workbench();
let store: LoopStore;
let disk = '';
afterEach(() => {
  vi.restoreAllMocks();
  store.remove();
});
afterAll(() => bench.remove());

/** A partition with something in places, and all of its file set aside by the file system. */
beforeEach(() => {
  store = new LoopStore(bench.newFolder(), MKFS.ext4);
  disk = join(store.point, 'disk.img');
  run('fallocate', ['-l', `${FROM + LENGTH + MIB}`, disk]);
  run('sfdisk', ['-q', disk], { input: `label: dos\nstart=${FROM / 512}, size=${LENGTH / 512}, type=da\n` });
  const fd = openSync(disk, 'r+');
  for (let at = FROM; at < FROM + LENGTH; at += 2 * MIB)
    writeSync(fd, Buffer.alloc(MIB, `${at}`), 0, MIB, at);
  closeSync(fd);
});

/** Moves the partition; how it was planned, and how often a range was collapsed. */
async function moved(): Promise<readonly [string | undefined, number | undefined]> {
  const native = await loadNative();
  const collapse = native && vi.spyOn(native, 'collapseRange');
  const wanted = hashPieces(disk, { at: FROM, length: LENGTH });
  const { plan } = await changeDisk(disk, MOVE, { dryRun: false }, testServices());
  expect(hashPieces(disk, { at: TO, length: LENGTH })).toEqual(wanted);
  return [plan.moves[0]?.copiedBy, collapse?.mock.calls.length];
}

describe.skipIf(!rootJudge('mke2fs', 'sfdisk', 'fallocate'))(
  'a move is carried out as it was planned',
  () => {
    it('by a shift, though blocks in front were set aside and never written', async () => {
      const { blocks } = statSync(disk);
      expect(await moved()).toEqual(['shift', 1]);
      expect(statSync(disk).blocks).toBeLessThan(blocks);
    });

    it('by a copy, where blocks lie behind the end of the file', async () => {
      run('fallocate', ['--keep-size', '-o', `${statSync(disk).size}`, '-l', `${4 * MIB}`, disk]);
      expect(await moved()).toEqual(['store', 0]);
    });
  },
);
