import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync, existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect } from '../../../src/backends/sftp/connect.js';
import type { RemoteOptions } from '../../../src/backends/sftp/options.js';
import { parseTarget, prefixOf } from '../../../src/backends/sftp/target.js';
import { VmreclaimError } from '../../../src/core/errors.js';
import { errorDocument } from '../../../src/report/error.js';
import { judge, run } from '../../support/judges.js';
import { startSshServer } from '../../support/ssh-server.js';
import { Sshd } from '../../support/sshd.js';

const SECRET = 'correct horse battery';

describe.skipIf(!judge('sshd', 'ssh-keygen'))('a connection', () => {
  let server: Sshd;
  beforeAll(async () => {
    server = await Sshd.start();
  });
  afterAll(() => server.remove());

  /** Connects and ends; the error, if there is one. */
  async function attempt(options: RemoteOptions, url = server.url('/')): Promise<VmreclaimError | undefined> {
    try {
      (await connect(parseTarget(url), options)).end();
      return undefined;
    } catch (error) {
      if (error instanceof VmreclaimError) return error;
      throw error;
    }
  }

  /** An ssh_config of its own with this known_hosts. */
  function withKnownHosts(
    text: string | null,
    more: readonly string[] = [],
  ): { config: string; hosts: string } {
    const folder = mkdtempSync(join(server.folder, 'client-'));
    const hosts = join(folder, 'ssh', 'known_hosts');
    const config = join(folder, 'config');
    const lines = [`UserKnownHostsFile ${hosts}`, 'GlobalKnownHostsFile none', 'IdentityFile none', ...more];
    writeFileSync(config, `${lines.join('\n')}\n`);
    if (text !== null) {
      run('mkdir', [join(folder, 'ssh')]);
      writeFileSync(hosts, text);
    }
    return { config, hosts };
  }

  const name = (): string => `[127.0.0.1]:${server.port}`;
  const pub = (path: string): string => readFileSync(`${path}.pub`, 'utf8').split(' ').slice(0, 2).join(' ');

  it('is refused to an unknown host, with its fingerprint, and taken with consent: then it is known', async () => {
    const { config, hosts } = withKnownHosts(null);
    const fingerprint = run('ssh-keygen', ['-l', '-f', `${server.hostKey}.pub`]).split(' ')[1];
    const error = await attempt(server.options({ sshConfig: config }));
    expect(error).toMatchObject({ family: 'refused', code: 'host-key-unknown' });
    expect(error?.message).toContain(fingerprint);
    expect(existsSync(hosts)).toBe(false);
    expect(await attempt(server.options({ sshConfig: config, acceptNewHostKey: true }))).toBeUndefined();
    expect(run('ssh-keygen', ['-F', name(), '-f', hosts])).toContain('found');
    expect(await attempt(server.options({ sshConfig: config }))).toBeUndefined();
  });

  it('is refused to a changed or revoked key, whatever is asked for', async () => {
    const other = join(mkdtempSync(join(server.folder, 'key-')), 'other');
    run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', other]);
    const changed = withKnownHosts(`${name()} ${pub(other)}\n`);
    const options = server.options({ sshConfig: changed.config, acceptNewHostKey: true });
    expect(await attempt(options)).toMatchObject({ code: 'host-key-changed' });
    expect(readFileSync(changed.hosts, 'utf8')).toBe(`${name()} ${pub(other)}\n`);
    const line = pub(server.hostKey);
    const revoked = withKnownHosts(`${name()} ${line}\n@revoked * ${line}\n`);
    expect(await attempt(server.options({ sshConfig: revoked.config }))).toMatchObject({
      code: 'host-key-revoked',
    });
  });

  it('goes through a jump host', async () => {
    const hop = `${userInfo().username}@127.0.0.1:${server.port}`;
    const key = pub(server.hostKey);
    // By an alias a host is known without its port.
    const { config } = withKnownHosts(`${name()} ${key}\nbehind-it ${key}\n`);
    appendFileSync(
      config,
      `Host behind\n HostName localhost\n HostKeyAlias behind-it\n Port ${server.port}\n ProxyJump ${hop}\nHost *\n IdentityFile ${server.identity}\n`,
    );
    const { identity: _, ...options } = server.options({ sshConfig: config });
    const url = `sftp://${userInfo().username}@behind/`;
    expect(await attempt(options, url)).toBeUndefined();
  });

  it('logs in with the agent', async () => {
    const socket = join(server.folder, 'agent');
    const agent: ChildProcess = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' });
    while (!existsSync(socket)) await new Promise((resolve) => setTimeout(resolve, 5));
    process.env.SSH_AUTH_SOCK = socket;
    run('ssh-add', ['-q', server.identity]);
    delete process.env.SSH_AUTH_SOCK;
    const { config } = withKnownHosts(`${name()} ${pub(server.hostKey)}\n`);
    const { identity: _, ...options } = server.options({ sshConfig: config });
    expect(await attempt({ ...options, agent: socket })).toBeUndefined();
    // A key that cannot be read without a passphrase: the agent has it, and nobody is there to be asked.
    const locked = join(mkdtempSync(join(server.folder, 'key-')), 'locked');
    run('cp', [server.identity, locked]);
    run('ssh-keygen', ['-q', '-p', '-P', '', '-N', SECRET, '-f', locked]);
    expect(await attempt({ ...options, identity: locked, agent: socket })).toBeUndefined();
    agent.kill();
  });

  it('asks for the passphrase of a key, hidden', async () => {
    const locked = join(mkdtempSync(join(server.folder, 'key-')), 'locked');
    run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', SECRET, '-f', locked]);
    appendFileSync(join(server.folder, 'authorized_keys'), readFileSync(`${locked}.pub`));
    const asked: [string, boolean][] = [];
    const answers = ['wrong', SECRET];
    const ask = async (question: string, hidden: boolean) => {
      asked.push([question, hidden]);
      return answers.shift() ?? '';
    };
    expect(await attempt(server.options({ identity: locked, ask }))).toBeUndefined();
    expect(asked).toEqual(Array(2).fill([`Passphrase of ${locked}: `, true]));
    const { ask: __, ...silent } = server.options({ identity: locked });
    expect(await attempt(silent)).toMatchObject({ family: 'refused', code: 'identity' });
  });

  it.each(['password', 'keyboard-interactive'] as const)(
    'asks for what %s wants',
    async (method) => {
      const script = await startSshServer({
        hostKey: server.hostKey,
        authenticate: (context) => {
          if (context.method !== method) return context.reject([method]);
          if (context.method === 'password')
            return context.password === SECRET ? context.accept() : context.reject([method]);
          if (context.method !== 'keyboard-interactive') return;
          return context.prompt([{ prompt: 'Code: ', echo: false }], (answers) =>
            answers[0] === SECRET ? context.accept() : context.reject([method]),
          );
        },
      });
      server.trustHostKey(script.port);
      const url = server.url('/', script.port);
      const { identity: _, ...options } = server.options();
      const hiddenOnly: boolean[] = [];
      const answers = ['wrong', SECRET];
      const ask = async (_question: string, hidden: boolean) => {
        hiddenOnly.push(hidden);
        return answers.shift() ?? '';
      };
      const error = await attempt({ ...options, ask }, url);
      expect(error).toBeUndefined();
      expect(hiddenOnly).toEqual([true, true]);
      script.close();
    },
    30_000,
  );

  it('says no secret when it fails', async () => {
    const socket = '/tmp/agent-socket-of-somebody';
    const { config, hosts: knownHosts } = withKnownHosts(`${name()} ${pub(server.hostKey)}\n`);
    const { identity, ...options } = server.options({ sshConfig: config });
    // A stale socket is no reason to fail.
    expect(await attempt({ ...options, ...(identity && { identity }), agent: socket })).toBeUndefined();
    const ask = async () => SECRET;
    const refusing = await startSshServer({
      hostKey: server.hostKey,
      authenticate: (context) => context.reject(['password']),
    });
    appendFileSync(knownHosts, `[127.0.0.1]:${refusing.port} ${pub(server.hostKey)}\n`);
    const errors = [
      await attempt({ ...options, agent: socket }),
      await attempt({ ...options, agent: socket, ask }, server.url('/', refusing.port)),
    ];
    refusing.close();
    for (const error of errors) {
      expect(error).toMatchObject({ family: 'refused', code: 'login' });
      const text = JSON.stringify(errorDocument(error)) + String(error?.stack);
      expect(text).not.toContain(socket);
      expect(text).not.toContain(SECRET);
    }
  });
});

