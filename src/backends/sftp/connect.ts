import { spawn } from 'node:child_process';
import { connect as connectSocket, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { Client, ConnectConfig } from 'ssh2';
import { deviceError, refused, VmreclaimError } from '../../core/errors.js';
import { Authentication, type KeyTools } from './auth.js';
import { linkLost } from './errors.js';
import { HostKeyJudge } from './host-key.js';
import type { RemoteOptions } from './options.js';
import { Session } from './session.js';
import { type HostConfig, hostConfig } from './ssh-config.js';
import { prefixOf, type SftpTarget } from './target.js';

/** From the first packet to the login. People type passwords in that time. */
const READY_MS = 120_000;
const SOCKET_MS = 20_000;
const CHANNEL_MS = 30_000;

/** Ciphers in the order of speed: GCM has no separate MAC. */
const CIPHERS = [
  'aes128-gcm@openssh.com',
  'aes256-gcm@openssh.com',
  'aes128-ctr',
  'aes192-ctr',
  'aes256-ctr',
] as const;

/** Transport of a connection, and how to let the process end while it is idle. */
interface Transport {
  readonly sock: Duplex;
  unref(): void;
}

/**
 * Connects, checks the host's key, logs in and opens the SFTP channel. Refused for a host key or login that is not
 * accepted, Device when the host cannot be reached. No message holds what the library said: it may name sockets.
 */
export async function connect(target: SftpTarget, options: RemoteOptions): Promise<Session> {
  const label = prefixOf(target);
  const config = await hostConfig(target, options.sshConfig);
  const judge = await HostKeyJudge.load(config, options.acceptNewHostKey === true);
  const [{ default: SftpClient }, { default: ssh2 }] = await Promise.all([
    import('ssh2-sftp-client'),
    import('ssh2'),
  ]);
  const { utils, createAgent } = ssh2;
  const login = new Authentication(config, options, { parseKey: utils.parseKey, createAgent } as KeyTools);
  const transport = await openTransport(config, options, label);
  const silent = (): void => undefined;
  const library = new SftpClient('vmreclaim', { error: silent, end: silent, close: silent });
  // The wrapper keeps the connection itself, which exec needs, under this name but not in its types.
  const { client } = library as unknown as { client: Client };
  // The library waits for ever for the answer to its request for a channel.
  let timer: NodeJS.Timeout | undefined;
  client.once('ready', () => {
    timer = setTimeout(() => transport.sock.destroy(), CHANNEL_MS);
  });
  try {
    const sftp = await library.connect(connectConfig(config, transport.sock, judge, login));
    transport.unref();
    return new Session(label, client, sftp);
  } catch (error) {
    transport.sock.destroy();
    throw judge.refusal ?? login.refusal ?? connectError(error, label, config);
  } finally {
    clearTimeout(timer);
  }
}

function connectConfig(
  config: HostConfig,
  sock: Duplex,
  judge: HostKeyJudge,
  login: Authentication,
): ConnectConfig {
  return {
    sock,
    username: config.user,
    readyTimeout: READY_MS,
    hostVerifier: (key: Buffer, verify: (isValid: boolean) => void) => {
      judge.accepts(key).then(verify, (error: VmreclaimError) => {
        judge.refusal = error;
        verify(false);
      });
    },
    authHandler: login.handler as NonNullable<ConnectConfig['authHandler']>,
    algorithms: {
      cipher: [...CIPHERS],
      serverHostKey: judge.algorithms as NonNullable<ConnectConfig['algorithms']>['serverHostKey'] & string[],
    },
  } as ConnectConfig;
}

function openTransport(config: HostConfig, options: RemoteOptions, label: string): Promise<Transport> {
  return config.proxyJump === null ? openSocket(config, label) : openJump(config, config.proxyJump, options);
}

/** Small packets must not wait for each other: with Nagle's algorithm a serial write takes 30 ms. */
function openSocket({ hostName: host, port }: HostConfig, label: string): Promise<Transport> {
  return new Promise((resolve, reject) => {
    const sock: Socket = connectSocket({ host, port, noDelay: true });
    const fail = (says: string): void => {
      sock.destroy();
      reject(unreachable(label, says));
    };
    const timer = setTimeout(() => fail('it does not answer'), SOCKET_MS);
    sock.once('error', (error) => {
      clearTimeout(timer);
      fail(SOCKET_ERRORS[codeOf(error)] ?? 'the network refuses it');
    });
    sock.once('connect', () => {
      clearTimeout(timer);
      sock.removeAllListeners('error');
      resolve({ sock, unref: () => void sock.unref() });
    });
  });
}

const SOCKET_ERRORS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'the name is not known',
  EAI_AGAIN: 'the name cannot be looked up',
  EHOSTUNREACH: 'there is no way to it',
  ENETUNREACH: 'there is no way to its network',
  ETIMEDOUT: 'it does not answer',
};

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : '';

const unreachable = (label: string, says: string): VmreclaimError =>
  deviceError('connect', `${label} cannot be reached: ${says}`, {
    hint: 'check the address and that SSH is switched on there',
  });

/** `ssh -W` makes the way through the jump hosts, with all that ssh knows of keys and questions. */
async function openJump(config: HostConfig, jump: string, options: RemoteOptions): Promise<Transport> {
  const hops = jump.split(',');
  const last = hops.pop() ?? jump;
  const before = hops.length === 0 ? [] : ['-J', hops.join(',')];
  const from = options.sshConfig === undefined ? [] : ['-F', options.sshConfig];
  const { hostName: host, port } = config;
  const aim = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  const args = [...from, ...before, '-W', aim, ...hopArguments(last)];
  const child = spawn('ssh', args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const sock = Duplex.from({ writable: child.stdin, readable: child.stdout });
  child.once('error', () => sock.destroy());
  child.once('exit', () => sock.destroy());
  sock.once('close', () => child.kill());
  return {
    sock,
    unref: () => {
      child.unref();
      for (const pipe of [child.stdin, child.stdout]) (pipe as unknown as Socket).unref();
    },
  };
}

/** `user@host:port` of -J as arguments of its own. */
function hopArguments(hop: string): string[] {
  const [, user, host = hop, port] = /^(?:(.*)@)?(\[.*\]|[^:]+)(?::(\d+))?$/.exec(hop) ?? [];
  const login = user === undefined ? [] : ['-l', user];
  const at = port === undefined ? [] : ['-p', port];
  return [...login, ...at, '--', host.replace(/^\[|\]$/g, '')];
}

function connectError(error: unknown, label: string, config: HostConfig): VmreclaimError {
  if (error instanceof VmreclaimError) return error;
  const text = error instanceof Error ? error.message : '';
  if (/authentication methods failed/i.test(text)) {
    return refused('login', `${label} does not let ${config.user} in with the keys that there are`, {
      hint: 'name a key with --identity, load it into the agent, or run on a terminal to be asked',
    });
  }
  if (/no matching/i.test(text)) {
    return refused('ssh-algorithms', `${label} and this program have no common algorithms`, {
      hint: 'the server may be very old, or offer only other kinds of host keys than the known one',
    });
  }
  return linkLost(label, 'it broke off while connecting');
}
