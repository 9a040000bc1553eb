import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, open, realpath, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { deviceNumber } from '../../../src/backends/local/device-number.js';
import { storeError } from '../../../src/backends/local/errors.js';
import { createLocalStore, localStore } from '../../../src/backends/local/local-store.js';
import { loadNative, type NativeCalls } from '../../../src/backends/local/native.js';
import { refused } from '../../../src/core/errors.js';
import { MIB, TIB } from '../../../src/core/units.js';
import type { Store } from '../../../src/device/store.js';
import { blockDeviceContract, expectSame } from '../../contract/block-device.js';
import { storeContract } from '../../contract/store.js';
import { judge, rootJudge, run } from '../../support/judges.js';
import { randomBytes } from '../../support/random.js';

const SIZE = 65_536 + 300;
const native = await loadNative();
const without: Store = createLocalStore(async () => undefined);
if (native === undefined) process.stderr.write('skipped: koffi is not installed or switched off\n');
const isLockable = native !== undefined || judge('flock');

let folder: string;
beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'vmreclaim-local-')));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

let made = 0;
const newPath = (): string => join(folder, `file-${++made}`);

async function openFilled(store: Store) {
  const path = newPath();
  await writeFile(path, randomBytes(SIZE, 7));
  return { device: await store.open(path, 'write'), cleanup: () => rm(path) };
}

async function storeSubject(store: Store) {
  const path = newPath();
  await mkdir(path);
  return {
    store,
    folder: path,
    link: symlink,
    mode: async (file: string) => (await stat(file)).mode & 0o7777,
    setMode: chmod,
    cleanup: () => rm(path, { recursive: true }),
  };
}

const ways = [
  { way: 'with native calls', store: localStore, skip: native === undefined },
  { way: 'without native calls', store: without, skip: false },
];

