import { resolve } from 'node:path';
import { internalError, unsupported } from '../core/errors.js';
import type { Store } from '../device/store.js';
import { localStore } from './local/local-store.js';
import type { RemoteOptions } from './sftp/options.js';
import type { RemoteShell } from './sftp/shell.js';

export { openScratch } from './local/scratch.js';
export type { RemoteOptions } from './sftp/options.js';

/** A target as the user wrote it, taken apart. */
export interface Location {
  readonly store: Store;
  /** The store's own absolute path. */
  readonly path: string;
  /** The other machine that the store is on. Absent: this one. */
  readonly remote?: RemoteMachine;
}

/** What can be asked of the machine that a store is on. */
export interface RemoteMachine {
  readonly shell: RemoteShell;
  /** A path of the store as that machine knows it. */
  pathOf(path: string): string;
}

/** Opens the store behind a scheme. */
type Opener = (target: string, options: RemoteOptions) => Promise<Location>;

/** One line a scheme; what has none is a path. */
const SCHEMES: ReadonlyMap<string, Opener> = new Map([
  [
    'sftp',
    async (target, options) => {
      const [{ openSftp }, { openStateFolder }] = await Promise.all([
        import('./sftp/index.js'),
        import('./state-folder.js'),
      ]);
      const { journals, lock } = await openStateFolder(options.stateFolder, localStore);
      const { store, path } = await openSftp(target, options, { journals, lockLocally: lock });
      return { store, path, remote: { shell: store.shell, pathOf: (url) => store.pathOnServer(url) } };
    },
  ],
]);

const SCHEME = /^([a-z][a-z0-9+.-]+):\/\//i;

/** The store and path of a target: `sftp://...` goes to its backend, everything else is a local path. */
export async function locate(target: string, remote?: RemoteOptions): Promise<Location> {
  const scheme = SCHEME.exec(target)?.[1]?.toLowerCase();
  if (scheme === undefined) return { store: localStore, path: resolve(target) };
  const open = SCHEMES.get(scheme);
  if (open !== undefined) {
    if (remote === undefined) throw internalError('remote-options', 'a remote target without options');
    return open(target, remote);
  }
  throw unsupported('scheme', `targets of the scheme ${scheme} are not supported by this version`, {
    hint: 'mount the datastore and give its path',
  });
}

/** Outside programs, and devices as files for them: loaded when a file system needs them. */
export const loadPrograms = () => import('./local/programs.js');
export const loadNbd = () => import('./local/nbd/server.js');
export const loadServedFile = () => import('./local/served-file.js');
