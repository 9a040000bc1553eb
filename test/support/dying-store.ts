import { statSync, truncateSync } from 'node:fs';
import { localStore } from '../../src/backends/local/local-store.js';
import type { Store, StoreFile } from '../../src/device/store.js';

/** The store of a process that dies in its step number `at`, which is not done, or by half (a clone); steps change something. */
export function dyingStore(at: number): Store {
  let steps = 0;
  const step = async <T>(work: () => Promise<T>, tear: () => Promise<unknown>): Promise<T> => {
    const now = steps++;
    if (now < at) return work();
    if (now === at) await tear();
    throw new Error('dead');
  };
  const none = async () => undefined;
  const file = (open: StoreFile): StoreFile =>
    new Proxy(open, {
      get: (target, key) => {
        if (key === 'writeAt')
          return (...args: Parameters<StoreFile['writeAt']>) => step(() => target.writeAt(...args), none);
        const value: unknown = Reflect.get(target, key, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  return {
    ...localStore,
    open: async (path, mode) => file(await localStore.open(path, mode)),
    rename: (from, to) => step(() => localStore.rename(from, to), none),
    remove: (path) => step(() => localStore.remove(path), none),
    removeAll: async (folder, names) => {
      for (const name of names) await step(() => localStore.removeAll(folder, [name]), none);
    },
    replaceFile: (path, bytes) => step(() => localStore.replaceFile(path, bytes), none),
    cloneFile: (source, target) =>
      step(
        async () => localStore.cloneFile?.(source, target),
        async () => truncateSync(target, statSync(target, { throwIfNoEntry: false }) ? 512 : 0),
      ),
  };
}
