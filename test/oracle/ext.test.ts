import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, closeSync, openSync, readdirSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { expectCli } from '../support/cli.js';
import type { Guest } from '../support/guests.js';
import { rootJudge, run } from '../support/judges.js';
import { inMount, listVolume } from '../support/mounts.js';
import { JUDGES, judgeGuest, readTable, remember } from '../support/verdicts.js';
import { SECTOR, type VolumeKind } from '../support/volumes.js';
import { printOf, Workbench } from '../support/workbench.js';
import { freeIn, refusedBy } from './judged.js';

const bench = new Workbench();
afterAll(() => bench.remove());

/** Sectors of a MiB. */
const MIB = 2048;
const TOOLS = ['resize2fs', 'e2fsck', 'debugfs', 'nbdfuse', 'fusermount3', 'setpriv', 'unshare'];
const START = 63;
const SMALLER = ['shrink', '--size', '1=30M'] as const;
/** Where that puts the two partitions, and the size of the first. */
const STARTS = { 1: 128, 2: 30 * MIB + 128 };
const SIZES = { 1: 30 * MIB };

type Kind = readonly [VolumeKind, readonly string[]];

/** Files lie at the end of the volume: the room in front of them was taken while they were written. */
const volumeOf = ([kind, mke2fs]: Kind) =>
  bench.volume(kind, { sectors: 48 * MIB, mke2fs, contentBytes: 3 << 20, fillerBytes: 28 << 20 });

/** An ext file system at 63, and something behind it that has to move. */
function guestOf(kind: Kind): Guest {
  return bench.guest({
    name: 'linux',
    sectors: 60 * MIB,
    table: 'mbr',
    partitions: [
      { number: 1, start: START, volume: volumeOf(kind) },
      { number: 2, start: 49 * MIB, volume: bench.volume('opaque', { sectors: 10_000 }) },
    ],
  });
}

/** Three of them, none aligned, and something behind. */
function threeOf(table: 'mbr' | 'gpt', kinds: readonly Kind[]): Guest {
  const first = table === 'mbr' ? START : 2049;
  const volumes = kinds.map((kind, index) => ({
    number: index + 1,
    start: first + index * (48 * MIB + 3),
    volume: volumeOf(kind),
  }));
  const behind = { number: 4, start: first + 146 * MIB, volume: bench.volume('opaque', { sectors: 10_000 }) };
  const form = table === 'mbr' ? 'flat' : 'raw';
  return bench.guest({ name: 'three', sectors: 160 * MIB, table, form, partitions: [...volumes, behind] });
}

const sizesOf = (mebibytes: number) => [1, 2, 3].flatMap((number) => ['--size', `${number}=${mebibytes}M`]);

/** The sizes of the three, one behind the other from `first` on. */
function packed(first: number, mebibytes: number) {
  const starts = [0, 1, 2, 3].map((index) => [index + 1, first + index * mebibytes * MIB] as const);
  const sizes = [1, 2, 3].map((number) => [number, mebibytes * MIB] as const);
  return [Object.fromEntries(starts), Object.fromEntries(sizes)] as const;
}

/** Smaller by a third, and then larger than they were. */
async function thereAndBack(guest: Guest, first: number): Promise<void> {
  for (const [command, mebibytes] of [
    ['shrink', 30],
    ['enlarge', 55],
  ] as const) {
    const memory = remember(guest);
    await expectCli(0, command, guest.disk, ...sizesOf(mebibytes), '-y');
    judgeGuest(guest, memory, ...packed(first, mebibytes));
  }
}

const PLAIN: Kind = ['ext4', ['-b', '4096']];
const flatOf = ({ extents }: Guest): string => extents[0] ?? '';

function debugfs(guest: Guest, ...commands: string[]): void {
  for (const command of commands) {
    run('debugfs', ['-w', '-R', command, `${flatOf(guest)}?offset=${START * SECTOR}`]);
  }
}

