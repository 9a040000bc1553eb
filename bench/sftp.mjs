// Remote disks: a real sshd on the loopback, beside OpenSSH's own sftp.
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { guestWithNtfs, writeDescriptor } from './images.mjs';

const PORT = 22_822;
const WIRE_PORT = PORT + 1;
const DATA_MIB = 1024;
/** Enough that the rate is one of copying: a session takes a second to begin. */
const RATE_MIB = 8192;
const ROOM_MIB = 72;

function run(command, args, options = {}) {
  const result = spawnSync(command, args, { encoding: 'utf8', ...options });
  if (result.status !== 0) throw new Error(`${command} ${args.join(' ')}: ${result.stderr}`);
  return result.stdout;
}

/** Runs `work` beside a server with keys of its own; it gets what the command needs to reach it. */
function withServer(folder, work) {
  const home = join(folder, 'ssh');
  mkdirSync(home);
  mkdirSync('/run/sshd', { recursive: true });
  const at = (name) => join(home, name);
  for (const name of ['host', 'id']) run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', at(name)]);
  const key = readFileSync(at('host.pub'), 'utf8').split(' ').slice(0, 2).join(' ');
  writeFileSync(at('known_hosts'), [PORT, WIRE_PORT].map((port) => `[127.0.0.1]:${port} ${key}\n`).join(''));
  const server = ['ListenAddress 127.0.0.1', `HostKey ${at('host')}`, `AuthorizedKeysFile ${at('id.pub')}`];
  const more = ['StrictModes no', 'UsePAM no', 'PidFile none', 'Subsystem sftp internal-sftp'];
  writeFileSync(at('sshd_config'), `${[...server, ...more].join('\n')}\n`);
  writeFileSync(at('config'), `UserKnownHostsFile ${at('known_hosts')}\nIdentityFile ${at('id')}\n`);
  const sshd = spawn('/usr/sbin/sshd', ['-D', '-f', at('sshd_config'), '-p', `${PORT}`], { stdio: 'ignore' });
  process.env.VMRECLAIM_STATE_DIR = at('state');
  try {
    const login = ['-F', at('config'), '-p', `${PORT}`, 'root@127.0.0.1', 'true'];
    for (let tries = 0; spawnSync('ssh', login).status !== 0 && tries < 50; tries++)
      spawnSync('sleep', ['0.1']);
    work({ config: at('config'), flags: ['--ssh-config', at('config'), '--identity', at('id')] });
  } finally {
    sshd.kill();
    delete process.env.VMRECLAIM_STATE_DIR;
    rmSync(home, { recursive: true });
  }
}

const url = (path, port = PORT) => `sftp://root@127.0.0.1:${port}${path}`;

/** A port that counts what passes; the sum is printed when it is told to stop. */
const COUNTER = `
let bytes = 0;
const net = require('node:net');
net.createServer((inner) => {
  const outer = net.connect({ port: ${PORT}, host: '127.0.0.1', noDelay: true });
  for (const [from, to] of [[inner, outer], [outer, inner]]) {
    from.on('data', (part) => { bytes += part.length; });
    from.on('error', () => to.destroy());
    from.pipe(to);
  }
}).listen(${WIRE_PORT}, '127.0.0.1');
process.on('SIGTERM', () => { require('node:fs').writeFileSync(process.argv[1], String(bytes)); process.exit(); });
`;

function bytesOnWire(folder, work) {
  const result = join(folder, 'wire-bytes');
  const counter = spawn(process.execPath, ['-e', COUNTER, result], { stdio: 'ignore' });
  spawnSync('sleep', ['0.5']);
  work();
  counter.kill('SIGTERM');
  for (let tries = 0; tries < 50; tries++) {
    const bytes = spawnSync('cat', [result], { encoding: 'utf8' }).stdout;
    if (bytes !== '') return Number(bytes);
    spawnSync('sleep', ['0.1']);
  }
  throw new Error('the counting port did not answer');
}

/** One opaque partition of noise, with room to move by 64 MiB. */
function noisyDisk(path, start, dataMib) {
  run('truncate', ['-s', `${dataMib + ROOM_MIB}M`, path]);
  run('dd', [
    'if=/dev/urandom',
    `of=${path}`,
    'bs=1M',
    'seek=1',
    `count=${dataMib}`,
    'conv=notrunc',
    'status=none',
  ]);
  const table = `label: dos\nstart=${start}, size=${dataMib * 2048 - 4096}, type=da\n`;
  run('sfdisk', ['-q', path], { input: table });
}

/** The rows of remote disks. */
export function benchSftp({ folder, vmreclaim, measure, row, median, seconds, mib, rounds }) {
  withServer(folder, ({ config, flags }) => {
    const disk = join(folder, 'far.vmdk');
    const flat = join(folder, 'far-flat.vmdk');
    guestWithNtfs(flat, { sizeMib: 40_960, usedMib: 200, folder });
    writeDescriptor(disk, 'far-flat.vmdk', 40_960);
    let scan;
    const bytes = bytesOnWire(folder, () => {
      scan = vmreclaim('scan', url(disk, WIRE_PORT), ...flags);
    });
    const wire = `${(bytes / 2 ** 20).toFixed(2)} MiB on the wire`;
    row('scan of one 40 GiB disk over SFTP', seconds(scan.seconds), wire, '4 MiB', mib(scan.kib));
    rmSync(flat);
    rmSync(disk);

    const sides = (name, start, ours, peerName, peer, limit, dataMib = DATA_MIB) => {
      const [times, others, peak] = [[], [], []];
      for (let round = 0; round < rounds; round++) {
        const path = join(folder, 'noise.img');
        noisyDisk(path, start, dataMib);
        run('sync', []);
        const mine = ours(path);
        times.push(mine.seconds);
        peak.push(mine.kib);
        noisyDisk(path, start, dataMib);
        run('sync', []);
        others.push(peer(path).seconds);
        rmSync(path);
      }
      const [a, b] = [median(times), median(others)];
      const text = `${seconds(b)} ${peerName}; ${((b / a) * 100).toFixed(0)} % of its rate`;
      row(name, seconds(a), text, limit, mib(Math.max(...peak)));
    };
    const getAndPut = (path) => {
      const copy = join(folder, 'copy');
      const input = `get ${path} ${copy}\nput ${copy} ${path}\n`;
      const args = ['-q', '-F', config, '-P', `${PORT}`, '-b', '-', 'root@127.0.0.1'];
      const result = measure('sftp', args, { input });
      run('sync', []);
      rmSync(copy);
      return result;
    };
    const yes = ['-y', '--quiet'];
    const move = (target, ...more) => vmreclaim('move-extents', target, '--to', '1=133120', ...yes, ...more);
    const off = ['--remote-helper', 'off'];
    sides(
      'align 1 GiB, 63 -> 128, opaque, over SFTP',
      63,
      (path) => vmreclaim('align', url(path), ...yes, ...flags),
      'sftp get and put',
      getAndPut,
      '60 %',
    );
    sides(
      'move 1 GiB by 64 MiB, over the wire',
      2048,
      (path) => move(url(path), ...flags, ...off),
      'sftp get and put',
      getAndPut,
      '60 %',
    );
    sides(
      'move 1 GiB by 64 MiB, with the helper',
      2048,
      (path) => move(url(path), ...flags),
      'the same on the local disk',
      (path) => move(path),
      'reported',
    );
    sides(
      'move 8 GiB by 64 MiB, with the helper',
      2048,
      (path) => move(url(path), ...flags),
      'the same on the local disk',
      (path) => move(path),
      '70 %',
      RATE_MIB,
    );
  });
}
