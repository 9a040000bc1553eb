import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { lockMachine, NOTHING_OWED } from '../../src/app/run/machine-lock.js';
import { localStore } from '../../src/backends/local/local-store.js';
import type { Store } from '../../src/device/store.js';

describe('the lock of a machine', () => {
  const folder = mkdtempSync(join(tmpdir(), 'vmreclaim-machine-lock-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const vmx = join(folder, 'x.vmx');
  const path = `${vmx}.vmreclaim-run`;
  let runs = 0;
  const take = (store: Store = localStore) => {
    const own = {
      formatVersion: 1,
      runId: `run ${++runs}`,
      host: 'here',
      by: 'me',
      startedAt: 'now',
    } as const;
    return lockMachine(store, vmx, own, { signal: new AbortController().signal });
  };

  it('is held by one only, also when it is removed between opening and locking', async () => {
    const first = await take();
    const lateStore: Store = Object.create(localStore, {
      open: {
        value: async (...args: Parameters<Store['open']>) => {
          const file = await localStore.open(...args);
          // The first one ends now: what was opened is no file of this folder any more.
          if (args[1] === 'write') await first.release();
          return file;
        },
      },
    });
    const second = await take(lateStore);
    await expect(take()).rejects.toMatchObject({ family: 'conflict', code: 'machine-locked' });
    await second.release();
    expect(existsSync(path)).toBe(false);
  });

  it.each([
    ['nothing', ''],
    ['zeros', '\0'.repeat(512)],
  ])('is taken where a crash has left %s', async (_, text) => {
    writeFileSync(path, text);
    const lock = await take();
    expect(lock.earlier).toBeNull();
    await lock.release();
  });

  it('keeps what it said until it says something else, with the time it was said', async () => {
    const first = await take();
    await first.note({ powerOn: true, stage: 'asked' });
    await first.leave();
    const second = await take();
    expect(second.earlier).toMatchObject({ powerOn: true, stage: 'asked' });
    await second.leave();
    const third = await take();
    expect(third.earlier).toMatchObject({ powerOn: true, stage: 'asked', since: second.earlier?.since });
    await third.note(NOTHING_OWED);
    expect(third.owed).toEqual({ powerOn: false });
    await third.release();
  });
});