/** A file that has blocks of 4 KiB behind so many MiB; undefined when the kernel put none there. */
function fileBehind(guest: Guest, mebibytes: number): string | undefined {
  const isBehind = (file: string) =>
    run('debugfs', ['-R', `blocks ${file}`, `${flatOf(guest)}?offset=${START * SECTOR}`])
      .split(/\s+/)
      .some((block) => Number(block) >= mebibytes * 256);
  const pages = [120, 110, 100, 90, 80, 60, 40].map((page) => `srv/www/page-${page}`);
  return ['large', 'srv/www/deep/er/data', ...pages].find(isBehind);
}

/** An ext2 with such a file. The kernel starts looking for room at a place that it takes from the number of the process. */
function guestWithFileBehind(mebibytes: number): { guest: Guest; file: string } {
  for (let attempt = 0; attempt < 12; attempt++) {
    const guest = guestOf(['ext2', ['-b', '4096', '-L', `try-${attempt}`]]);
    const file = fileBehind(guest, mebibytes);
    if (file !== undefined) return { guest, file };
    bench.drop(guest);
  }
  throw new Error('no file lies where it would have to be moved');
}

function poke(guest: Guest, at: number, bytes: Uint8Array): void {
  const file = openSync(flatOf(guest), 'r+');
  writeSync(file, bytes, 0, bytes.length, at);
  closeSync(file);
}

