import { closeSync, openSync, readFileSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { expectCli } from '../support/cli.js';
import type { DiskForm, Guest } from '../support/guests.js';
import { rootJudge } from '../support/judges.js';
import { JUDGES, judgeGuest, remember } from '../support/verdicts.js';
import type { VolumeKind } from '../support/volumes.js';
import { printOf, Workbench } from '../support/workbench.js';
import { freeIn, judgedResize, refusedBy } from './judged.js';

const bench = new Workbench();
afterAll(() => bench.remove());

/** Sectors of a MiB. */
const MIB = 2048;

const part = (number: number, kind: VolumeKind, start: number, sectors: number, clusterBytes = 4096) =>
  bench.partition(number, kind, start, sectors, { clusterBytes });

/** NTFS at 63 with a swap partition and another NTFS volume behind it, and room at the end. */
const mbrGuest = (form: DiskForm = 'flat') =>
  bench.guest({
    name: 'disk',
    form,
    sectors: 400 * MIB,
    table: 'mbr',
    partitions: [
      part(1, 'ntfs', 63, 200 * MIB),
      part(2, 'swap', 201 * MIB, 20 * MIB),
      part(3, 'ntfs', 230 * MIB, 80 * MIB, 512),
    ],
  });

/** What Windows makes: EFI system, reserved, C:, and a recovery partition that sits behind C:. */
const windowsGuest = () =>
  bench.guest({
    name: 'windows',
    sectors: 300 * MIB,
    table: 'gpt',
    partitions: [
      part(1, 'fat32', MIB, 40 * MIB),
      part(2, 'opaque', 41 * MIB, 16 * MIB),
      part(3, 'ntfs', 57 * MIB, 180 * MIB),
      part(4, 'ntfs', 237 * MIB, 60 * MIB),
    ],
  });

/** Two logicals, of which the first shrinks. */
const logicalsGuest = () =>
  bench.guest({
    name: 'logicals',
    sectors: 300 * MIB,
    table: 'mbr',
    partitions: [
      part(1, 'ntfs', 63, 80_262),
      part(5, 'ntfs', 80_388, 240_000),
      part(6, 'opaque', 330_063, 40_001),
    ],
    extended: { number: 2, start: 80_325, sectors: 300_000 },
  });

const sizeOf = ({ extents }: Guest) => statSync(extents[0] ?? '').size;

describe.skipIf(!rootJudge(...JUDGES))('shrink, judged by outside tools', () => {
  it('two NTFS volumes shrunk, packed and aligned, the disk cut', async () => {
    const guest = mbrGuest();
    const starts = { 1: 128, 2: 60 * MIB + 128, 3: 80 * MIB + 128 };
    await judgedResize(
      guest,
      starts,
      { 1: 60 * MIB, 3: 50 * MIB },
      'shrink',
      '--size',
      '1=60M',
      '--size',
      '3=50M',
    );
    expect(sizeOf(guest)).toBe(131 << 20);
    expect(readFileSync(guest.disk, 'latin1')).toContain(`RW ${131 * MIB} FLAT`);
  });

  it('C: with a recovery partition behind it that moves left; the backup GPT ends up at the new end', async () => {
    const guest = windowsGuest();
    await judgedResize(guest, { 4: 137 * MIB }, { 3: 80 * MIB }, 'shrink', '--size', '3=80M');
    expect(sizeOf(guest)).toBe(198 << 20);
  });

  it('a logical partition shrinks, its neighbour and the extended partition follow', async () => {
    const guest = logicalsGuest();
    const starts = { 1: 128, 2: 80_390, 5: 80_512, 6: 203_520 };
    await judgedResize(guest, starts, { 5: 60 * MIB }, 'shrink', '--size', '5=60M');
    expect(sizeOf(guest)).toBe(119 << 20);
  });

  it('a split disk loses its last extent files', async () => {
    const guest = mbrGuest('split');
    const starts = { 1: 128, 2: 60 * MIB + 128, 3: 80 * MIB + 128 };
    await judgedResize(
      guest,
      starts,
      { 1: 60 * MIB, 3: 50 * MIB },
      'shrink',
      '--size',
      '1=60M',
      '--size',
      '3=50M',
    );
  });

  it('a bare image, with slack at its end', async () => {
    const guest = mbrGuest('raw');
    const command = ['shrink', '--size', '1=60M', '--size', '3=50M', '--disk-size', '200M'];
    await judgedResize(
      guest,
      { 1: 128, 2: 60 * MIB + 128, 3: 80 * MIB + 128 },
      { 1: 60 * MIB, 3: 50 * MIB },
      ...command,
    );
    expect(sizeOf(guest)).toBe(200 << 20);
  });

  it('one smaller, another larger, in the same run', async () => {
    const guest = mbrGuest();
    const starts = { 1: 128, 2: 60 * MIB + 128, 3: 80 * MIB + 128 };
    const command = ['shrink', '--size', '1=60M', '--size', '3=120M'];
    await judgedResize(guest, starts, { 1: 60 * MIB, 3: 120 * MIB }, ...command);
    expect(sizeOf(guest)).toBe(201 << 20);
  });

  it('as a plan that is saved and carried out by move-extents', async () => {
    const guest = mbrGuest();
    const plan = join(guest.folder, '..', 'shrink.json');
    await expectCli(0, 'plan', guest.disk, '--size', '1=60M', '--json', '-o', plan);
    const memory = remember(guest);
    await expectCli(0, 'move-extents', guest.disk, '--plan', plan, '-y');
    judgeGuest(guest, memory, { 1: 128, 2: 60 * MIB + 128, 3: 80 * MIB + 128 }, { 1: 60 * MIB });
  });

  it('a dry run rehearses the whole and changes nothing', async () => {
    const guest = mbrGuest();
    const print = printOf(guest.folder);
    const { stdout } = await expectCli(0, 'shrink', guest.disk, '--size', '1=60M', '-n', '--json');
    expect(printOf(guest.folder)).toBe(print);
    const { status, savedBytes } = JSON.parse(stdout) as Record<string, unknown>;
    expect({ status, savedBytes }).toEqual({ status: 'dry-run', savedBytes: 239 << 20 });
  });
});

describe.skipIf(!rootJudge(...JUDGES))('enlarge, judged by outside tools', () => {
  it('C: grows, what is behind it moves right, the disk grows', async () => {
    const guest = windowsGuest();
    await judgedResize(guest, { 4: 357 * MIB }, { 3: 300 * MIB }, 'enlarge', '--size', '3=300M');
    expect(sizeOf(guest)).toBe(418 << 20);
  });

  it('--disk-size gives the new room to the partition named; written zeros with --allocate full', async () => {
    const guest = mbrGuest();
    const command = ['enlarge', '--disk-size', '500M', '--partition', '3', '--allocate', 'full'];
    const memory = remember(guest);
    await expectCli(0, ...command, guest.disk, '-y');
    expect(statSync(guest.extents[0] ?? '').blocks * 512).toBeGreaterThan(100 << 20);
    judgeGuest(guest, { ...memory, allocatedBytes: 500 << 20 }, {}, { 3: 270 * MIB });
  });

  it('--free counts what $Bitmap grows by', async () => {
    const guest = mbrGuest('raw');
    await expectCli(0, 'enlarge', guest.disk, '--free', '900M', '--partition', '3', '-y');
    const free = await freeIn(guest, 3);
    expect(free).toBeGreaterThanOrEqual(900 << 20);
    expect(free).toBeLessThan(902 << 20);
    const again = await expectCli(0, 'enlarge', guest.disk, '--free', '900M', '--partition', '3', '--json');
    expect(JSON.parse(again.stdout).status).toBe('nothing-to-do');
  });

  it('a split disk grows in its last extent file', async () => {
    const guest = mbrGuest('split');
    await refusedBy(guest, 4, 'split-extent-full', 'enlarge', '--size', '3=4G');
    await judgedResize(guest, {}, { 3: 200 * MIB }, 'enlarge', '--size', '3=200M');
  });

  it('shrunk and enlarged back', async () => {
    const guest = mbrGuest();
    await judgedResize(
      guest,
      { 1: 128, 2: 60 * MIB + 128, 3: 80 * MIB + 128 },
      { 1: 60 * MIB },
      'shrink',
      '--size',
      '1=60M',
    );
    const starts = { 2: 200 * MIB + 128, 3: 220 * MIB + 128 };
    await judgedResize(guest, starts, { 1: 200 * MIB }, 'enlarge', '--size', '1=200M');
  });
});

describe.skipIf(!rootJudge(...JUDGES))('what shrink says and refuses', () => {
  it('data in unallocated space is reported before it is cut off', async () => {
    const guest = mbrGuest('raw');
    const clean = await expectCli(0, 'plan', guest.disk, '--size', '1=60M', '--json');
    expect(clean.stdout).not.toContain('unallocated-not-zero');
    const file = openSync(guest.disk, 'r+');
    writeSync(file, Buffer.from('somebody wants this back'), 0, 24, 390 * MIB * 512);
    closeSync(file);
    const { stdout } = await expectCli(0, 'plan', guest.disk, '--size', '1=60M', '--json');
    const { warnings } = JSON.parse(stdout) as { warnings: { code: string; message: string }[] };
    const found = warnings.find(({ code }) => code === 'unallocated-not-zero');
    expect(found?.message).toContain(`byte ${390 * MIB * 512} of the disk`);
  });

  it('sizes that cannot be, and what holds them back', async () => {
    const guest = mbrGuest();
    const below = await refusedBy(guest, 4, 'below-minimum', 'shrink', '--size', '1=1M');
    expect(below.hint).toContain('--min');
    await refusedBy(guest, 4, 'cannot-resize', 'shrink', '--size', '2=10M');
    await refusedBy(guest, 4, 'disk-size-too-small', 'shrink', '--size', '1=60M', '--disk-size', '100M');
    await refusedBy(guest, 2, 'disk-size', 'shrink', '--size', '1=60M', '--disk-size', '1G');
    await refusedBy(guest, 2, 'size-without-number', 'shrink', '--size', '60M');
    await refusedBy(guest, 2, 'no-such-partition', 'shrink', '--size', '7=60M');
    await refusedBy(guest, 2, 'which-partition', 'enlarge', '--disk-size', '1G');
  });

  it('the deep scan proves a smallest size, which shrink then reaches', async () => {
    const guest = mbrGuest();
    const { stdout } = await expectCli(0, 'scan', '--deep', guest.disk, '--json');
    const [disk] = (JSON.parse(stdout) as { disks: { partitions: { deep?: Deep }[] }[] }).disks;
    const deep = disk?.partitions[0]?.deep;
    expect(deep?.findings).toEqual([]);
    const least = Math.ceil((deep?.technicalMinimumBytes ?? 0) / 65536) * 65536;
    expect(least).toBeGreaterThan(4 << 20);
    await expectCli(0, 'shrink', guest.disk, '--size', `1=${least}`, '-y');
    await refusedBy(guest, 4, 'below-minimum', 'shrink', '--size', `1=${least - (2 << 20)}`);
  });
});

interface Deep {
  readonly findings: readonly unknown[];
  readonly technicalMinimumBytes: number;
}
