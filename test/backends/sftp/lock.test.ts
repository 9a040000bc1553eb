import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { localStore } from '../../../src/backends/local/local-store.js';
import type { RemoteOptions } from '../../../src/backends/registry.js';
import { connect } from '../../../src/backends/sftp/connect.js';
import { SftpStore } from '../../../src/backends/sftp/sftp-store.js';
import { parseTarget } from '../../../src/backends/sftp/target.js';
import { openStateFolder } from '../../../src/backends/state-folder.js';
import { lockNameOf, type StoreFile } from '../../../src/device/store.js';
import { judge } from '../../support/judges.js';
import { Sshd } from '../../support/sshd.js';

const IN_USE = { family: 'conflict', code: 'in-use' };

describe.skipIf(!judge('sshd', 'ssh-keygen'))('the lock of a remote file', () => {
  let server: Sshd;
  let disk: string;
  beforeAll(async () => {
    server = await Sshd.start();
    const [, key] = readFileSync(server.knownHosts, 'utf8').split(/ (.*)/s);
    appendFileSync(server.knownHosts, `[localhost]:${server.port} ${key}`);
  });
  afterAll(() => server.remove());
  beforeEach(() => {
    disk = join(mkdtempSync(join(server.folder, 'files-')), 'x-flat.vmdk');
    writeFileSync(disk, Buffer.alloc(4096, 'data'));
  });

  const lockFile = (): string => lockNameOf(disk);
  const state = (name = 'state'): string => join(server.folder, name);

  /** The disk, opened for writing by a process of its own: a connection and a state folder. */
  async function open(stateFolder = state(), url = server.url()): Promise<StoreFile> {
    const options: RemoteOptions = server.options({ stateFolder, helper: 'off' });
    const again = () => connect(parseTarget(`${url}/`), options);
    const { journals, lock } = await openStateFolder(stateFolder, localStore);
    const store = new SftpStore(await again(), options, { connect: again, journals, lockLocally: lock });
    return store.open(store.join(store.label, disk), 'write');
  }

  it('keeps other clients out, and says who has it', async () => {
    const mine = await open();
    await mine.lock();
    const theirs = await open(state('other'));
    await expect(theirs.lock()).rejects.toMatchObject({
      ...IN_USE,
      message: expect.stringContaining(hostname()),
      detail: { hint: expect.stringContaining('remove the lock file') },
    });
    await mine.close();
    expect(existsSync(lockFile())).toBe(false);
    await theirs.lock();
    await theirs.close();
  });

  it('keeps other processes of this client out, by whatever name they call the disk', async () => {
    const mine = await open();
    await mine.lock();
    for (const url of [server.url(), server.url().replace('127.0.0.1', 'localhost')]) {
      const other = await open(state(), url);
      await expect(other.lock()).rejects.toMatchObject(IN_USE);
      await other.close();
    }
    await mine.close();
    expect(existsSync(lockFile())).toBe(false);
  });

  /** What a process that was killed leaves: the lock file, and a note here that there may be one. */
  async function leave(content: (whole: string) => string): Promise<void> {
    const file = await open();
    await file.lock();
    const text = readFileSync(lockFile(), 'utf8');
    await file.close();
    writeFileSync(lockFile(), content(text));
    const left = await (await openStateFolder(state(), localStore)).lock(file.label);
    await left.remember(true);
    await left.close();
  }

  it('is taken over from a process of this client that was killed, by whatever name', async () => {
    for (const url of [server.url(), server.url().replace('127.0.0.1', 'localhost')]) {
      await leave((whole) => whole);
      const next = await open(state(), url);
      await next.lock();
      expect(JSON.parse(readFileSync(lockFile(), 'utf8')).disk).toBe(next.label);
      await next.close();
      expect(existsSync(lockFile())).toBe(false);
    }
  });

  it('is taken over torn from a link that broke while it was made, but not from others', async () => {
    for (const torn of ['', '{"client":{"id']) {
      await leave(() => torn);
      const other = await open(state('other'));
      await expect(other.lock()).rejects.toMatchObject({
        ...IN_USE,
        message: expect.stringContaining('somebody'),
      });
      await other.close();
      expect(readFileSync(lockFile(), 'utf8')).toBe(torn);
      const next = await open();
      await next.lock();
      await next.close();
      expect(existsSync(lockFile())).toBe(false);
      // Given back, nothing is left to be taken over.
      writeFileSync(lockFile(), torn);
      const later = await open();
      await expect(later.lock()).rejects.toMatchObject(IN_USE);
      await later.close();
      expect(readFileSync(lockFile(), 'utf8')).toBe(torn);
      rmSync(lockFile());
    }
  });
});
