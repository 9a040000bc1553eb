import { type ChildProcess, spawn } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import type { RemoteOptions } from '../../src/backends/registry.js';
import { run } from './judges.js';

/** What a test changes about the server: lines of sshd_config. */
export interface SshdWish {
  readonly config?: readonly string[];
  /** What its commands find in their environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * A real OpenSSH server on a loopback port, an ordinary process with keys and files of its own, and a client side to go
 * with it: ssh_config, known_hosts, a key that it lets in, a state folder.
 */
export class Sshd {
  readonly folder = realpathSync(mkdtempSync(join(tmpdir(), 'vmreclaim-sshd-')));
  readonly knownHosts = join(this.folder, 'known_hosts');
  readonly identity = join(this.folder, 'id_test');
  readonly sshConfig = join(this.folder, 'ssh_config');
  readonly hostKey = join(this.folder, 'host_ed25519');
  port = 0;
  private listener: ChildProcess | undefined;

  private constructor(private readonly wish: SshdWish) {}

  static async start(wish: SshdWish = {}): Promise<Sshd> {
    const server = new Sshd(wish);
    server.prepare();
    server.port = await freePort();
    await server.listen();
    server.trustHostKey();
    return server;
  }

  /** `sftp://user@127.0.0.1:port`, by another port when one is given. */
  url(path = '', port = this.port): string {
    return `sftp://${userInfo().username}@127.0.0.1:${port}${path}`;
  }

  /** How a store reaches it. */
  options(more: Partial<RemoteOptions> = {}): RemoteOptions {
    return {
      stateFolder: join(this.folder, 'state'),
      sshConfig: this.sshConfig,
      identity: this.identity,
      linkSeconds: 0,
      ...more,
    };
  }

  /** The same for the command line. */
  get flags(): string[] {
    return ['--ssh-config', this.sshConfig, '--identity', this.identity];
  }

  async listen(): Promise<void> {
    const args = ['-D', '-e', '-f', join(this.folder, 'sshd_config'), '-p', String(this.port)];
    const child = spawn('/usr/sbin/sshd', args, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.listener = child;
    await new Promise<void>((resolve, reject) => {
      let said = '';
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        said += text;
        if (said.includes('Server listening')) resolve();
      });
      child.once('exit', (code) => reject(new Error(`sshd ended with ${code}:\n${said}`)));
    });
  }

  /** Of the process that listens; -1 when it is stopped. */
  get pid(): number {
    return this.listener?.pid ?? -1;
  }

  /** Kills what serves the connections, or some of it; new ones are taken. Returns how many processes there were. */
  cutConnections(isVictim = (_pid: number): boolean => true): number {
    const victims = descendants(this.pid).filter(isVictim);
    for (const pid of victims) kill(pid);
    return victims.length;
  }

  /** Kills the server with all connections. */
  async stop(): Promise<void> {
    const child = this.listener;
    this.listener = undefined;
    if (child === undefined) return;
    const victims = descendants(child.pid ?? -1);
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    for (const pid of victims) kill(pid);
    await gone;
  }

  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Lets the client know the host's key, for another port too. */
  trustHostKey(port = this.port): void {
    const key = readFileSync(`${this.hostKey}.pub`, 'utf8').split(' ').slice(0, 2).join(' ');
    appendFileSync(this.knownHosts, `[127.0.0.1]:${port} ${key}\n`);
  }

  private prepare(): void {
    // For a server of root: where its unprivileged part lives.
    if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
    const key = (path: string) => run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', path]);
    key(this.hostKey);
    key(this.identity);
    writeFileSync(join(this.folder, 'authorized_keys'), readFileSync(`${this.identity}.pub`), {
      mode: 0o600,
    });
    writeFileSync(this.knownHosts, '');
    // Without the start files of whoever runs the tests, which may take seconds for each command.
    const home = join(this.folder, 'home');
    mkdirSync(home);
    const env = Object.entries({ HOME: home, ...this.wish.env }).map(([name, value]) => `"${name}=${value}"`);
    const server = [
      'ListenAddress 127.0.0.1',
      `HostKey ${this.hostKey}`,
      `AuthorizedKeysFile ${join(this.folder, 'authorized_keys')}`,
      'StrictModes no',
      'UsePAM no',
      'PidFile none',
      'PermitRootLogin yes',
      'MaxStartups 100',
      `SetEnv ${env.join(' ')}`,
      ...(this.wish.config ?? ['Subsystem sftp internal-sftp']),
    ];
    writeFileSync(join(this.folder, 'sshd_config'), `${server.join('\n')}\n`);
    const client = [
      `UserKnownHostsFile ${this.knownHosts}`,
      'GlobalKnownHostsFile none',
      'IdentityFile none',
      'IdentityAgent none',
    ];
    writeFileSync(this.sshConfig, `${client.join('\n')}\n`);
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It was quicker.
  }
}

/** All processes below one, from /proc. */
export function descendants(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
      children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
    } catch {
      // It has ended meanwhile.
    }
  }
  const found: number[] = [];
  const queue = [pid];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    const below = children.get(next) ?? [];
    found.push(...below);
    queue.push(...below);
  }
  return found;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

/** A port that passes everything on to another one and counts the bytes, both ways. */
export interface Wire {
  readonly port: number;
  bytes(): number;
  close(): void;
}

export async function countingWire(to: number): Promise<Wire> {
  let bytes = 0;
  const server = createServer((inner) => {
    const outer = connect({ port: to, host: '127.0.0.1', noDelay: true });
    for (const [from, target] of [
      [inner, outer],
      [outer, inner],
    ] as const) {
      from.on('data', (chunk) => {
        bytes += chunk.length;
      });
      from.on('error', () => target.destroy());
      from.pipe(target);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return { port, bytes: () => bytes, close: () => server.close() };
}
