// Measures speed and memory beside the named peers, on the same images in the same run, and prints a table of ratios.
// Needs root and the Debian packages ntfs-3g, fdisk, time, zerofree, xfsprogs, btrfs-progs, openssh-server. Usage: npm run bench [-- NAME...]; NAME: align full shrink ext zero pack share scan scale report huge records sftp
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fillWithNoise, guestWithNtfs, manyDisks, noisyExt4, noisyNtfs, writeDescriptor } from './images.mjs';
import { timesInChromium } from './interactive.mjs';
import { benchPack } from './pack.mjs';
import { judgeRecordsDisk, recordsDisk } from './records.mjs';
import { benchSftp } from './sftp.mjs';
import { benchShare } from './share.mjs';

const CLI = fileURLToPath(new URL('../bin/vmreclaim.js', import.meta.url));
const ROUNDS = Number(process.env.ROUNDS ?? 3);
const folder = mkdtempSync(join(tmpdir(), 'vmreclaim-bench-'));
const rows = [];
// Not into the history of whoever runs this.
process.env.VMRECLAIM_STATE_DIR = join(folder, 'state');

/** Runs a command under GNU time; seconds of wall clock and peak resident KiB. */
function measure(command, args, options = {}) {
  const mark = '@time';
  const result = spawnSync('/usr/bin/time', ['-f', `${mark} %e %M`, command, ...args], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    ...options,
  });
  const match = /@time ([\d.]+) (\d+)/.exec(result.stderr ?? '');
  if (match === null || (result.status !== 0 && !options.anyExit)) {
    throw new Error(`${command} ${args.join(' ')}: ${result.status}\n${result.stderr}`);
  }
  return { seconds: Number(match[1]), kib: Number(match[2]), stdout: result.stdout, stderr: result.stderr };
}

const vmreclaim = (...args) => measure(process.execPath, [CLI, ...args]);
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const seconds = (value) => `${value.toFixed(2)} s`;
const mib = (kib) => `${(kib / 1024).toFixed(0)} MiB`;

function row(name, ours, peer, limit, memory) {
  rows.push({ name, ours, peer, limit, memory });
}

/** Size of the disks that are raced over. */
const RACE_MIB = 3072;
const ALIGN = (disk) => vmreclaim('align', disk, '-y', '--quiet');

/** Alternates both sides on fresh copies of the same image; compares the medians. */
function race(name, original, peerName, peer, limit, command = ALIGN) {
  const flat = join(folder, 'disk-flat.vmdk');
  const times = { ours: [], peer: [] };
  let peak = 0;
  const fresh = () => {
    spawnSync('cp', ['--sparse=always', original, flat]);
    writeDescriptor(join(folder, 'disk.vmdk'), 'disk-flat.vmdk', RACE_MIB);
    spawnSync('sync');
  };
  for (let round = 0; round < ROUNDS; round++) {
    fresh();
    const run = command(join(folder, 'disk.vmdk'));
    times.ours.push(run.seconds);
    peak = Math.max(peak, run.kib);
    fresh();
    times.peer.push(peer(flat).seconds);
  }
  const [ours, theirs] = [median(times.ours), median(times.peer)];
  const ratio = `${seconds(theirs)} ${peerName}; ratio ${(ours / theirs).toFixed(2)}`;
  row(name, seconds(ours), ratio, limit, mib(peak));
}

function sfdiskMove(...flags) {
  return (flat) =>
    measure('sfdisk', ['-q', '--no-reread', '--move-data', ...flags, '-N1', flat], { input: '128,\n' });
}

function benchAlign() {
  const original = join(folder, 'used.img');
  guestWithNtfs(original, { sizeMib: RACE_MIB, usedMib: 930, folder });
  race('align 3 GiB, NTFS 63 -> 128, 30 % used', original, 'sfdisk --move-data', sfdiskMove(), 'ratio 0.5');
  rmSync(original);
}

