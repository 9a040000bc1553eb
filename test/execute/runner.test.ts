import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Runner, type RunProgress } from '../../src/execute/runner.js';
import type { FileOperation, Phase } from '../../src/program/types.js';
import type { CrashStore } from '../support/crash-store.js';
import { FaultyDevice } from '../support/faulty-device.js';
import { MemoryDevice } from '../support/memory-device.js';
import { randomBytes } from '../support/random.js';
import { anyProgram, testDisk } from './programs.js';
import { DISK, openRun, RUN, storeWithRun } from './run.js';

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

/** The disk as a run without any trouble leaves it. */
async function wholeRun(program: readonly Phase[]): Promise<MemoryDevice> {
  const store = await storeWithRun(testDisk(1), program);
  await (await openRun(store)).runner.runThrough('finish');
  return store.image(DISK);
}

/** A runner for the run in the store, on a device of its own. */
async function runOn(store: CrashStore, device: FaultyDevice | MemoryDevice): Promise<unknown> {
  const { journal } = await openRun(store);
  return new Runner(journal, device, store).runThrough('finish');
}

const copy = (from: number, to: number, spill: boolean): Phase => ({
  stage: 'change',
  why: 'copy',
  operations: [
    { op: 'copy', from: 0, to: 20_000, length: 100 },
    { op: 'copy', from, to, length: 500 },
  ],
  ...(spill ? { spill } : {}),
});

describe('a run that is asked to stop', () => {
  it('stops at a checkpoint, and goes on from there to the same end', async () => {
    await fc.assert(
      fc.asyncProperty(anyProgram, fc.nat(5), async (program, after) => {
        const whole = await wholeRun(program);
        const store = await storeWithRun(testDisk(1), program);
        const controller = new AbortController();
        let done = 0;
        const first = await openRun(store, {
          signal: controller.signal,
          onProgress: ({ phase }) => {
            done = phase;
            if (phase > after) controller.abort();
          },
        });
        const stops = after + 1 < program.length;
        if (stops) {
          await expect(first.runner.runThrough('finish')).rejects.toThrow(
            expect.objectContaining({ family: 'interrupted', code: 'stopped' }),
          );
          expect(done).toBe(after + 1);
        } else await first.runner.runThrough('finish');
        const counters = await (await openRun(store)).runner.runThrough('finish');
        expect(store.image(DISK).equals(whole)).toBe(true);
        expect(counters.bytesCopied).toBe(first.journal.header.totals.bytesToCopy);
      }),
      { numRuns: 60 },
    );
  });

  it('before its first phase changes nothing', async () => {
    const store = await storeWithRun(testDisk(1), [copy(1000, 9000, false)]);
    const { journal, runner } = await openRun(store, { signal: AbortSignal.abort() });
    await expect(runner.runThrough('finish')).rejects.toThrow(expect.objectContaining({ code: 'stopped' }));
    expect(store.image(DISK).equals(testDisk(1))).toBe(true);
    expect(await journal.checkpoints.read()).toMatchObject({ started: false, phase: 0 });
  });
});