for (const { way, store, skip } of ways) {
  describe.skipIf(skip)(`local ${way}`, () => {
    blockDeviceContract('a local file', () => openFilled(store), { runs: 25 });
    blockDeviceContract('a local file open for reading', async () => {
      const { device, cleanup } = await openFilled(store);
      await device.close();
      return { device: await store.open(device.label, 'read'), cleanup };
    });
    describe.skipIf(!isLockable)('as a store', () => {
      storeContract('the local file system', () => storeSubject(store));
    });

    it('does not let a thin file grow by discarding', async () => {
      const file = await store.open(newPath(), 'create');
      await file.resize(64 * MIB);
      await file.writeAt(5 * MIB + 11, randomBytes(100, 1));
      await file.discard(0, 64 * MIB);
      await file.flush();
      expect((await store.stat(file.label))?.allocatedBytes).toBeLessThanOrEqual(8192);
      expectSame(await file.readAt(5 * MIB, 4096), new Uint8Array(4096));
      await file.close();
    });

    it('leaves the neighbours of an odd range alone', async () => {
      const { device } = await openFilled(store);
      const before = await device.readAt(0, SIZE);
      await device.discard(4095, 20_003);
      before.fill(0, 4095, 4095 + 20_003);
      expectSame(await device.readAt(0, SIZE), before);
      await device.close();
    });

    it('lets timers and signals have their turn between many small reads', async () => {
      const { device } = await openFilled(store);
      let isOver = false;
      setTimeout(() => {
        isOver = true;
      }, 1);
      for (let reads = 0; !isOver; reads++) await device.readAt((reads * 512) % (SIZE - 100), 100);
      await device.close();
    });

    it('names what failed', async () => {
      await expect(store.open(join(folder, 'nowhere'), 'write')).rejects.toMatchObject({
        family: 'device',
        code: 'not-found',
        detail: { path: join(folder, 'nowhere') },
      });
      await expect(store.open('/dev/null', 'read')).rejects.toMatchObject({ code: 'not-a-file' });
    });

    it('reports a file that was cut behind its back', async () => {
      const { device } = await openFilled(store);
      const handle = await open(device.label, 'r+');
      await handle.truncate(1000);
      await handle.close();
      await expect(device.readAt(990, 100)).rejects.toMatchObject({
        family: 'device',
        code: 'short-read',
        detail: { expected: 100, actual: 10 },
      });
      await device.close();
    });

    it('stops reading when asked to', async () => {
      const { device } = await openFilled(store);
      await expect(device.readAt(0, 10, AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough');
      await device.close();
    });
  });
}

describe.skipIf(native === undefined)('local files with native calls', () => {
  it('know their holes and make new ones', async () => {
    const file = await localStore.open(newPath(), 'create');
    await file.resize(16 * MIB);
    await file.writeAt(MIB, randomBytes(2 * MIB, 1));
    await file.writeAt(9 * MIB, randomBytes(4096, 2));
    expect(await file.dataRanges(0, 16 * MIB)).toEqual([
      { at: MIB, length: 2 * MIB },
      { at: 9 * MIB, length: 4096 },
    ]);
    expect(await file.dataRanges(MIB + 5, 10)).toEqual([{ at: MIB + 5, length: 10 }]);
    await file.discard(2 * MIB, MIB);
    expect(await file.dataRanges(0, 8 * MIB)).toEqual([{ at: MIB, length: MIB }]);
    await file.copyRange(0, 4 * MIB, 3 * MIB);
    expect(await file.dataRanges(2 * MIB, 6 * MIB)).toEqual([{ at: 5 * MIB, length: MIB }]);
    expect(file.capabilities).toMatchObject({ discard: true, dataRanges: true });
    await file.close();
  });

  it('reach places far beyond 32 bits', async () => {
    const file = await localStore.open(newPath(), 'create');
    const far = 4 * TIB + 12_345;
    await file.resize(5 * TIB);
    await file.writeAt(far, randomBytes(100, 1));
    expectSame(await file.readAt(far - 50, 150).then((bytes) => bytes.subarray(50)), randomBytes(100, 1));
    const data = await file.dataRanges(0, 5 * TIB);
    expect(data).toHaveLength(1);
    expect(data[0]?.at).toBeLessThanOrEqual(far);
    await file.copyRange(far - 12_345, 7, TIB);
    expectSame(await file.readAt(7 + 12_345, 100), randomBytes(100, 1));
    await file.discard(0, 5 * TIB);
    expect(await file.dataRanges(0, 5 * TIB)).toEqual([]);
    await file.close();
  });

  it('write zeros where the file system cannot punch, and say so', async () => {
    const failing = Object.assign(new Error('EOPNOTSUPP'), { code: 'EOPNOTSUPP' });
    const calls: NativeCalls = {
      ...(native as NativeCalls),
      punchHole: () => {
        throw failing;
      },
    };
    const { device } = await openFilled(createLocalStore(async () => calls));
    expect(device.capabilities.discard).toBe(true);
    await device.discard(100, 50_000);
    expect(device.capabilities.discard).toBe(false);
    expectSame(await device.readAt(100, 50_000), new Uint8Array(50_000));
    expectSame(await device.readAt(50_100, 100), randomBytes(SIZE, 7).subarray(50_100, 50_200));
    await device.close();
  });

  it('copy inside the file system, however little it does at once', async () => {
    let inside = 0;
    const calls: NativeCalls = {
      ...(native as NativeCalls),
      copyRange: (fd, from, to, length) => {
        const copied = (native as NativeCalls).copyRange(fd, from, to, Math.min(length, 3000));
        inside += copied;
        return copied;
      },
    };
    const { device } = await openFilled(createLocalStore(async () => calls));
    expect(device.capabilities.rangeCopy).toBe(true);
    await device.copyRange(100, 30_000, 20_001);
    expect(inside).toBe(20_001);
    const expected = randomBytes(SIZE, 7);
    expected.copyWithin(30_000, 100, 20_101);
    expectSame(await device.readAt(0, SIZE), expected);
    await device.close();
  });

  it.each([
    ['EOPNOTSUPP', false],
    ['EINVAL', false],
    [undefined, true],
  ])('copy through this process where the file system stops half-way (%s)', async (code, canStill) => {
    let first = true;
    const calls: NativeCalls = {
      ...(native as NativeCalls),
      copyRange: (fd, from, to, length) => {
        if (first) {
          first = false;
          return (native as NativeCalls).copyRange(fd, from, to, Math.min(length, 5000));
        }
        if (code === undefined) return 0;
        throw Object.assign(new Error(code), { code });
      },
    };
    const { device } = await openFilled(createLocalStore(async () => calls));
    await device.copyRange(40_000, 7, 20_000);
    expect(device.capabilities.rangeCopy).toBe(canStill);
    const expected = randomBytes(SIZE, 7);
    expected.copyWithin(7, 40_000, 60_000);
    expectSame(await device.readAt(0, SIZE), expected);
    await device.close();
  });

  it('do not take an error of the store for something that cannot be done', async () => {
    const calls: NativeCalls = {
      ...(native as NativeCalls),
      copyRange: () => {
        throw Object.assign(new Error('EIO'), { code: 'EIO' });
      },
    };
    const { device } = await openFilled(createLocalStore(async () => calls));
    await expect(device.copyRange(0, 40_000, 100)).rejects.toMatchObject({ family: 'device' });
    await device.close();
  });

  it('are switched off by the environment', async () => {
    vi.stubEnv('VMRECLAIM_NATIVE', 'off');
    try {
      expect(await loadNative()).toBeUndefined();
      const { device } = await openFilled(localStore);
      expect(device.capabilities).toMatchObject({ discard: false, dataRanges: false, rangeCopy: false });
      expect(await device.dataRanges(5, 10)).toEqual([{ at: 5, length: 10 }]);
      await device.close();
    } finally {
      vi.unstubAllEnvs();
    }
  });

  it('lock against the fallback and the fallback against them', async () => {
    if (!judge('flock')) return;
    const path = newPath();
    await writeFile(path, 'x');
    for (const [one, other] of [
      [localStore, without],
      [without, localStore],
    ] as const) {
      const [first, second] = [await one.open(path, 'write'), await other.open(path, 'write')];
      await first.lock();
      await expect(second.lock()).rejects.toMatchObject({ code: 'in-use' });
      await first.close();
      await second.lock();
      await second.close();
    }
  });
});

describe.skipIf(!isLockable || !judge('qemu-io'))('a running qemu', () => {
  const startQemu = async (path: string): Promise<ChildProcess> => {
    const qemu = spawn('qemu-io', ['-f', 'raw', path], { stdio: ['pipe', 'pipe', 'inherit'] });
    qemu.stdin?.write('read 0 512\n');
    for await (const line of qemu.stdout ?? []) if (String(line).includes('ops')) break;
    return qemu;
  };

  it.each(ways.filter(({ skip }) => !skip))('is noticed $way', async ({ store }) => {
    const path = newPath();
    await writeFile(path, randomBytes(4096, 1));
    const qemu = await startQemu(path);
    const file = await store.open(path, 'write');
    await expect(file.lock()).rejects.toMatchObject({ family: 'conflict', code: 'in-use' });
    await file.close();
    qemu.stdin?.end('quit\n');
    await once(qemu, 'exit');
    const again = await store.open(path, 'write');
    await again.lock();
    await again.close();
  });
});

describe('without any way to lock', () => {
  it('refuses, and says what to install', async () => {
    vi.stubEnv('PATH', folder);
    try {
      const { device } = await openFilled(without);
      await expect(device.lock()).rejects.toMatchObject({
        family: 'refused',
        code: 'no-lock',
        detail: { hint: expect.stringContaining('koffi') },
      });
      await device.close();
    } finally {
      vi.unstubAllEnvs();
    }
  });
});

describe.skipIf(!rootJudge('losetup'))('block devices', () => {
  it('have a size, are read and written, and cannot be resized', async () => {
    const path = newPath();
    await writeFile(path, randomBytes(2 * MIB, 1));
    const loop = run('losetup', ['--find', '--show', path]).trim();
    try {
      const device = await localStore.open(loop, 'write');
      expect(device.sizeBytes).toBe(2 * MIB);
      await device.writeAt(MIB + 5, randomBytes(100, 2));
      await device.discard(4096, 8192);
      await device.discard(20_001, 3);
      await device.flush();
      expectSame(await device.readAt(MIB + 5, 100), randomBytes(100, 2));
      expectSame(await device.readAt(4096, 8192), new Uint8Array(8192));
      expectSame(await device.readAt(20_001, 3), new Uint8Array(3));
      expectSame(await device.readAt(20_000, 1), randomBytes(2 * MIB, 1).subarray(20_000, 20_001));
      expect(device.capabilities.resizable).toBe(false);
      await expect(device.resize(MIB)).rejects.toMatchObject({ code: 'not-resizable' });
      await device.close();
    } finally {
      run('losetup', ['--detach', loop]);
    }
  });
});

describe.skipIf(!rootJudge('mount'))('a full file system', () => {
  it('is reported as such, by writes and replaced files, and nothing is left behind', async () => {
    const mountPoint = newPath();
    await mkdir(mountPoint);
    run('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', mountPoint]);
    try {
      const noSpace = { family: 'device', code: 'no-space' };
      await localStore.replaceFile(join(mountPoint, 'disk.vmdk'), randomBytes(1000, 1));
      expect(await localStore.freeBytes(mountPoint)).toBeLessThanOrEqual(256 * 1024);
      const file = await localStore.open(join(mountPoint, 'flat'), 'create');
      await file.resize(2 * MIB);
      await expect(file.writeAt(0, randomBytes(MIB, 1))).rejects.toMatchObject(noSpace);
      await expect(
        localStore.replaceFile(join(mountPoint, 'disk.vmdk'), randomBytes(9000, 1)),
      ).rejects.toMatchObject(noSpace);
      expect((await localStore.list(mountPoint)).map(({ name }) => name)).toEqual(['disk.vmdk', 'flat']);
      expect(await localStore.readFile(join(mountPoint, 'disk.vmdk'), 1000)).toEqual(randomBytes(1000, 1));
      await file.discard(0, 2 * MIB);
      await file.close();
    } finally {
      run('umount', [mountPoint]);
    }
  });
});

describe.skipIf(native === undefined || !existsSync('/dev/shm'))(
  'a native call on a store that cannot',
  () => {
    it('fails by the name in its manual, which those who go without ask for', async () => {
      const shm = await mkdtemp('/dev/shm/vmreclaim-');
      try {
        const path = join(shm, 'file');
        await writeFile(path, 'bytes');
        const handle = await open(path, 'r+');
        expect(() => native?.cloneRange(handle.fd, handle.fd, 0)).toThrow(
          expect.objectContaining({ code: 'EOPNOTSUPP' }),
        );
        await handle.close();
        expect(await localStore.whyNoClone?.(path)).toMatchObject({ code: 'no-reflink' });
      } finally {
        await rm(shm, { recursive: true });
      }
    });
  },
);

describe('the local store', () => {
  it('opens no FIFO, and does not wait for one', async () => {
    const path = newPath();
    execFileSync('mkfifo', [path]);
    await expect(localStore.open(path, 'read')).rejects.toMatchObject({ code: 'not-a-file' });
    await expect(localStore.readFile(path, 10)).rejects.toMatchObject({ code: 'not-a-file' });
  });

  it('resolves what the user wrote', () => {
    expect(localStore.resolve('/a/b/../c')).toBe('/a/c');
    expect(localStore.isAbsolute(localStore.resolve('disk.vmdk'))).toBe(true);
  });

  it('says a full disk, a missing right and others in words, once', () => {
    const errno = (code: string): Error => Object.assign(new Error(code), { code });
    expect(storeError(errno('ENOSPC'), 'write', '/x', 7)).toMatchObject({
      family: 'device',
      code: 'no-space',
      message: 'cannot write /x: no space left',
      detail: { path: '/x', offset: 7 },
    });
    expect(storeError(errno('EACCES'), 'open', '/x')).toMatchObject({ code: 'permission' });
    expect(storeError(errno('EBUSY'), 'open', '/x')).toMatchObject({ code: 'busy' });
    expect(storeError(errno('EWEIRD'), 'open', '/x')).toMatchObject({
      code: 'io',
      message: 'cannot open /x: EWEIRD',
    });
    const ours = refused('no-lock', 'ours');
    expect(storeError(ours, 'open', '/x')).toBe(ours);
  });

  it('takes device numbers apart as the kernel packs them', () => {
    expect(deviceNumber(0x0801n)).toEqual({ major: 8n, minor: 1n });
    expect(deviceNumber(0xfe00n)).toEqual({ major: 254n, minor: 0n });
    expect(deviceNumber(0x12305n)).toEqual({ major: 0x123n, minor: 5n });
    expect(deviceNumber(0x100000n)).toEqual({ major: 0n, minor: 0x100n });
  });
});