describe.skipIf(!rootJudge(...JUDGES, ...TOOLS))('ext, resized by e2fsprogs, judged by outside tools', () => {
  it('ext2; ext3 and ext4 with blocks of 1 KiB, 64bit, checksums: smaller, aligned, packed; then larger', {
    timeout: 300_000,
  }, async () => {
    const guest = threeOf('mbr', [
      ['ext2', ['-b', '4096']],
      ['ext3', ['-b', '1024']],
      ['ext4', ['-b', '1024', '-O', '64bit,metadata_csum']],
    ]);
    await thereAndBack(guest, 128);
  });

  it('ext4 as it comes; in many groups without resize_inode, flex_bg, checksums: the same on a GPT, then as small as can be', {
    timeout: 300_000,
  }, async () => {
    const guest = threeOf('gpt', [
      ['ext4', []],
      ['ext4', ['-b', '4096', '-g', '2048', '-O', '^resize_inode,^flex_bg']],
      ['ext4', ['-b', '4096', '-g', '2048', '-O', '^metadata_csum,^64bit,uninit_bg']],
    ]);
    await thereAndBack(guest, 2176);
    const memory = remember(guest);
    await expectCli(0, 'shrink', guest.disk, '--min', '-y');
    const found = readTable(guest.disk);
    const starts = Object.fromEntries(found.map(({ number, start }) => [number, start]));
    const sizes = Object.fromEntries(found.slice(0, 3).map(({ number, size }) => [number, size]));
    for (const size of Object.values(sizes)) expect(size).toBeLessThan(45 * MIB);
    judgeGuest(guest, memory, starts, sizes);
  });

  it('--free counts what bitmaps and tables of inodes grow by', async () => {
    const guest = guestOf(PLAIN);
    await expectCli(0, 'enlarge', guest.disk, '--free', '400M', '-y');
    const free = await freeIn(guest, 1);
    expect(free).toBeGreaterThanOrEqual(400 << 20);
    expect(free).toBeLessThan(420 << 20);
  });

  it('what cannot be done is refused, with every byte as it was', async () => {
    const guest = guestOf(PLAIN);
    await refusedBy(guest, 4, 'below-minimum', 'shrink', '--size', '1=5M');
    const big = guestOf(['ext4', ['-O', 'bigalloc']]);
    await refusedBy(big, 4, 'ext-bigalloc', ...SMALLER);
    await refusedBy(big, 4, 'ext-bigalloc', 'enlarge', '--size', '1=60M');
    // Somebody has it mounted, or had: e2fsck would wait.
    const mounted = guestOf(['ext4', ['-b', '4096', '-O', 'mmp']]);
    const said = run('dumpe2fs', ['-h', `${flatOf(mounted)}?offset=${START * SECTOR}`]);
    const block = Number(/MMP block number:\s+(\d+)/.exec(said)?.[1]);
    const at = START * SECTOR + block * 4096 + 4;
    run('dd', [`of=${flatOf(mounted)}`, 'conv=notrunc', 'bs=1', `seek=${at}`, 'status=none'], {
      input: '\x11',
    });
    await refusedBy(mounted, 4, 'ext-mounted', ...SMALLER);
    // A journal on another device: e2fsck would look for it on this host, also for a plan.
    for (const field of ['journal_inum 0', 'journal_dev 0x0700']) {
      const outside = guestOf(PLAIN);
      debugfs(outside, `ssv ${field}`);
      await refusedBy(outside, 4, 'ext-external-journal', ...SMALLER, '--repair');
    }
  });

  it('a file system with errors, or a journal to be replayed, needs --repair', async () => {
    const guest = guestOf(PLAIN);
    debugfs(guest, 'feature needs_recovery');
    expect(await refusedBy(guest, 4, 'ext-needs-recovery', ...SMALLER)).toMatchObject({
      hint: expect.stringContaining('--repair'),
    });
    debugfs(guest, 'feature -needs_recovery', 'ssv state 3');
    expect(await refusedBy(guest, 4, 'ext-dirty', ...SMALLER)).toMatchObject({
      hint: expect.stringContaining('--repair'),
    });
    // The superblock calls it clean: only e2fsck sees that a count is wrong.
    const miscount = ['set_bg 0 free_blocks_count 1', 'set_bg 0 checksum calc'];
    debugfs(guest, 'ssv state 1', ...miscount);
    await refusedBy(guest, 4, 'ext-needs-repair', ...SMALLER);
    debugfs(guest, 'ssv state 3');
    const memory = remember(guest);
    const { stdout } = await expectCli(0, ...SMALLER, guest.disk, '--repair', '-y', '--json');
    expect(JSON.parse(stdout).fixups).toContainEqual(
      expect.objectContaining({ kind: 'repaired', partition: 1 }),
    );
    judgeGuest(guest, memory, STARTS, SIZES);
  });

  it('a boot loader whose second part would be moved, or may be, is refused', async () => {
    const { guest, file } = guestWithFileBehind(30);
    debugfs(guest, `ln ${file} somewhere.sys`, `unlink ${file}`);
    poke(guest, START * SECTOR + 3, Buffer.from('EXTLINUX'));
    await refusedBy(guest, 4, 'boot-loader-lost', ...SMALLER);
    debugfs(guest, 'ln somewhere.sys ldlinux.sys', 'unlink somewhere.sys');
    await refusedBy(guest, 4, 'boot-loader-lost', ...SMALLER);
    poke(guest, START * SECTOR + 3, new Uint8Array(8));
    poke(guest, 0, grub2At(START + 40 * MIB));
    await refusedBy(guest, 4, 'boot-loader-lost', ...SMALLER);
  });

  it('missing programs are named with their packages before anything is touched', async () => {
    const guest = guestOf(PLAIN);
    const print = printOf(guest.folder);
    const hide = 'mount --bind /dev/null /usr/sbin/resize2fs; mount --bind /dev/null /usr/bin/nbdfuse';
    const { status, stderr } = inNamespace(hide, guest);
    expect(status, stderr).toBe(4);
    expect(stderr).toMatch(/resize2fs, nbdfuse missing.*e2fsprogs.*libnbd-bin.*Debian/s);
    expect(printOf(guest.folder)).toBe(print);
  });

  it.each([
    ['is killed half-way', 'head -c 8M /dev/urandom | dd of="$1" bs=1M conv=notrunc status=none; kill -9 $$'],
    ['breaks the file system', 'head -c 300K /dev/zero | dd of="$1" bs=1K seek=1 conv=notrunc status=none'],
  ])('a resize2fs that %s leaves the disk as it was', (_name, script) => {
    const guest = guestOf(PLAIN);
    const print = printOf(guest.folder);
    const bin = bench.newFolder();
    const real = run('bash', ['-c', 'type -P resize2fs']).trim();
    const text = `#!/bin/bash\nif [ "$1" = -P ]; then exec ${real} "$@"; fi\n${script}\n`;
    writeFileSync(join(bin, 'resize2fs'), text, { mode: 0o755 });
    const { status, stderr } = inNamespace(`PATH=${bin}:$PATH`, guest);
    expect(stderr).toContain('tool-failed');
    expect(status).toBe(4);
    expect(printOf(guest.folder)).toBe(print);
  });

  it('files of 60 MiB are moved within 100 MiB of memory, and without room for them nothing is changed', async () => {
    const made = bench.volume('ext4', { sectors: 200 * MIB, mke2fs: ['-b', '4096', '-m', '0'] });
    inMount('ext', made.path, 'rw', FILL_THE_END);
    const volume = { ...made, listing: listVolume('ext', made.path) };
    const partitions = [{ number: 1, start: 128, volume }];
    const guest = bench.guest({ name: 'large', sectors: 210 * MIB, table: 'mbr', partitions });
    const print = printOf(guest.folder);
    const folder = bench.newFolder();
    const small = inNamespace(
      `mount -t tmpfs -o size=20M none ${folder}; export TMPDIR=${folder}`,
      guest,
      100,
    );
    expect(small.stderr).toContain('no-space');
    expect(small.status).toBe(6);
    expect(printOf(guest.folder)).toBe(print);
    const memory = remember(guest);
    const { stdout } = await expectCli(0, 'shrink', guest.disk, '--size', '1=100M', '-y', '--json');
    const { peakMemoryBytes, bytesWritten } = JSON.parse(stdout) as Record<string, number>;
    expect(bytesWritten).toBeGreaterThan(40 << 20);
    expect(peakMemoryBytes).toBeLessThan(100 << 20);
    judgeGuest(guest, memory, { 1: 128 }, { 1: 100 * MIB });
  });

  it('an ordinary user can do it where /dev/fuse may be opened', () => {
    const guest = guestOf(PLAIN);
    for (const path of [bench.folder, join(guest.folder, '..'), guest.folder]) chmodSync(path, 0o777);
    for (const name of readdirSync(guest.folder)) chownSync(join(guest.folder, name), NOBODY, NOBODY);
    const memory = remember(guest);
    const folder = bench.newFolder();
    const fuse = `mount -t tmpfs -o dev none ${folder}; mknod -m 666 ${folder}/fuse c 10 229; mount --bind ${folder}/fuse /dev/fuse`;
    const user = ['setpriv', '--reuid', `${NOBODY}`, '--regid', `${NOBODY}`, '--clear-groups'];
    const { status, stderr } = inNamespace(fuse, guest, 30, user);
    expect(status, stderr).toBe(0);
    console.log(`ext: resized through nbdfuse, as uid ${process.getuid?.()} and as uid ${NOBODY}`);
    judgeGuest(guest, memory, STARTS, SIZES);
  });
});

