import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { expectCli } from '../support/cli.js';
import type { Guest } from '../support/guests.js';
import { rootJudge } from '../support/judges.js';
import { JUDGES, judgeGuest, remember } from '../support/verdicts.js';
import type { VolumeKind } from '../support/volumes.js';
import { printOf, Workbench } from '../support/workbench.js';
import { judged, refusedBy } from './judged.js';

const bench = new Workbench();
afterAll(() => bench.remove());

const part = (number: number, kind: VolumeKind, start: number, sectors: number) =>
  bench.partition(number, kind, start, sectors);

/** NTFS, then an extended partition right behind it with two logicals, each with its EBR a track before it. */
function logicalsGuest(): Guest {
  return bench.guest({
    name: 'logicals',
    sectors: 260_000,
    table: 'mbr',
    partitions: [
      part(1, 'ntfs', 63, 80_262),
      part(5, 'ext4', 80_388, 60_000),
      part(6, 'opaque', 144_648, 40_001),
    ],
    extended: { number: 2, start: 80_325, sectors: 120_000 },
  });
}

const gptGuest = (sectors = 200_000) =>
  bench.guest({
    name: 'gpt',
    sectors,
    table: 'gpt',
    partitions: [part(1, 'ntfs', 2049, 80_000), part(3, 'ext4', 100_001, 60_000)],
  });

/** NTFS up to the last sector of the disk. */
const fullGuest = () =>
  bench.guest({ name: 'full', sectors: 80_325, table: 'mbr', partitions: [part(1, 'ntfs', 63, 80_262)] });

describe.skipIf(!rootJudge(...JUDGES))('align of other layouts, judged by outside tools', () => {
  it('ext4, bytes nobody knows, FAT32 and exFAT to 64 KiB', async () => {
    const partitions = [
      part(1, 'ext4', 63, 60_000),
      part(2, 'opaque', 70_001, 20_001),
      part(3, 'fat32', 100_003, 70_000),
      part(4, 'exfat', 180_001, 20_000),
    ];
    const guest = bench.guest({ name: 'mixed', sectors: 210_000, table: 'mbr', partitions });
    await judged(guest, { 1: 128, 2: 70_016, 3: 100_096, 4: 180_096 }, 'align');
  });

  it('ext2, ext3 and swap to 1 MiB', async () => {
    const partitions = [
      part(1, 'ext2', 63, 30_000),
      part(2, 'ext3', 40_001, 40_000),
      part(3, 'swap', 90_001, 9_999),
    ];
    const guest = bench.guest({ name: 'linux', sectors: 110_000, table: 'mbr', partitions });
    await judged(guest, { 1: 2048, 2: 40_960, 3: 90_112 }, 'align', '--boundary', '1M');
  });

  it('a primary partition and two logicals, pushed by each other', () =>
    judged(logicalsGuest(), { 1: 128, 2: 80_512, 5: 80_640, 6: 144_768 }, 'align'));

  it('logicals to 1 MiB', () =>
    judged(logicalsGuest(), { 1: 2048, 2: 83_968, 5: 86_016, 6: 149_504 }, 'align', '--boundary', '1M'));

  it('a GPT with slots 1 and 3', () =>
    judged(gptGuest(), { 1: 4096, 3: 100_352 }, 'align', '--boundary', '1M'));

  it('partitions that must stay: --do-not-align', () =>
    judged(gptGuest(), { 3: 100_096 }, 'align', '--do-not-align', '1'));

  it('cylinder boundaries: --cylinders', async () => {
    const partitions = [part(1, 'ntfs', 2048, 60_000), part(2, 'ext4', 81_920, 60_000)];
    const guest = bench.guest({ name: 'cylinders', sectors: 200_000, table: 'mbr', partitions });
    await judged(guest, { 1: 16_065, 2: 96_390 }, 'align', '--cylinders');
  });

  it('a saved plan, carried out by move-extents', async () => {
    const guest = logicalsGuest();
    const plan = join(guest.folder, '..', 'plan.json');
    await expectCli(0, 'plan', guest.disk, '--json', '-o', plan);
    const memory = remember(guest);
    await expectCli(0, 'move-extents', guest.disk, '--plan', plan, '-y');
    judgeGuest(guest, memory, { 1: 128, 2: 80_512, 5: 80_640, 6: 144_768 });
    const error = await refusedBy(guest, 7, 'changed-since-plan', 'move-extents', '--plan', plan);
    expect(error.hint).toBeDefined();
  });
});

describe.skipIf(!rootJudge(...JUDGES))('the end of the disk in the way', () => {
  it('is refused, saying how much is missing and what would help', async () => {
    const guest = fullGuest();
    const error = await refusedBy(guest, 4, 'no-room-at-end', 'align', '--boundary', '1M');
    expect(error).toMatchObject({ message: expect.stringContaining(`${(2048 - 63) * 512} bytes`) });
    expect(error.hint).toMatch(/--grow.*shrink/);
  });

  it('grows an MBR disk with --grow', async () => {
    const guest = fullGuest();
    await judged(guest, { 1: 2048 }, 'align', '--boundary', '1M', '--grow');
    const sectors = Math.ceil((2048 + 80_262) / 2048) * 2048;
    expect(statSync(guest.extents[0] ?? '').size).toBe(sectors * 512);
    expect(readFileSync(guest.disk, 'latin1')).toContain(`RW ${sectors} FLAT`);
  });

  it('grows a GPT disk, with its backup table at the new end', async () => {
    // 160,001 is the end of partition 3; 33 sectors of backup table follow.
    const guest = gptGuest(160_034);
    await refusedBy(guest, 4, 'no-room-at-end', 'align', '--boundary', '1M');
    await judged(guest, { 1: 4096, 3: 100_352 }, 'align', '--boundary', '1M', '--grow');
  });
});

describe.skipIf(!rootJudge(...JUDGES))('--dry-run', () => {
  it('rehearses the whole run, says what it would do, and changes nothing', async () => {
    const guest = logicalsGuest();
    const print = printOf(guest.folder);
    const { stdout } = await expectCli(0, 'align', guest.disk, '--dry-run', '--json');
    expect(printOf(guest.folder)).toBe(print);
    expect(existsSync(`${guest.disk}.vmreclaim`)).toBe(false);
    const result = JSON.parse(stdout) as {
      status: string;
      bytesCopied: number;
      after: { partitions: { startLba: number }[] };
    };
    expect(result.status).toBe('dry-run');
    expect(result.bytesCopied).toBeGreaterThan(10e6);
    expect(result.after.partitions.map(({ startLba }) => startLba)).toEqual([128, 80_512, 80_640, 144_768]);
  });
});