function benchFull() {
  const original = join(folder, 'full.img');
  fillWithNoise(original, RACE_MIB);
  const peer = sfdiskMove('--move-use-fsync');
  race('align 3 GiB, full, opaque', original, 'sfdisk --move-data --move-use-fsync', peer, 'ratio 1.5');
  rmSync(original);
}

/** Some 450 MiB of files behind the new end, and no move: only what ntfsresize does as well. */
function benchShrink() {
  const original = join(folder, 'far.img');
  const [disk, start] = [join(folder, 'disk.vmdk'), 2048];
  guestWithNtfs(original, { sizeMib: RACE_MIB, usedMib: 560, fillerMib: 1700, start, folder });
  writeDescriptor(disk, 'disk-flat.vmdk', RACE_MIB);
  const shrink = (target) => vmreclaim('shrink', target, '--size', '1=1200M', '-y', '--quiet');
  race('shrink 3 GiB to 1.2 GiB', original, 'ntfsresize -f -s', ntfsresize(start, 1200), 'ratio 1', shrink);
  writeDescriptor(disk, 'disk-flat.vmdk', RACE_MIB);
  spawnSync('cp', ['--sparse=always', original, join(folder, 'disk-flat.vmdk')]);
  const { stderr } = vmreclaim('shrink', disk, '--size', '1=1200M', '-y', '--progress', 'json');
  row('  of which', stagesOf(stderr), '-', 'reported', '');
  rmSync(original);
}

/** ext4 by the same resize2fs, once behind overlay, rehearsal and journal, once straight on the partition. */
function benchExt() {
  const original = join(folder, 'ext.img');
  noisyExt4(original, { sizeMib: RACE_MIB, usedMib: 600, noiseMib: 1200, folder });
  const shrink = (target) => vmreclaim('shrink', target, '--size', '1=1100M', '-y', '--quiet');
  const peer = (flat) =>
    withLoop(flat, 2048, (loop) =>
      measure('sh', ['-c', 'e2fsck -fp "$1" && resize2fs "$1" 1100M && sync "$1"', 'sh', loop], {
        anyExit: true,
      }),
    );
  race(
    'shrink 3 GiB ext4 to 1.1 GiB',
    original,
    'e2fsck, resize2fs on a loop device',
    peer,
    'reported',
    shrink,
  );
  rmSync(original);
}

/** Free space full of noise; ntfswipe and zerofree work on the same partition through a loop device. */
function benchZero() {
  const original = join(folder, 'noisy.img');
  const zero = (target) => vmreclaim('zero', target, '--partition', '1', '-y', '--quiet');
  const peers = [
    ['NTFS', noisyNtfs, 'ntfswipe --unused', (loop) => measure('ntfswipe', ['--unused', loop])],
    ['ext4', noisyExt4, 'zerofree', (loop) => measure('zerofree', [loop])],
  ];
  for (const [name, make, peerName, peer] of peers) {
    make(original, { sizeMib: RACE_MIB, usedMib: 600, noiseMib: 1500, folder });
    const sizes = { ours: 0, peer: 0 };
    const blocksOf = (path) => mib(statSync(path).blocks / 2);
    const timed = (who, flat, run) => {
      const result = run();
      spawnSync('sync');
      sizes[who] = blocksOf(flat);
      return result;
    };
    const flatOf = (disk) => disk.replace('.vmdk', '-flat.vmdk');
    const ours = (disk) => timed('ours', flatOf(disk), () => zero(disk));
    const theirs = (flat) => timed('peer', flat, () => withLoop(flat, 2048, peer));
    race(`zero 3 GiB ${name}, 1.5 GiB of noise in free space`, original, peerName, theirs, 'ratio 1', ours);
    row('  blocks of the file', sizes.ours, `${sizes.peer} (${blocksOf(original)} before)`, 'smaller', '');
    rmSync(original);
  }
}

