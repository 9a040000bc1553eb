import { cpSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { type ByteRange, clipRanges, complement, mergeRanges } from '../../src/core/range.js';
import type { RunResult } from '../../src/report/run-result.js';
import { expectCli, runCli } from '../support/cli.js';
import { cutOut, type Guest, putVolume } from '../support/guests.js';
import { rootJudge, run } from '../support/judges.js';
import { inMount } from '../support/mounts.js';
import { fill, flatOf, UNUSED_JUDGES, unusedOf } from '../support/unused.js';
import { JUDGES, judgeGuest, remember } from '../support/verdicts.js';
import { SECTOR, type VolumeKind } from '../support/volumes.js';
import { printOf, Workbench } from '../support/workbench.js';
import { killWhen } from './killer.js';

const bench = new Workbench();
afterAll(() => bench.remove());

const part = (number: number, kind: VolumeKind, start: number, sectors: number) =>
  bench.partition(number, kind, start, sectors, { contentBytes: 3 << 20 });

/** NTFS, ext4 and swap, gaps of odd sizes between and behind them, two logicals. */
const mbrGuest = (): Guest =>
  bench.guest({
    name: 'mbr',
    sectors: 520_000,
    table: 'mbr',
    partitions: [
      part(1, 'ntfs', 2048, 120_000),
      part(3, 'swap', 130_001, 20_480),
      part(5, 'ext4', 163_967, 100_000),
      part(6, 'ext2', 270_101, 90_000),
    ],
    extended: { number: 4, start: 163_904, sectors: 336_000 },
  });

const gptGuest = (): Guest =>
  bench.guest({
    name: 'gpt',
    form: 'raw',
    sectors: 300_000,
    table: 'gpt',
    partitions: [
      part(1, 'fat32', 2048, 70_000),
      part(2, 'ext3', 80_000, 90_000),
      part(4, 'ntfs', 180_001, 100_000),
    ],
  });

/** All of them: what is in them is judged by its files, since their free space changes. */
const startsOf = ({ partitions, extended }: Guest) =>
  Object.fromEntries(
    [...partitions, ...(extended === undefined ? [] : [extended])].map(({ number, start }) => [
      number,
      start,
    ]),
  );
const allocated = (guest: Guest): number => statSync(flatOf(guest)).blocks * 512;

/** Clears, and compares every byte of the disk with what it was, unused stretches as zeros. */
async function zeroed(guest: Guest, unused: readonly ByteRange[], ...options: string[]): Promise<RunResult> {
  const expected = join(guest.folder, '..', 'expected');
  cpSync(flatOf(guest), expected);
  fill(expected, unused, 'zeros');
  const memory = remember(guest);
  const result = await expectCli(0, 'zero', guest.disk, '-y', '--json', ...options);
  run('cmp', [expected, flatOf(guest)]);
  rmSync(expected);
  judgeGuest(guest, memory, startsOf(guest));
  expect(allocated(guest)).toBeLessThanOrEqual(memory.allocatedBytes);
  return JSON.parse(result.stdout) as RunResult;
}

const sum = (ranges: readonly ByteRange[]): number => ranges.reduce((total, { length }) => total + length, 0);

describe.skipIf(!rootJudge(...JUDGES, ...UNUSED_JUDGES))('zero', () => {
  it.each([
    ['an MBR disk with logicals', mbrGuest],
    ['a GPT disk', gptGuest],
  ])('of %s clears every unused byte and no other, and gives the blocks back', async (_, make) => {
    const guest = make();
    const unused = unusedOf(guest);
    fill(flatOf(guest), unused, 'noise');
    const before = allocated(guest);
    const result = await zeroed(guest, unused);
    expect(result).toMatchObject({ status: 'done', verified: true, bytesCopied: 0, bytesWritten: 0 });
    expect(result.bytesDiscarded).toBe(sum(unused));
    expect(before - allocated(guest)).toBeGreaterThan(0.9 * sum(unused));
    const again = await expectCli(0, 'zero', guest.disk, '-y', '--json');
    expect(JSON.parse(again.stdout)).toMatchObject({ status: 'nothing-to-do', runId: null });
  });

  it('writes zeros with --no-punch, and still fills no hole', async () => {
    const guest = mbrGuest();
    const unused = unusedOf(guest);
    const noisy = unused.filter((_, index) => index % 2 === 0);
    fill(flatOf(guest), noisy, 'noise');
    const before = allocated(guest);
    thinOnVmfs(guest);
    const { warnings } = await zeroed(guest, unused, '--no-punch');
    expect(warnings.map(({ code }) => code)).toContain('vmfs-thin');
    expect(allocated(guest)).toBe(before);
  });

  it('clears only gaps with --gaps-only, only partitions with --partition', async () => {
    const guest = mbrGuest();
    const unused = unusedOf(guest);
    fill(flatOf(guest), unused, 'noise');
    const isIn =
      (number: number) =>
      ({ at }: ByteRange): boolean => {
        const found = guest.partitions.find((each) => each.number === number);
        const start = (found?.start ?? 0) * SECTOR;
        return at >= start && at < start + (found?.volume.sectors ?? 0) * SECTOR;
      };
    // A free stretch that ends with its partition is one with the gap behind it: so by partition.
    const second = cutRanges(unused, guest, 5);
    expect(second.some(isIn(5))).toBe(true);
    await zeroed(guest, second, '--partition', '5');
    const inside = guest.partitions.flatMap(({ number }) => cutRanges(unused, guest, number));
    const gaps = without(unused, inside);
    const { zero } = await zeroed(guest, gaps, '--gaps-only');
    expect(zero?.areas.map(({ kind }) => kind)).toEqual(['gaps']);
  });

  it('clears swap and page files when it is told to', async () => {
    const guest = windowsGuest();
    const [ntfs, swap] = [guest.partitions[0], guest.partitions[1]];
    if (ntfs === undefined || swap === undefined) throw new Error('two partitions');
    const content = { at: swap.start * SECTOR + 4096, length: swap.volume.sectors * SECTOR - 4096 };
    fill(flatOf(guest), [content], 'noise');
    const { stdout } = await expectCli(0, 'zero', guest.disk, '-y', '--json', '--swap', '--pagefile');
    const { zero } = JSON.parse(stdout) as RunResult;
    expect(zero?.areas.map(({ kind, number }) => [kind, number])).toEqual([
      ['free', 1],
      ['pagefile', 1],
      ['swap', 2],
      ['gaps', null],
    ]);
    const flat = readFileSync(flatOf(guest));
    expect(flat.subarray(content.at, content.at + content.length).every((byte) => byte === 0)).toBe(true);
    const cut = (index: 0 | 1) => {
      const { start, volume } = index === 0 ? ntfs : swap;
      return cutOut(flatOf(guest), start, volume.sectors, join(guest.folder, '..', 'cut'));
    };
    expect(run('blkid', ['-p', cut(1)])).toContain('TYPE="swap"');
    const listing = inMount(
      'ntfs',
      cut(0),
      'ro',
      'tr -d "\\0" < pagefile.sys | wc -c; stat -c %s pagefile.sys; sha256sum other',
    );
    const [rest, size, hash] = listing.trim().split('\n');
    expect([rest, size]).toEqual(['0', `${9_000_000}`]);
    expect(hash).toBe(otherHash);
  });

  it('does the same without native calls', async () => {
    const guest = gptGuest();
    const unused = unusedOf(guest);
    fill(flatOf(guest), unused, 'noise');
    vi.stubEnv('VMRECLAIM_NATIVE', 'off');
    try {
      await zeroed(guest, unused);
    } finally {
      vi.unstubAllEnvs();
    }
  });

  it('clears a split disk whose extents end anywhere', async () => {
    const { partitions } = gptGuest();
    const wish = { name: 'split', form: 'split', sectors: 300_000, table: 'gpt', partitions } as const;
    const guest = bench.guest(wish);
    const whole = join(bench.newFolder(), 'whole');
    run('qemu-img', ['convert', '-f', 'vmdk', '-O', 'raw', guest.disk, whole]);
    const unused = unusedOf({ ...guest, form: 'raw', disk: whole, extents: [whole] });
    fill(whole, unused, 'noise');
    let at = 0;
    for (const extent of guest.extents) {
      const { size } = statSync(extent);
      run('dd', [
        `if=${whole}`,
        `of=${extent}`,
        'conv=notrunc',
        'iflag=skip_bytes,count_bytes',
        'bs=1M',
        `skip=${at}`,
        `count=${size}`,
        'status=none',
      ]);
      at += size;
    }
    fill(whole, unused, 'zeros');
    const memory = remember(guest);
    await expectCli(0, 'zero', guest.disk, '-y');
    judgeGuest(guest, memory, startsOf(guest));
    const after = join(bench.newFolder(), 'after');
    run('qemu-img', ['convert', '-f', 'vmdk', '-O', 'raw', guest.disk, after]);
    run('cmp', [whole, after]);
  });

  it('can be dropped half-way: what is in use never changed', async () => {
    const guest = mbrGuest();
    const unused = unusedOf(guest);
    fill(flatOf(guest), unused, 'noise');
    const memory = remember(guest);
    const expected = join(bench.newFolder(), 'expected');
    cpSync(flatOf(guest), expected);
    fill(expected, unused, 'zeros');
    const isSealed = () => existsSync(join(`${guest.disk}.vmreclaim`, 'run.json'));
    await killWhen(isSealed, 'zero', guest.disk, '-y');
    expect(isSealed()).toBe(true);
    await expectCli(0, 'abandon', guest.disk);
    expect(readdirSync(guest.folder).sort()).toEqual(memory.names);
    expect(readFileSync(guest.disk, 'latin1')).toBe(memory.descriptor);
    await expectCli(0, 'zero', guest.disk, '-y');
    run('cmp', [expected, flatOf(guest)]);
  });

  it('does nothing in a dry run but say what it would clear', async () => {
    const guest = gptGuest();
    const unused = unusedOf(guest);
    fill(flatOf(guest), unused, 'noise');
    const before = printOf(guest.folder);
    const { stdout } = await expectCli(0, 'zero', guest.disk, '-n', '--json');
    const { status, bytesDiscarded } = JSON.parse(stdout) as RunResult;
    expect({ status, bytesDiscarded }).toEqual({ status: 'dry-run', bytesDiscarded: sum(unused) });
    expect(printOf(guest.folder)).toBe(before);
  });

  it('refuses a volume whose bitmap may lie, unless another one is named', async () => {
    const guest = mbrGuest();
    const [ntfs, , ext4] = guest.partitions;
    if (ntfs === undefined || ext4 === undefined) throw new Error('no partitions');
    const dirty = cutOut(flatOf(guest), ext4.start, ext4.volume.sectors, join(guest.folder, '..', 'dirty'));
    run('debugfs', ['-w', '-R', 'ssv state 0', dirty]);
    putVolume(flatOf(guest), ext4.start, dirty);
    const before = printOf(guest.folder);
    const refused = await runCli('zero', guest.disk, '-y', '--json');
    expect(refused.stderr).toContain('"not-clean"');
    expect(refused.code).toBe(4);
    expect(refused.stderr).toContain('partition 5');
    expect(printOf(guest.folder)).toBe(before);
    await expectCli(0, 'zero', guest.disk, '-y', '--partition', '1,6');
    await expectCli(4, 'zero', guest.disk, '-y', '--partition', '3');
    await expectCli(2, 'zero', guest.disk, '-y', '--partition', '4');
    await expectCli(2, 'zero', guest.disk, '-y', '--partition', '1', '--gaps-only');
  });
});

/** The descriptor as a host writes it for a thin disk. */
function thinOnVmfs({ disk }: Guest): void {
  const text = readFileSync(disk, 'utf8')
    .replace('monolithicFlat', 'vmfs')
    .replace(/ FLAT (".*") 0$/m, ' VMFS $1');
  writeFileSync(disk, `${text}ddb.thinProvisioned = "1"\n`);
}

let otherHash = '';

/** A volume with a page file full of something, among other files. */
function windowsGuest(): Guest {
  const guest = bench.guest({
    name: 'windows',
    sectors: 200_000,
    table: 'mbr',
    partitions: [part(1, 'ntfs', 2048, 120_000), part(2, 'swap', 130_048, 20_480)],
  });
  const ntfs = cutOut(flatOf(guest), 2048, 120_000, join(guest.folder, '..', 'ntfs'));
  const script =
    'head -c 9000000 /dev/urandom > pagefile.sys; head -c 300000 /dev/urandom > other; sha256sum other';
  otherHash = inMount('ntfs', ntfs, 'rw', script).trim();
  putVolume(flatOf(guest), 2048, ntfs);
  return guest;
}

/** The parts of stretches that lie in a partition. */
function cutRanges(ranges: readonly ByteRange[], guest: Guest, number: number): ByteRange[] {
  const found = guest.partitions.find((each) => each.number === number);
  if (found === undefined) throw new Error(`no partition ${number}`);
  return clipRanges(ranges, { at: found.start * SECTOR, length: found.volume.sectors * SECTOR });
}

const without = (all: readonly ByteRange[], some: readonly ByteRange[]): ByteRange[] =>
  all.flatMap((range) => complement(mergeRanges(clipRanges(some, range)), range));
