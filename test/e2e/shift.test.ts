import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { expectCli } from '../support/cli.js';
import { type Guest, makeGuest } from '../support/guests.js';
import { rootJudge, run } from '../support/judges.js';
import { loopStores, MKFS } from '../support/loop-store.js';
import { flatOf } from '../support/unused.js';
import { JUDGES, judgeGuest, remember } from '../support/verdicts.js';
import { Workbench } from '../support/workbench.js';
import { killWhen } from './killer.js';

const bench = new Workbench();
const mounted = loopStores(bench);
afterAll(() => bench.remove());

const STORES = [
  { name: 'ext4', mkfs: MKFS.ext4, kind: 'ntfs' },
  { name: 'XFS without reflink', mkfs: ['mkfs.xfs', '-q', '-m', 'reflink=0'], kind: 'opaque' },
] as const;

const MIB_SECTORS = 2048;
const FROM = 101 * MIB_SECTORS;
const TO = MIB_SECTORS;
const LENGTH = 100 * MIB_SECTORS;

/** A partition with enough in it to be shifted, and ext4 behind it, which stays. */
function guestIn(folder: string, kind: 'ntfs' | 'opaque'): Guest {
  const partitions = [
    bench.partition(1, kind, FROM, LENGTH, { contentBytes: 70 << 20 }),
    bench.partition(2, 'ext4', FROM + LENGTH, 16 * MIB_SECTORS, { contentBytes: 2 << 20 }),
  ];
  return makeGuest(folder, { name: 'disk', sectors: 220 * MIB_SECTORS, table: 'mbr', partitions });
}

const MOVE = ['--to', `1=${TO}`, '-y', '--no-color'];
const said = (text: string): string => text.replace(/\s+/g, ' ');

/** Where the blocks of a stretch of the file are on the medium, as filefrag tells. */
function blocksOf(file: string, atSector: number): number {
  const lines = run('filefrag', ['-v', '-b4096', file]).split('\n');
  const block = (atSector * 512) / 4096;
  for (const line of lines) {
    const [, first, last, medium] = /^\s*\d+:\s*(\d+)\.\.\s*(\d+):\s*(\d+)\.\./.exec(line) ?? [];
    if (Number(first) <= block && block <= Number(last)) return Number(medium) + block - Number(first);
  }
  throw new Error(`no extent at block ${block}`);
}

describe.skipIf(!rootJudge(...JUDGES, 'mkfs.xfs', 'filefrag', 'python3'))('a partition is shifted on', () => {
  it.each(STORES)(
    '$name: its blocks stay where they are, and nothing is lost',
    async ({ mkfs, kind }) => {
      const guest = guestIn(mounted(mkfs).point, kind);
      const memory = remember(guest);
      run('sync', ['-f', flatOf(guest)]);
      const [start, tail] = [FROM, FROM + LENGTH].map((at) => blocksOf(flatOf(guest), at));
      const before = statSync(flatOf(guest)).blocks;
      const { stderr } = await expectCli(0, 'move-extents', guest.disk, ...MOVE);
      expect(said(stderr)).toContain(
        'copies nothing, about 0.1 s; shifted inside the file by its file system',
      );
      judgeGuest(guest, memory, { 1: TO });
      expect(blocksOf(flatOf(guest), TO)).toBe(start);
      expect(blocksOf(flatOf(guest), FROM + LENGTH)).toBe(tail);
      expect(statSync(flatOf(guest)).blocks).toBeLessThanOrEqual(before);
    },
    120_000,
  );

  it.each(STORES)(
    '$name: killed when it begins, and resumed',
    async ({ mkfs }) => {
      const guest = guestIn(mounted(mkfs).point, 'opaque');
      const memory = remember(guest);
      const record = join(`${guest.disk}.vmreclaim`, 'shift');
      await killWhen(() => existsSync(record), 'move-extents', guest.disk, ...MOVE);
      await expectCli(0, existsSync(record) ? 'resume' : 'scan', guest.disk);
      judgeGuest(guest, memory, { 1: TO });
    },
    120_000,
  );
});

/** What the command says of the move. */
async function plannedOn(mkfs: readonly string[]): Promise<string> {
  const guest = guestIn(mounted(mkfs).point, 'opaque');
  const { stderr } = await expectCli(0, 'move-extents', guest.disk, ...MOVE);
  return said(stderr);
}

describe.skipIf(!rootJudge(...JUDGES, 'mkfs.xfs'))('a partition is copied instead', () => {
  it('by a store that shares blocks', async () => {
    expect(await plannedOn(MKFS.xfs)).toContain('copied inside the store where it can');
  }, 120_000);

  it('without the native calls', async () => {
    process.env.VMRECLAIM_NATIVE = 'off';
    try {
      expect(await plannedOn(MKFS.ext4)).toContain('direct: restartable without a journal copy');
    } finally {
      delete process.env.VMRECLAIM_NATIVE;
    }
  }, 120_000);

  it('when the file system refuses in the end: clusters of 64 KiB, and a place in the middle of one', async () => {
    const bigalloc = ['mke2fs', '-q', '-F', '-t', 'ext4', '-O', 'bigalloc', '-C', '65536'];
    const guest = guestIn(mounted(bigalloc).point, 'opaque');
    const memory = remember(guest);
    const to = TO + 8;
    await expectCli(0, 'move-extents', guest.disk, '--to', `1=${to}`, '-y');
    judgeGuest(guest, memory, { 1: to });
  }, 120_000);
});
