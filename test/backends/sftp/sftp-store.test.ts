import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { chmod, stat, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe } from 'vitest';
import { locate } from '../../../src/backends/registry.js';
import { blockDeviceContract } from '../../contract/block-device.js';
import { storeContract } from '../../contract/store.js';
import { judge } from '../../support/judges.js';
import { randomBytes } from '../../support/random.js';
import { Sshd } from '../../support/sshd.js';

const SIZE = 65_536 + 300;
const hasServer = judge('sshd', 'ssh-keygen');

describe.skipIf(!hasServer)('over SFTP', () => {
  let server: Sshd;
  let folder: string;
  beforeAll(async () => {
    server = await Sshd.start();
    folder = mkdtempSync(join(server.folder, 'files-'));
  });
  afterAll(() => server.remove());

  let made = 0;
  const newPath = (): string => join(folder, `file ${++made}`);
  const open = async (path: string) => locate(server.url(path), server.options());

  async function openFilled(mode: 'read' | 'write') {
    const file = newPath();
    writeFileSync(file, randomBytes(SIZE, 7));
    const { store, path } = await open(file);
    return { device: await store.open(path, mode), cleanup: async () => rmSync(file) };
  }

  blockDeviceContract('a remote file', () => openFilled('write'), { runs: 12 });
  blockDeviceContract('a remote file open for reading', () => openFilled('read'), { runs: 5 });
  blockDeviceContract(
    'a locked remote file',
    async () => {
      const made = await openFilled('write');
      await made.device.lock();
      return made;
    },
    { runs: 12 },
  );
  storeContract('an SFTP server', async () => {
    const local = newPath();
    mkdirSync(local);
    const { store, path } = await open(local);
    const prefix = server.url();
    const bare = (url: string): string => (url.startsWith(prefix) ? url.slice(prefix.length) : url);
    return {
      store,
      folder: path,
      link: (target: string, at: string) => symlink(bare(target), bare(at)),
      mode: async (file: string) => (await stat(bare(file))).mode & 0o7777,
      setMode: (file: string, mode: number) => chmod(bare(file), mode),
      cleanup: async () => rmSync(local, { recursive: true }),
    };
  });
});
