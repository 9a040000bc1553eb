import { createHash, createHmac, randomBytes } from 'node:crypto';

/** What known_hosts files say of a key that a host shows. */
export type KeyVerdict = 'known' | 'unknown' | 'changed' | 'revoked';

/** A line of a known_hosts file (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT). */
export interface KnownHost {
  readonly marker: string | null;
  readonly hosts: string;
  readonly keyType: string;
  readonly key: Uint8Array;
}

const DEFAULT_PORT = 22;

/** The lines that can be understood; comments and torn lines prove nothing and are left out. */
export function parseKnownHosts(text: string): KnownHost[] {
  const found: KnownHost[] = [];
  for (const line of text.split('\n')) {
    const fields = line.trim().split(/[ \t]+/);
    const marker = fields[0]?.startsWith('@') === true ? (fields.shift() ?? null) : null;
    const [hosts = '', keyType = '', encoded = ''] = fields;
    if (hosts === '' || hosts.startsWith('#') || encoded === '') continue;
    const key = Buffer.from(encoded, 'base64');
    // The type stands in the key itself too: a line that contradicts itself says nothing.
    if (typeOfKey(key) === keyType) found.push({ marker, hosts, keyType, key });
  }
  return found;
}

/** Name of a host in known_hosts: other ports than 22 belong to it. */
export function knownName(host: string, port: number): string {
  return port === DEFAULT_PORT ? host.toLowerCase() : `[${host.toLowerCase()}]:${port}`;
}

/**
 * Judges a key, as OpenSSH would with StrictHostKeyChecking: a revoked one is refused whatever else is written;
 * another key of a known host is a change, also when it is of a type that was not known.
 * Lines for certificate authorities do not count: certificates are not asked for.
 */
export function judgeKey(lines: readonly KnownHost[], name: string, key: Uint8Array): KeyVerdict {
  const matching = lines.filter(({ hosts }) => matchesHost(hosts, name));
  const same = (line: KnownHost): boolean => Buffer.compare(line.key, key) === 0;
  if (matching.some((line) => line.marker === '@revoked' && same(line))) return 'revoked';
  const plain = matching.filter(({ marker }) => marker === null);
  if (plain.some(same)) return 'known';
  return plain.length > 0 ? 'changed' : 'unknown';
}

/** Key types under which a host is known, so that it is asked to show one of these. */
export function knownTypes(lines: readonly KnownHost[], name: string): string[] {
  const own = lines.filter(({ marker, hosts }) => marker === null && matchesHost(hosts, name));
  return [...new Set(own.map(({ keyType }) => keyType))];
}

/** Does the first field of a line name the host? A negated pattern that matches excludes it. */
export function matchesHost(hosts: string, name: string): boolean {
  if (hosts.startsWith('|')) return matchesHash(hosts, name);
  let matches = false;
  for (const pattern of hosts.toLowerCase().split(',')) {
    const isNegated = pattern.startsWith('!');
    if (!matchesPattern(isNegated ? pattern.slice(1) : pattern, name)) continue;
    if (isNegated) return false;
    matches = true;
  }
  return matches;
}

/** `|1|salt|HMAC-SHA1 of the name`, both in base64. */
function matchesHash(field: string, name: string): boolean {
  const [, version, salt, hash] = field.split('|');
  if (version !== '1' || salt === undefined || hash === undefined) return false;
  return createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest('base64') === hash;
}

/** `*` any characters, `?` one. Walks with one point to come back to: no pattern can make it slow. */
function matchesPattern(pattern: string, name: string): boolean {
  let [p, n, star, mark] = [0, 0, -1, 0];
  while (n < name.length) {
    if (pattern[p] === '*') {
      star = p++;
      mark = n;
    } else if (p < pattern.length && (pattern[p] === '?' || pattern[p] === name[n])) {
      p++;
      n++;
    } else if (star >= 0) {
      p = star + 1;
      n = ++mark;
    } else return false;
  }
  while (pattern[p] === '*') p++;
  return p === pattern.length;
}

/** The type at the beginning of a key blob (RFC 4253, 6.6); empty when it is none. */
export function typeOfKey(key: Uint8Array): string {
  const bytes = Buffer.from(key);
  if (bytes.length < 4) return '';
  const length = bytes.readUInt32BE(0);
  return length > 64 || length > bytes.length - 4 ? '' : bytes.toString('latin1', 4, 4 + length);
}

/** As OpenSSH shows it: `SHA256:` and base64 without padding. */
export function fingerprint(key: Uint8Array): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

/** A line for a new host. */
export function knownHostLine(name: string, key: Uint8Array, hashed: boolean): string {
  return `${hashed ? hashedName(name) : name} ${typeOfKey(key)} ${Buffer.from(key).toString('base64')}\n`;
}

function hashedName(name: string): string {
  const salt = randomBytes(20);
  return `|1|${salt.toString('base64')}|${createHmac('sha1', salt).update(name).digest('base64')}`;
}
