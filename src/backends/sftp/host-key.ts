import { appendFile, mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { deviceError, refused, type VmreclaimError } from '../../core/errors.js';
import {
  fingerprint,
  judgeKey,
  type KnownHost,
  knownHostLine,
  knownTypes,
  parseKnownHosts,
  typeOfKey,
} from './known-hosts.js';
import type { HostConfig } from './ssh-config.js';

/** Algorithms that a key type signs with: RSA keys use the SHA-2 ones (RFC 8332). */
const ALGORITHMS: Readonly<Record<string, readonly string[]>> = {
  'ssh-rsa': ['rsa-sha2-512', 'rsa-sha2-256'],
};
const DEFAULT_ORDER = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'ssh-rsa',
];

/** Decides whether a host is the one it says it is; fails closed. */
export class HostKeyJudge {
  /** Why the host was turned away, for the error of the connection. */
  refusal: VmreclaimError | undefined;

  private constructor(
    private readonly name: string,
    private readonly lines: readonly KnownHost[],
    private readonly config: HostConfig,
    private readonly acceptNew: boolean,
  ) {}

  static async load(config: HostConfig, acceptNew: boolean): Promise<HostKeyJudge> {
    const lines: KnownHost[] = [];
    for (const path of [...config.userKnownHosts, ...config.globalKnownHosts]) {
      lines.push(...parseKnownHosts(await readOptional(path)));
    }
    return new HostKeyJudge(config.keyName, lines, config, acceptNew);
  }

  /** Algorithms to offer: those of known keys alone, where there are any, so that the host shows one of them. */
  get algorithms(): string[] {
    const known = knownTypes(this.lines, this.name).filter((type) => DEFAULT_ORDER.includes(type));
    return (known.length > 0 ? known : DEFAULT_ORDER).flatMap((type) => ALGORITHMS[type] ?? [type]);
  }

  /** True when the key is the host's. */
  async accepts(key: Uint8Array): Promise<boolean> {
    const verdict = judgeKey(this.lines, this.name, key);
    if (verdict === 'known') return true;
    if (verdict === 'unknown' && this.acceptNew) return await this.add(key);
    this.refusal = refusalOf(verdict, this.name, key);
    return false;
  }

  private async add(key: Uint8Array): Promise<boolean> {
    const [path] = this.config.userKnownHosts;
    try {
      if (path === undefined) throw new Error('no known_hosts file');
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      const before = await readOptional(path);
      const line = knownHostLine(this.name, key, this.config.hashKnownHosts);
      const start = before === '' || before.endsWith('\n') ? '' : '\n';
      await appendFile(path, start + line, { mode: 0o600 });
      return true;
    } catch {
      this.refusal = deviceError('known-hosts', 'the new host key cannot be written to known_hosts', {
        ...(path === undefined ? {} : { path }),
        hint: 'make the file writable, or add the key with ssh-keyscan',
      });
      return false;
    }
  }
}

function refusalOf(
  verdict: 'unknown' | 'changed' | 'revoked',
  name: string,
  key: Uint8Array,
): VmreclaimError {
  const shown = `${typeOfKey(key)} ${fingerprint(key)}`;
  if (verdict === 'revoked') return refused('host-key-revoked', `the key of ${name} is revoked: ${shown}`);
  if (verdict === 'changed') {
    return refused('host-key-changed', `${name} shows another key than the one that is known: ${shown}`, {
      hint: `if it was really replaced, remove the old one: ssh-keygen -R '${name}'; if not, somebody is in between`,
    });
  }
  return refused('host-key-unknown', `the key of ${name} is not known: ${shown}`, {
    hint: 'compare the fingerprint with that of the host; then connect once with ssh, or say --accept-new-host-key',
  });
}

/** A file that cannot be read might hold a revoked key: only a missing one is empty. */
async function readOptional(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '';
    throw deviceError('known-hosts', `the known host keys cannot be read: ${path}`, { path });
  }
}
