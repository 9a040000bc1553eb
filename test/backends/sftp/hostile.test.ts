import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SFTPWrapper } from 'ssh2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect } from '../../../src/backends/sftp/connect.js';
import type { Session } from '../../../src/backends/sftp/session.js';
import { SftpStore } from '../../../src/backends/sftp/sftp-store.js';
import { parseTarget } from '../../../src/backends/sftp/target.js';
import type { Store } from '../../../src/device/store.js';
import { judge, run } from '../../support/judges.js';
import { startSshServer } from '../../support/ssh-server.js';

const FILE = 0o100644;
const FOLDER = 0o040755;
const OK = 0;
const EOF = 1;
const none = async (): Promise<void> => undefined;
const attributes = (size: number, mode = FILE) => ({ mode, size, uid: 0, gid: 0, atime: 0, mtime: 0 });

describe.skipIf(!judge('ssh-keygen'))('a server that lies', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'vmreclaim-lies-'));
    run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, 'host')]);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  /** Runs `work` on a store of the scripted server. */
  async function lying(
    script: (sftp: SFTPWrapper) => void,
    work: (store: Store) => Promise<void>,
  ): Promise<void> {
    const server = await startSshServer({ hostKey: join(folder, 'host'), sftp: script });
    const options = { stateFolder: folder, acceptNewHostKey: true, sshConfig: config(server.port) };
    const session = await connect(parseTarget(`sftp://x@127.0.0.1:${server.port}/`), options);
    const store = new SftpStore(session, options, {
      connect: async () => session,
      lockLocally: async () => ({ mayHaveLeft: false, remember: none, close: none }),
      journals: { store: {} as Store, client: { id: 'x', host: 'x' }, folderOf: (path) => path },
    });
    try {
      await work(store);
    } finally {
      store.end();
      server.close();
    }
  }

  function config(port: number): string {
    const path = join(folder, `config-${port}`);
    run('sh', [
      '-c',
      'printf "UserKnownHostsFile %s\\nIdentityFile none\\n" "$1" > "$2"',
      'x',
      `${path}-hosts`,
      path,
    ]);
    return path;
  }

  const path = (store: Store, name: string): string => store.join(store.label, name);
  const nonsense = { family: 'device', code: 'server-answer' };

  it('about sizes', async () => {
    await lying(
      (sftp) => {
        sftp.on('LSTAT', (id) => sftp.attrs(id, attributes(2 ** 60)));
        sftp.on('STAT', (id) => sftp.attrs(id, attributes(5000)));
        sftp.on('OPEN', (id) => sftp.handle(id, Buffer.from('h')));
        sftp.on('FSTAT', (id) => sftp.attrs(id, attributes(5000)));
        // Ends after 100 bytes, in drops.
        sftp.on('READ', (id, _handle, offset) =>
          offset >= 100 ? sftp.status(id, EOF) : sftp.data(id, Buffer.alloc(10)),
        );
        sftp.on('CLOSE', (id) => sftp.status(id, OK));
      },
      async (store) => {
        await expect(store.stat(path(store, 'x'))).rejects.toMatchObject(nonsense);
        const short = { code: 'short-read', detail: { expected: 5000, actual: 100 } };
        await expect(store.readFile(path(store, 'x'), 10_000)).rejects.toMatchObject(short);
        await expect(store.readFile(path(store, 'x'), 4999)).rejects.toMatchObject({
          code: 'file-too-large',
        });
      },
    );
  });

  it('with more bytes than were asked for: they are not taken', async () => {
    await lying(
      (sftp) => {
        sftp.on('STAT', (id) => sftp.attrs(id, attributes(10)));
        sftp.on('OPEN', (id) => sftp.handle(id, Buffer.from('h')));
        sftp.on('FSTAT', (id) => sftp.attrs(id, attributes(10)));
        sftp.on('READ', (id) => sftp.data(id, Buffer.alloc(5000, 7)));
        sftp.on('CLOSE', (id) => sftp.status(id, OK));
      },
      async (store) => {
        expect(await store.readFile(path(store, 'x'), 100)).toEqual(new Uint8Array(10).fill(7));
      },
    );
  });

  const listing = (names: (round: number) => readonly string[] | undefined) => (sftp: SFTPWrapper) => {
    let round = 0;
    sftp.on('OPENDIR', (id) => sftp.handle(id, Buffer.from('d')));
    sftp.on('READDIR', (id) => {
      const list = names(round++);
      if (list === undefined) sftp.status(id, EOF);
      else
        sftp.name(
          id,
          list.map((filename) => ({ filename, longname: '', attrs: attributes(0) })),
        );
    });
    sftp.on('CLOSE', (id) => sftp.status(id, OK));
  };

  it.each([['a/b'], ['../../etc/passwd'], [''], ['x\0y'], ['y'.repeat(600)]])(
    'about the name %j',
    async (name) => {
      await lying(
        listing((round) => (round === 0 ? ['fine', name] : undefined)),
        async (store) => {
          await expect(store.list(store.label)).rejects.toMatchObject(nonsense);
        },
      );
    },
  );

  it('keeps names with control characters as they are: what shows them cleans them', async () => {
    const names = ['\u001b[31mred', 'a\nb', '\u202eevil'].sort();
    await lying(
      listing((round) => (round === 0 ? names : undefined)),
      async (store) => {
        expect((await store.list(store.label)).map(({ name }) => name)).toEqual(names);
      },
    );
  });

  it('with a list that never ends, or repeats itself', async () => {
    const endless = (round: number) => Array.from({ length: 5000 }, (_, i) => `${round}-${i}`);
    await lying(listing(endless), async (store) => {
      await expect(store.list(store.label)).rejects.toMatchObject(nonsense);
    });
    await lying(
      listing(() => ['same']),
      async (store) => {
        await expect(store.list(store.label)).rejects.toMatchObject(nonsense);
      },
    );
  });

  it('by showing a FIFO or folder as a disk', async () => {
    for (const mode of [0o010644, FOLDER]) {
      await lying(
        (sftp) => void sftp.on('STAT', (id) => sftp.attrs(id, attributes(5000, mode))),
        async (store) => {
          await expect(store.open(path(store, 'x'), 'read')).rejects.toMatchObject({ code: 'not-a-file' });
        },
      );
    }
  });

  it('is refused for changes when it cannot flush', async () => {
    await lying(
      (sftp) => {
        sftp.on('STAT', (id) => sftp.attrs(id, attributes(5000)));
        sftp.on('OPEN', (id) => sftp.handle(id, Buffer.from('h')));
        sftp.on('FSTAT', (id) => sftp.attrs(id, attributes(5000)));
        sftp.on('CLOSE', (id) => sftp.status(id, OK));
      },
      async (store) => {
        const refusal = {
          family: 'refused',
          code: 'no-flush',
          detail: { hint: expect.stringContaining('--allow-unsafe-flush') },
        };
        await expect(store.open(path(store, 'x'), 'write')).rejects.toMatchObject(refusal);
        await (await store.open(path(store, 'x'), 'read')).close();
      },
    );
  });

  it('by going away in the middle: everything under way is rejected, and what comes later too', async () => {
    await lying(
      (sftp) => {
        sftp.on('LSTAT', () => sftp.end());
      },
      async (store) => {
        const lost = { family: 'device', code: 'link-lost' };
        const under = [1, 2, 3].map((n) => store.stat(path(store, `${n}`)));
        for (const each of under) await expect(each).rejects.toMatchObject(lost);
        await expect(store.stat(path(store, 'later'))).rejects.toMatchObject(lost);
      },
    );
  });

  it('by not answering: there is a deadline', async () => {
    const server = await startSshServer({
      hostKey: join(folder, 'host'),
      sftp: (sftp) => void sftp.on('LSTAT', () => undefined),
    });
    const options = { stateFolder: folder, acceptNewHostKey: true, sshConfig: config(server.port) };
    const session: Session = await connect(parseTarget(`sftp://x@127.0.0.1:${server.port}/`), options);
    const silent = session.request((sftp, done) => sftp.lstat('/x', done), 200);
    await expect(silent).rejects.toMatchObject({
      code: 'link-lost',
      message: expect.stringContaining('does not answer'),
    });
    server.close();
  });
});
