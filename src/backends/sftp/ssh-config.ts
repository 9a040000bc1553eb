import { execFile } from 'node:child_process';
import { homedir, userInfo } from 'node:os';
import { join } from 'node:path';
import { refused, unsupported } from '../../core/errors.js';
import { knownName } from './known-hosts.js';
import type { SftpTarget } from './target.js';

/** What ssh_config says of a host. */
export interface HostConfig {
  readonly user: string;
  readonly hostName: string;
  readonly port: number;
  /** Name under which the host's key is known: its own with the port, or an alias as it is. */
  readonly keyName: string;
  readonly identityFiles: readonly string[];
  readonly identitiesOnly: boolean;
  /** From ssh_config; `none` switches the agent off; null leaves it to the environment. */
  readonly identityAgent: string | null;
  readonly userKnownHosts: readonly string[];
  readonly globalKnownHosts: readonly string[];
  readonly hashKnownHosts: boolean;
  /** Hosts to go through, as -J takes them; null for a direct connection. */
  readonly proxyJump: string | null;
}

const SSH_PORT = 22;
const TIMEOUT_MS = 10_000;

/**
 * Lets OpenSSH itself resolve its configuration (`ssh -G`), which is exact: Match, Include and tokens. Without an ssh
 * program the defaults of OpenSSH count. Refused (ssh-config) when ssh does not accept its configuration.
 */
export async function hostConfig(target: SftpTarget, configFile: string | undefined): Promise<HostConfig> {
  const args = ['-G'];
  if (configFile !== undefined) args.push('-F', configFile);
  if (target.user !== null) args.push('-l', target.user);
  if (target.port !== null) args.push('-p', String(target.port));
  const output = await runSsh([...args, '--', target.host]);
  return parseConfig(output ?? '', target);
}

function runSsh(args: readonly string[]): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    execFile('ssh', args, { timeout: TIMEOUT_MS, encoding: 'utf8' }, (error, stdout) => {
      if (error === null) resolve(stdout);
      else if (error.code === 'ENOENT') resolve(undefined);
      else {
        const hint = 'ssh -G HOST shows what is wrong with it';
        reject(refused('ssh-config', 'ssh does not accept its configuration for this host', { hint }));
      }
    });
  });
}

/** Makes sense of what `ssh -G` prints: a keyword in lower case, a space, the value. */
export function parseConfig(output: string, target: SftpTarget): HostConfig {
  const values = new Map<string, string[]>();
  for (const line of output.split('\n')) {
    const [, key, value] = /^(\S+) (.*)$/.exec(line) ?? [];
    if (key !== undefined && value !== undefined) values.set(key, [...(values.get(key) ?? []), value]);
  }
  const one = (key: string): string | undefined => values.get(key)?.[0];
  const given = (key: string): string | null => {
    const value = one(key);
    return value === undefined || value === 'none' ? null : value;
  };
  refuseWhatIsIgnored(given);
  const hostName = one('hostname') ?? target.host;
  const user = one('user') ?? target.user ?? userInfo().username;
  const port = Number(one('port') ?? target.port ?? SSH_PORT);
  const files = (key: string, fallback: string): string[] =>
    (one(key) ?? fallback)
      .split(' ')
      .filter((name) => name !== '' && name !== 'none')
      .map(expand);
  return {
    user,
    hostName,
    port,
    keyName: given('hostkeyalias') ?? knownName(hostName, port),
    identityFiles: (values.get('identityfile') ?? DEFAULT_IDENTITIES).map((path) =>
      expand(withTokens(path, { h: hostName, r: user })),
    ),
    identitiesOnly: one('identitiesonly') === 'yes',
    identityAgent: one('identityagent') ?? null,
    userKnownHosts: files('userknownhostsfile', '~/.ssh/known_hosts'),
    globalKnownHosts: files('globalknownhostsfile', '/etc/ssh/ssh_known_hosts'),
    hashKnownHosts: one('hashknownhosts') === 'yes',
    proxyJump: given('proxyjump'),
  };
}

/** Settings that change whom to trust or how to get there, and are not followed here. */
function refuseWhatIsIgnored(given: (key: string) => string | null): void {
  if (given('proxycommand') !== null) {
    throw unsupported('proxy-command', 'ssh_config names a ProxyCommand for this host', {
      hint: 'use ProxyJump instead',
    });
  }
  if (given('revokedhostkeys') !== null) {
    throw unsupported('revoked-host-keys', 'ssh_config names RevokedHostKeys for this host', {
      hint: 'put the keys into known_hosts, each with the marker @revoked, and take the setting away with --ssh-config',
    });
  }
}

/** `%d` and its like in names of key files, which `ssh -G` leaves as they are. Unknown ones stay: no such file. */
function withTokens(path: string, known: Readonly<Record<'h' | 'r', string>>): string {
  const values: Readonly<Record<string, string>> = {
    ...known,
    d: homedir(),
    u: userInfo().username,
    '%': '%',
  };
  return path.replace(/%(.)/g, (text, token: string) => values[token] ?? text);
}

const DEFAULT_IDENTITIES = ['~/.ssh/id_ed25519', '~/.ssh/id_ecdsa', '~/.ssh/id_rsa'];

const expand = (path: string): string => (path.startsWith('~/') ? join(homedir(), path.slice(2)) : path);