/** 60 MiB that lie behind 100 MiB: everything in front of them is taken meanwhile. */
const FILL_THE_END = `
  for i in $(seq 1 15); do fallocate -l 10M taken-$i; done
  for file in taken-*; do
    first=$(filefrag -v $file | awk '/^ +0:/ { print $4 + 0 }')
    if [ $first -ge 25600 ]; then rm $file; fi
  done
  sync -f .
  head -c 60M /dev/urandom > large
  sync -f .
  rm taken-*
`;
const NOBODY = 65534;
const BIN = fileURLToPath(new URL('../../bin/vmreclaim.js', import.meta.url));

/** The first sector of GRUB 2 that loads one sector from there, as far as it is looked at. */
function grub2At(sector: number): Uint8Array {
  const bytes = Buffer.alloc(440);
  bytes.writeUInt16LE(0x8000, 0x5a);
  bytes.writeBigUInt64LE(BigInt(sector), 0x5c);
  bytes.write('GRUB ', 0x188);
  return bytes;
}

/** Shrinks the first partition of a guest where `prepare`, a line of bash, has changed what is mounted, or the environment. */
function inNamespace(prepare: string, { disk }: Guest, mebibytes = 30, user: readonly string[] = []) {
  const command = [process.execPath, BIN, 'shrink', disk, '--size', `1=${mebibytes}M`, '-y', '--json'];
  const args = ['-m', 'bash', '-ec', `${prepare}; exec "$@"`, 'prepared', ...user, ...command];
  return spawnSync('unshare', args, { encoding: 'utf8' });
}