describe('a target', () => {
  it.each([
    [
      'sftp://root@esx1/vmfs/volumes/a b/c%20d',
      { user: 'root', host: 'esx1', port: null, path: '/vmfs/volumes/a b/c%20d' },
    ],
    ['sftp://esx1', { user: null, host: 'esx1', port: null, path: '/' }],
    ['sftp://u@[fe80::1%eth0]:2222/x', { user: 'u', host: 'fe80::1%eth0', port: 2222, path: '/x' }],
  ])('%s', (text, parts) => {
    expect(parseTarget(text)).toEqual(parts);
    expect(text.startsWith(prefixOf(parseTarget(text)))).toBe(true);
  });

  it.each([
    'sftp://',
    'sftp:///x',
    'sftp://-oProxyCommand=x/',
    'sftp://h:0/',
    'sftp://h:99999/',
    'sftp://-l@h/',
    'sftp://a b/',
  ])('not %s', (text) =>
    expect(() => parseTarget(text)).toThrow(expect.objectContaining({ family: 'usage' })),
  );

  it('takes no password, and does not repeat it', () => {
    expect(() => parseTarget(`sftp://root:${SECRET}@esx1/x`)).toThrow(
      expect.objectContaining({ code: 'password-in-url', message: expect.not.stringContaining(SECRET) }),
    );
  });
});
