import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CliResult, expectCli, runCli } from '../support/cli.js';
import type { Guest } from '../support/guests.js';
import { rootJudge } from '../support/judges.js';
import { seededRandom } from '../support/random.js';
import { JUDGES, judgeGuest, remember, type Starts } from '../support/verdicts.js';
import { SECTOR } from '../support/volumes.js';
import { printOf, Workbench } from '../support/workbench.js';

const bench = new Workbench();
afterAll(() => bench.remove());

/** What docs/exit-codes.md lists. 1 is a bug and may not come of damage. */
const DOCUMENTED = [0, 2, 3, 4, 5, 6, 7, 8, 9];
/** Times each kind of damage is done, where it is done at random places: 1 is for CI, other places each time. */
const ROUNDS = Number(process.env.VMRECLAIM_DAMAGE ?? 1);
const SEED = Number(process.env.VMRECLAIM_SEED ?? Date.now() % 1_000_000);
/** A line of a stack trace: a sentence may begin with `at` as well. */
const STACK = /^\s+at .*:\d+:\d+\)?$/m;
const random = seededRandom(SEED);
const between = (from: number, to: number): number => from + Math.floor(random() * (to - from));

let mbr: Guest;
let gpt: Guest;

type Region = readonly [from: number, to: number];

function withinReason(result: CliResult, where: string): void {
  expect(DOCUMENTED, `${where}: exit code, ${result.stderr}`).toContain(result.code);
  expect(result.stdout + result.stderr, `${where}: stack trace`).not.toMatch(STACK);
}

/** Aligns a copy of the disk, as it is. */
async function isSound(pristine: Guest, starts: Starts): Promise<void> {
  const guest = bench.clone(pristine);
  const memory = remember(guest);
  await expectCli(0, 'align', guest.disk, '-y');
  judgeGuest(guest, memory, starts);
  bench.drop(guest);
}

/** Looks at, plans and aligns a copy of the disk with some damage. Whatever is not done must not be begun. */
async function survives(pristine: Guest, where: string, damage: (fd: number) => void): Promise<void> {
  const guest = bench.clone(pristine);
  const fd = openSync(guest.disk, 'r+');
  damage(fd);
  closeSync(fd);
  const print = printOf(guest.folder);
  const looks = ['scan', 'plan'].map((command) => runCli(command, guest.disk));
  for (const result of await Promise.all(looks)) withinReason(result, where);
  const result = await runCli('align', guest.disk, '-y');
  withinReason(result, where);
  if (result.code !== 0)
    expect(printOf(guest.folder), `${where}: exit ${result.code}, and changed`).toBe(print);
  bench.drop(guest);
}

/** Overwrites a few bytes somewhere in a region with random ones. */
async function flipped(guest: Guest, [from, to]: Region): Promise<void> {
  const bytes = Uint8Array.from({ length: between(1, 17) }, () => between(0, 256));
  const at = between(from, to - bytes.length);
  await survives(guest, `${guest.name}: ${bytes.length} bytes at ${at}`, (fd) => {
    writeSync(fd, bytes, 0, bytes.length, at);
  });
}

describe.skipIf(!rootJudge(...JUDGES))('damaged disks', () => {
  beforeAll(() => {
    console.log(`damage: ${ROUNDS} rounds, VMRECLAIM_SEED=${SEED}`);
    const ntfs = bench.volume('ntfs', { sectors: 40_000 });
    const ext4 = bench.volume('ext4', { sectors: 40_000 });
    const extended = { number: 2, start: 40_100, sectors: 45_000 };
    const form = 'raw';
    mbr = bench.guest({
      ...{ name: 'mbr', form, sectors: 90_000, table: 'mbr', extended },
      partitions: [
        { number: 1, start: 63, volume: ntfs },
        { number: 5, start: 40_163, volume: ext4 },
      ],
    });
    gpt = bench.guest({
      ...{ name: 'gpt', form, sectors: 90_000, table: 'gpt' },
      partitions: [{ number: 2, start: 2049, volume: ntfs }],
    });
  });

  it('are sound before they are damaged', async () => {
    await isSound(mbr, { 1: 128, 2: 40_192, 5: 40_320 });
    await isSound(gpt, { 2: 2176 });
  });

  it('cut off at any length', { timeout: 120_000 + ROUNDS * 20_000 }, async () => {
    const size = 90_000 * SECTOR;
    const lengths = [0, 1, 511, 512, 513, 1024, 64 * SECTOR, size - SECTOR, size - 1];
    while (lengths.length < 9 + 2 * ROUNDS) lengths.push(between(0, size));
    for (const [index, length] of lengths.entries()) {
      const guest = index % 2 === 0 ? mbr : gpt;
      await survives(guest, `${guest.name} cut to ${length}`, (fd) => ftruncateSync(fd, length));
    }
  });

  it.each<[string, () => Guest, number, Region]>([
    ['in the MBR', () => mbr, 3, [440, 512]],
    ['in the EBR', () => mbr, 2, [40_100 * SECTOR + 440, 40_101 * SECTOR]],
    ['in the protective MBR', () => gpt, 1, [440, 512]],
    ['in the primary GPT', () => gpt, 2, [SECTOR, 3 * SECTOR]],
    ['in the backup GPT', () => gpt, 2, [(90_000 - 33) * SECTOR, 90_000 * SECTOR]],
    ['in the boot sector of NTFS', () => mbr, 2, [63 * SECTOR, 63 * SECTOR + 90]],
    ['in the MFT', () => mbr, 3, [63 * SECTOR + 4 * 4096, 63 * SECTOR + 4 * 4096 + 16 * 1024]],
    [
      'in the superblock and group descriptors of ext4',
      () => mbr,
      2,
      [40_163 * SECTOR + 1024, 40_163 * SECTOR + 4200],
    ],
  ])(
    'with flipped bytes %s',
    async (_name, guest, count, region) => {
      for (let i = 0; i < count * ROUNDS; i++) await flipped(guest(), region);
    },
    60_000 + ROUNDS * 60_000,
  );
});
