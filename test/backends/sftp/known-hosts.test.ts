import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  fingerprint,
  judgeKey,
  knownHostLine,
  knownName,
  knownTypes,
  matchesHost,
  parseKnownHosts,
} from '../../../src/backends/sftp/known-hosts.js';
import { judge, run } from '../../support/judges.js';

describe.skipIf(!judge('ssh-keygen'))('known_hosts', () => {
  let folder: string;
  let keys: { line: string; blob: Buffer; path: string }[];
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'vmreclaim-keys-'));
    keys = ['ed25519', 'ed25519', 'ecdsa', 'rsa'].map((type, i) => {
      const path = join(folder, `key${i}`);
      run('ssh-keygen', ['-q', '-t', type, '-N', '', '-f', path]);
      const [name = '', encoded = ''] = readFileSync(`${path}.pub`, 'utf8').split(' ');
      return { line: `${name} ${encoded}`, blob: Buffer.from(encoded, 'base64'), path: `${path}.pub` };
    });
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const key = (index: number) => keys[index] ?? { line: '', blob: Buffer.alloc(0), path: '' };

  /** Does OpenSSH find the name in a file with these lines? */
  function opensshFinds(name: string, text: string): boolean {
    const path = join(folder, 'known_hosts');
    writeFileSync(path, text);
    try {
      return run('ssh-keygen', ['-F', name, '-f', path]).includes('found');
    } catch {
      return false;
    }
  }

  it('finds a host where OpenSSH finds it', () => {
    const patterns = [
      'esx1',
      'ESX1',
      'esx1,10.0.0.1',
      '*.example.org',
      'esx?',
      '*',
      '!esx1,*',
      'esx*,!esx1',
      '[esx1]:2222',
      '[*]:2222',
      '[esx1]:*',
      '?sx1*',
    ];
    const names = [
      'esx1',
      'esx2',
      '10.0.0.1',
      'a.example.org',
      'example.org',
      '[esx1]:2222',
      '[esx1]:22',
      'esx11',
    ];
    for (const hosts of patterns) {
      for (const name of names) {
        const expected = opensshFinds(name, `${hosts} ${key(0).line}\n`);
        expect({ hosts, name, found: matchesHost(hosts, name) }).toEqual({ hosts, name, found: expected });
      }
    }
  });

  it('finds hashed names that OpenSSH has hashed, and OpenSSH finds ours', () => {
    const path = join(folder, 'hashed');
    writeFileSync(path, `esx1 ${key(0).line}\n[esx1]:2222 ${key(1).line}\n`);
    run('ssh-keygen', ['-H', '-f', path]);
    const lines = parseKnownHosts(readFileSync(path, 'utf8'));
    expect(judgeKey(lines, 'esx1', key(0).blob)).toBe('known');
    expect(judgeKey(lines, '[esx1]:2222', key(1).blob)).toBe('known');
    expect(judgeKey(lines, '[esx1]:2222', key(0).blob)).toBe('changed');
    expect(judgeKey(lines, 'esx2', key(0).blob)).toBe('unknown');
    for (const hashed of [false, true]) {
      const name = knownName('Esx9', 2200);
      expect(opensshFinds(name, knownHostLine(name, key(2).blob, hashed))).toBe(true);
      expect(opensshFinds('esx9', knownHostLine(name, key(2).blob, hashed))).toBe(false);
    }
  });

  it('fails closed: another key of a known host is a change, a revoked one is out', () => {
    const text = `esx1 ${key(0).line}\n@cert-authority * ${key(1).line}\n@revoked * ${key(2).line}\n`;
    const lines = parseKnownHosts(text);
    expect(judgeKey(lines, 'esx1', key(0).blob)).toBe('known');
    expect(judgeKey(lines, 'esx1', key(1).blob)).toBe('changed');
    expect(judgeKey(lines, 'esx1', key(3).blob)).toBe('changed');
    expect(judgeKey(lines, 'esx2', key(1).blob)).toBe('unknown');
    expect(judgeKey(lines, 'esx2', key(2).blob)).toBe('revoked');
    const both = parseKnownHosts(`esx1 ${key(2).line}\n${text}`);
    expect(judgeKey(both, 'esx1', key(2).blob)).toBe('revoked');
    expect(knownTypes(lines, 'esx1')).toEqual(['ssh-ed25519']);
  });

  it('shows fingerprints as OpenSSH does', () => {
    for (const { blob, path } of keys) {
      expect(run('ssh-keygen', ['-l', '-f', path])).toContain(fingerprint(blob));
    }
  });

  it('takes nothing from torn or hostile lines', () => {
    const bad = [
      '# c',
      'esx1',
      'esx1 ssh-rsa',
      `esx1 ssh-rsa ${key(0).line.split(' ')[1]}`,
      '@revoked',
      '|1|x|y ssh-rsa AA==',
    ];
    expect(parseKnownHosts(bad.join('\n'))).toEqual([]);
    fc.assert(
      fc.property(fc.string(), fc.string(), (text, name) => {
        expect(judgeKey(parseKnownHosts(text), name, key(0).blob)).not.toBe('known');
      }),
    );
    // A pattern of many stars must not take for ever.
    expect(matchesHost(`${'*a'.repeat(2000)}b`, 'a'.repeat(2000))).toBe(false);
  });
});
