import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { deviceError } from '../core/errors.js';
import type { ClientName, JournalRoom, Store } from '../device/store.js';
import type { LocalLock } from './sftp/take-lock.js';

const PRIVATE_FOLDER = 0o700;
const PRIVATE_FILE = 0o600;
const CLIENT_ID = /^[0-9a-f]{32}$/;

/**
 * The folder of this client: its id, the journals of runs on remote disks (`runs/`), and locks for its own processes
 * (`locks/`). It is made when it is needed. Throws Device (state-folder).
 */
export interface StateFolder {
  readonly journals: JournalRoom;
  /** A lock of the kernel for the disk at a URL, until it is closed or the process ends. Conflict (in-use). */
  lock(url: string): Promise<LocalLock>;
}

export async function openStateFolder(folder: string, store: Store): Promise<StateFolder> {
  const client = await prepare(folder);
  return {
    journals: { store, client, folderOf: (url) => store.join(folder, 'runs', nameOf(url)) },
    lock: async (url) => {
      const path = store.join(folder, 'locks', nameOf(url));
      await writeFile(path, '', { flag: 'a', mode: PRIVATE_FILE });
      const file = await store.open(path, 'write');
      try {
        await file.lock();
        // One byte in it says that there may be a lock file on the server.
        return {
          mayHaveLeft: file.sizeBytes > 0,
          remember: async (mayBeThere) => {
            await file.resize(mayBeThere ? 1 : 0);
            await file.flush();
          },
          close: () => file.close(),
        };
      } catch (error) {
        await file.close();
        throw error;
      }
    },
  };
}

async function prepare(folder: string): Promise<ClientName> {
  try {
    for (const name of ['runs', 'locks']) {
      await mkdir(join(folder, name), { recursive: true, mode: PRIVATE_FOLDER });
    }
    return { id: await clientId(join(folder, 'client-id')), host: hostname() };
  } catch (cause) {
    throw deviceError('state-folder', `the state folder cannot be used: ${folder}`, {
      path: folder,
      cause,
      hint: 'name another one with VMRECLAIM_STATE_DIR',
    });
  }
}

/** Made once, and never replaced: whoever comes second takes what is there. */
async function clientId(path: string): Promise<string> {
  await writeFile(path, `${randomBytes(16).toString('hex')}\n`, { flag: 'wx', mode: PRIVATE_FILE }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    },
  );
  const id = (await readFile(path, 'utf8')).trim();
  if (!CLIENT_ID.test(id)) throw new Error(`${path} holds no id`);
  return id;
}

/** A name that any file system takes, the same for the same URL. */
const nameOf = (url: string): string => createHash('sha256').update(url).digest('hex').slice(0, 32);