describe('a device that fails', () => {
  it('in a flush stops the run at once, and a later attempt ends as if nothing had been', async () => {
    await fc.assert(
      fc.asyncProperty(anyProgram, fc.integer({ min: 1, max: 4 }), async (program, nth) => {
        const whole = await wholeRun(program);
        const store = await storeWithRun(testDisk(1), program);
        const disk = testDisk(1);
        const faulty = new FaultyDevice(disk, [{ fail: 'flush', nth }]);
        if (nth <= program.length) {
          await expect(runOn(store, faulty)).rejects.toThrow(expect.objectContaining({ code: 'io' }));
          // The flush that failed was the last thing the disk saw.
          expect(faulty.counts.flushes).toBe(nth);
          const { journal } = await openRun(store);
          expect((await journal.checkpoints.read())?.phase).toBeLessThan(nth);
        }
        await runOn(store, disk);
        expect(disk.equals(whole)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it.each([true, false])('in a read leaves the targets of that phase alone: spill %s', async (spill) => {
    const store = await storeWithRun(testDisk(1), [copy(1000, 9000, spill)]);
    const disk = testDisk(1);
    const faulty = new FaultyDevice(disk, [{ fail: 'read', range: { at: 1200, length: 1 } }]);
    await expect(runOn(store, faulty)).rejects.toThrow(expect.objectContaining({ family: 'device' }));
    expect(faulty.counts.changes).toBe(0);
    expect(disk.equals(testDisk(1))).toBe(true);
    await runOn(store, disk);
    expect(disk.bytes(9000, 500)).toEqual(testDisk(1).bytes(1000, 500));
  });

  it('in any write, torn or not, is made good by the next attempt', async () => {
    await fc.assert(
      fc.asyncProperty(
        anyProgram,
        fc.integer({ min: 1, max: 12 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        async (program, nth, fraction) => {
          const whole = await wholeRun(program);
          const store = await storeWithRun(testDisk(1), program);
          const disk = testDisk(1);
          const faulty = new FaultyDevice(disk, [{ fail: 'change', nth, torn: { fraction, grain: 1 } }]);
          await runOn(store, faulty).catch((error) => expect(error).toMatchObject({ code: 'io' }));
          await runOn(store, disk);
          expect(disk.equals(whole)).toBe(true);
        },
      ),
      { numRuns: 100 },
    );
  });
});

describe('a run', () => {
  it('tells how far it is, and what it did', async () => {
    const program: Phase[] = [
      { stage: 'change', why: 'patch', operations: [{ op: 'write', at: 0, bytes: randomBytes(10, 1) }] },
      { stage: 'change', why: 'clear', operations: [{ op: 'discard', at: 100, length: 30 }] },
      copy(1000, 9000, true),
    ];
    const seen: RunProgress[] = [];
    const store = await storeWithRun(testDisk(1), program);
    const { runner } = await openRun(store, { onProgress: (progress) => seen.push(progress) });
    expect(await runner.runThrough('finish')).toEqual({
      bytesCopied: 600,
      bytesWritten: 610,
      bytesDiscarded: 30,
    });
    expect(seen.map(({ why, phase, phases }) => [why, phase, phases])).toEqual([
      ['patch', 1, 3],
      ['clear', 2, 3],
      ['copy', 3, 3],
    ]);
    expect(seen.at(-1)).toMatchObject({ bytesCopied: 600, bytesToCopy: 600 });
  });

  it('goes on from the clone that a checkpoint names, and from no other', async () => {
    const program: Phase[] = [{ ...copy(1000, 1200, true), spill: 'shared' }];
    const begun = async (clone: MemoryDevice) => {
      const store = await storeWithRun(testDisk(1), program);
      const { journal, runner } = await openRun(store);
      const first = await journal.checkpoints.read();
      if (first === undefined) throw new Error('no checkpoint');
      await journal.checkpoints.write({ ...first, sequence: 1, started: true, cloned: true });
      store.put(`${RUN}/clone`, clone);
      return { store, runner };
    };
    const other = testDisk(2);
    const whole = await begun(other);
    await whole.runner.runThrough('finish');
    expect(whole.store.image(DISK).bytes(1200, 500)).toEqual(other.bytes(1000, 500));
    expect(whole.store.image(`${RUN}/clone`).sizeBytes).toBe(0);
    const torn = await begun(MemoryDevice.of(other.bytes(0, 5000)));
    await expect(torn.runner.runThrough('finish')).rejects.toThrow(
      expect.objectContaining({ family: 'damaged', code: 'journal' }),
    );
    expect(torn.store.image(DISK).equals(testDisk(1))).toBe(true);
  });

  it('refuses a program that breaks the laws before it does anything', async () => {
    const store = await storeWithRun(testDisk(1), [copy(1000, 1200, false)]);
    await expect((await openRun(store)).runner.runThrough('finish')).rejects.toThrow(
      expect.objectContaining({ family: 'internal', code: 'law' }),
    );
    expect(store.image(DISK).equals(testDisk(1))).toBe(true);
  });

  it('says when it may no longer be dropped: with the first phase that changes the disk', async () => {
    const hide: Phase = { stage: 'prepare', why: 'hide', operations: [{ op: 'remove', file: '/x' }] };
    const store = await storeWithRun(testDisk(1), [hide, copy(1000, 9000, true)]);
    const states: unknown[] = [];
    const { journal } = await openRun(store);
    const disk = testDisk(1);
    const write = disk.writeAt.bind(disk);
    disk.writeAt = async (at, bytes) => {
      states.push((await journal.checkpoints.read())?.started);
      return write(at, bytes);
    };
    expect((await journal.checkpoints.read())?.started).toBe(false);
    await new Runner(journal, disk, store).runThrough('change');
    expect(new Set(states)).toEqual(new Set([true]));
  });

  it('keeps what belongs behind the verification until then, also over a new attempt', async () => {
    const finish: Phase = {
      stage: 'finish',
      why: 'finish',
      operations: [{ op: 'rename', from: '/a', to: '/b' }],
    };
    const write: Phase = {
      stage: 'change',
      why: 'write',
      operations: [{ op: 'write', at: 0, bytes: text('x') }],
    };
    const store = await storeWithRun(testDisk(1), [write, finish]);
    store.put('/a', MemoryDevice.of(text('descriptor')));
    const { runner } = await openRun(store);
    await runner.runThrough('change');
    expect(store.paths).toContain('/a');
    expect(await runner.isVerified()).toBe(false);
    await runner.markVerified();
    const again = (await openRun(store)).runner;
    expect(await again.isVerified()).toBe(true);
    await again.runThrough('finish');
    expect(store.paths).toContain('/b');
    expect(await again.isVerified()).toBe(true);
  });
});

describe('an operation on a file', () => {
  const run = async (store: CrashStore): Promise<unknown> =>
    (await openRun(store)).runner.runThrough('finish');

  /** Forgets the newest checkpoint: the last phase runs again, as after a crash. */
  async function forgetLast(store: CrashStore): Promise<void> {
    const newest = (await (await openRun(store)).journal.checkpoints.read())?.sequence ?? 0;
    const slots = store.image(`${RUN}/checkpoint`).bytes();
    slots.fill(0, (newest % 2) * 4096, (newest % 2) * 4096 + 4096);
    store.put(`${RUN}/checkpoint`, MemoryDevice.of(slots));
  }

  async function storeWith(operation: FileOperation, files: Record<string, string>): Promise<CrashStore> {
    const store = await storeWithRun(testDisk(1), [
      { stage: 'change', why: 'file', operations: [operation] },
    ]);
    for (const [path, content] of Object.entries(files)) store.put(path, MemoryDevice.of(text(content)));
    return store;
  }

  const contents = (store: CrashStore): Record<string, string> =>
    Object.fromEntries(
      store.paths
        .filter((path) => path.startsWith('/vm'))
        .map((path) => [path, new TextDecoder().decode(store.image(path).bytes())]),
    );

  const edit: FileOperation = { op: 'text', file: '/vm.vmx', before: text('old'), after: text('new!') };
  const hide: FileOperation = { op: 'rename', from: '/vm.vmdk', to: '/vm.vmdk.hidden' };
  const drop: FileOperation = { op: 'remove', file: '/vm-ctk.vmdk' };

  it.each<[FileOperation, Record<string, string>, Record<string, string>]>([
    [edit, { '/vm.vmx': 'old' }, { '/vm.vmx': 'new!' }],
    [hide, { '/vm.vmdk': 'd' }, { '/vm.vmdk.hidden': 'd' }],
    [drop, { '/vm-ctk.vmdk': 'c' }, {}],
  ])('is done once, however often it runs: %j', async (operation, before, after) => {
    const store = await storeWith(operation, before);
    await run(store);
    expect(contents(store)).toEqual(after);
    for (let again = 0; again < 2; again++) {
      await forgetLast(store);
      await run(store);
      expect(contents(store)).toEqual(after);
    }
  });

  it('does not overwrite what somebody else wrote meanwhile', async () => {
    const store = await storeWith(edit, { '/vm.vmx': 'mine' });
    await expect(run(store)).rejects.toThrow(
      expect.objectContaining({ family: 'conflict', code: 'file-changed' }),
    );
    expect(contents(store)).toEqual({ '/vm.vmx': 'mine' });
  });

  it('does not replace a file that has come into its way', async () => {
    const store = await storeWith(hide, { '/vm.vmdk': 'd', '/vm.vmdk.hidden': 'other' });
    await expect(run(store)).rejects.toThrow(expect.objectContaining({ family: 'conflict' }));
    expect(contents(store)).toEqual({ '/vm.vmdk': 'd', '/vm.vmdk.hidden': 'other' });
  });
});