const ntfsresize = (start, mib) => (flat) => {
  return withLoop(flat, start, (loop) =>
    measure('ntfsresize', ['-f', '-s', `${mib}Mi`, loop], { input: 'y\n' }),
  );
};

/** What lies behind a sector as a block device. */
function withLoop(flat, start, use) {
  const place = ['-f', '--show', '-o', `${start * 512}`, flat];
  const loop = spawnSync('losetup', place, { encoding: 'utf8' }).stdout.trim();
  try {
    return use(loop);
  } finally {
    spawnSync('losetup', ['-d', loop]);
  }
}

/** Where the time goes, from the progress events. */
function stagesOf(stderr) {
  const events = stderr.split('\n').filter((line) => line.startsWith('{"event":"progress"'));
  const totals = new Map();
  let last = { stage: 'planning', at: 0 };
  for (const { why, seconds: at } of events.map((line) => JSON.parse(line))) {
    totals.set(last.stage, (totals.get(last.stage) ?? 0) + at - last.at);
    last = { stage: why.split(':').at(-1).trim(), at };
  }
  return [...totals].map(([stage, time]) => `${stage} ${seconds(time)}`).join(', ');
}

function benchScan() {
  const disk = join(folder, 'disk.vmdk');
  guestWithNtfs(join(folder, 'disk-flat.vmdk'), { sizeMib: 40_960, usedMib: 200, folder });
  writeDescriptor(disk, 'disk-flat.vmdk', 40_960);
  const runs = Array.from({ length: 5 }, () => vmreclaim('scan', disk));
  const bare = Array.from({ length: 5 }, () => measure(process.execPath, ['-e', '0']).seconds);
  const peak = Math.max(...runs.map(({ kib }) => kib));
  const ours = median(runs.map((run) => run.seconds));
  row('scan of one 40 GiB disk', seconds(ours), `${seconds(median(bare))} bare node`, '0.4 s', mib(peak));
  benchPeerScan(join(folder, 'disk-flat.vmdk'));
  const strace = spawnSync(
    'strace',
    ['-f', '-e', 'trace=pread64,preadv,read', '-yy', process.execPath, CLI, 'scan', disk],
    {
      encoding: 'utf8',
      maxBuffer: 1 << 28,
    },
  );
  if (strace.status === 0)
    row('bytes read from that disk', mib(bytesRead(strace.stderr) / 1024), '-', 'a few MiB', '');
}

/** virt-alignment-scan, where it is installed. */
function benchPeerScan(flat) {
  if (!existsSync('/usr/bin/virt-alignment-scan')) {
    row('  beside virt-alignment-scan', '-', 'not installed here', 'reported', '');
    return;
  }
  const peer = measure('virt-alignment-scan', ['-a', flat], { anyExit: true });
  row('  beside virt-alignment-scan', '-', seconds(peer.seconds), 'reported', mib(peer.kib));
}

function bytesRead(trace) {
  let bytes = 0;
  for (const line of trace.split('\n')) {
    if (!line.includes('disk-flat.vmdk')) continue;
    bytes += Number(/ = (\d+)$/.exec(line)?.[1] ?? 0);
  }
  return bytes;
}

function benchScale() {
  for (const count of [250, 500, 1000]) {
    const target = join(folder, `many-${count}`);
    manyDisks(target, count, folder);
    const run = vmreclaim('scan', target, '--json');
    const found = JSON.parse(run.stdout).totals.disks;
    if (found !== count) throw new Error(`scan found ${found} of ${count} disks`);
    const each = ((run.seconds * 1000) / count).toFixed(1);
    row(
      `scan of ${count} disks`,
      seconds(run.seconds),
      `${each} ms a disk`,
      count === 1000 ? '10 s' : '',
      mib(run.kib),
    );
    rmSync(target, { recursive: true });
  }
}

/** A datastore of a thousand machines as HTML, and how it is in a browser. */
async function benchReport() {
  const target = join(folder, 'datastore');
  const page = join(folder, 'report.html');
  manyDisks(target, 1000, folder);
  const run = vmreclaim('report', target, '--format', 'html', '-o', page);
  row('report of 1000 disks', seconds(run.seconds), '-', '15 s', mib(run.kib));
  row('  its HTML', mib(statSync(page).size / 1024), '-', '3 MiB', '');
  if (existsSync('/usr/bin/chromium')) {
    const { ready, sort, search } = await timesInChromium(page);
    const whole = (value) => `${Math.round(value)} ms`;
    row('  ready in Chromium', whole(ready), `sort ${whole(sort)}, search ${whole(search)}`, '1 s', '');
  }
  rmSync(target, { recursive: true });
}

/** A thin disk of 16 TiB: nothing may grow with the size. */
function benchHuge() {
  const sizeMib = 16 * 1024 * 1024 - 16;
  const flat = join(folder, 'huge.img');
  spawnSync('truncate', ['-s', `${sizeMib}M`, flat]);
  const table = `label: gpt\nstart=34, size=${(sizeMib - 64) * 2048}, type=EBD0A0A2-B9E5-4433-87C0-68B6B72699C7\n`;
  spawnSync('sfdisk', ['-q', flat], { input: table });
  spawnSync('dd', [
    'if=/dev/urandom',
    `of=${flat}`,
    'bs=1M',
    'seek=1000000',
    'count=300',
    'conv=notrunc',
    'status=none',
  ]);
  const run = vmreclaim('align', flat, '-y', '--quiet');
  row('align of a thin 16 TiB disk, 300 MiB of data', seconds(run.seconds), '-', '100 MiB', mib(run.kib));
  rmSync(flat);
}

/** Volumes of many files, half of which must be relocated: time linear in their number, memory not growing with it. */
function benchRecords() {
  for (const count of (process.env.RECORDS ?? '125000,250000,500000').split(',').map(Number)) {
    const disk = join(folder, 'records.img');
    const { sizeMib } = recordsDisk(disk, count, folder);
    const each = (run) => `${((run.seconds * 1e6) / count).toFixed(0)} us a file`;
    const scan = vmreclaim('scan', disk, '--deep');
    row(`scan --deep, ${count} files`, seconds(scan.seconds), each(scan), '100 MiB', mib(scan.kib));
    const run = vmreclaim('shrink', disk, '--size', `1=${sizeMib}M`, '-y', '--quiet');
    judgeRecordsDisk(disk, folder);
    row(`shrink, ${count} files, half relocated`, seconds(run.seconds), each(run), '100 MiB', mib(run.kib));
    rmSync(disk);
  }
}

const ALL = {
  align: benchAlign,
  full: benchFull,
  shrink: benchShrink,
  ext: benchExt,
  zero: benchZero,
  pack: () => benchPack({ folder, vmreclaim, measure, row, median, seconds, mib, rounds: ROUNDS }),
  share: () => benchShare({ folder, vmreclaim, row, median, seconds, mib, rounds: ROUNDS }),
  scan: benchScan,
  scale: benchScale,
  report: benchReport,
  huge: benchHuge,
  records: benchRecords,
  sftp: () => benchSftp({ folder, vmreclaim, measure, row, median, seconds, mib, rounds: ROUNDS }),
};
const chosen = process.argv.slice(2).filter((name) => name in ALL);
try {
  for (const name of chosen.length > 0 ? chosen : Object.keys(ALL)) {
    process.stderr.write(`${name} ...\n`);
    await ALL[name]();
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.log('| what | vmreclaim | beside it | limit | peak memory |\n|---|---|---|---|---|');
for (const { name, ours, peer, limit, memory } of rows) {
  console.log(`| ${name} | ${ours} | ${peer} | ${limit} | ${memory} |`);
}
