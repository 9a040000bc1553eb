import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Journal } from '../../src/execute/journal.js';
import { JournalWriter } from '../../src/execute/journal-writer.js';
import { removeRun } from '../../src/execute/run-folder.js';
import type { Phase } from '../../src/program/types.js';
import { CrashStore } from '../support/crash-store.js';
import { MemoryDevice } from '../support/memory-device.js';
import { randomBytes } from '../support/random.js';
import { anyProgram, testDisk } from './programs.js';
import { DISK, openRun, RUN, seal, storeWithRun } from './run.js';

const damage = expect.objectContaining({ family: 'damaged', code: 'journal' });

const write = (at: number, seed: number): Phase => ({
  stage: 'change',
  why: `write ${seed}`,
  operations: [{ op: 'write', at, bytes: randomBytes(100, seed) }],
});
const spill = (from: number, to: number): Phase => ({
  stage: 'change',
  why: 'move',
  operations: [{ op: 'copy', from, to, length: 4000 }],
  spill: true,
});
const PROGRAM = [write(0, 1), spill(1000, 1500), spill(8000, 8100), write(200, 2)];

async function readAll(store: CrashStore): Promise<Phase[]> {
  const journal = await Journal.open(store, DISK);
  const phases: Phase[] = [];
  for await (const { phase } of journal.phases({ phase: 0, offset: 0 })) phases.push(phase);
  return phases;
}

/** Changes bytes of a file in the store. */
function damageFile(store: CrashStore, name: string, change: (bytes: Uint8Array) => Uint8Array): void {
  const path = `${RUN}/${name}`;
  const image = store.image(path);
  store.put(path, MemoryDevice.of(change(image.bytes())));
}

/** Executes the run; whether the disk was written to can be seen by its image. */
const execute = async (store: CrashStore): Promise<unknown> =>
  (await openRun(store)).runner.runThrough('finish');

describe('the program in a journal', () => {
  it('comes back as it was written, from any phase on', async () => {
    await fc.assert(
      fc.asyncProperty(anyProgram, async (program) => {
        const store = await storeWithRun(testDisk(1), program);
        expect(await readAll(store)).toEqual(program);
        const journal = await Journal.open(store, DISK);
        const places = [];
        for await (const place of journal.phases({ phase: 0, offset: 0 })) places.push(place);
        for (const { index, offset } of places) {
          const rest = [];
          for await (const { phase } of journal.phases({ phase: index, offset })) rest.push(phase);
          expect(rest).toEqual(program.slice(index));
        }
      }),
      { numRuns: 60 },
    );
  });

  it('may hold records longer than what is read at once', async () => {
    const long: Phase = {
      stage: 'change',
      why: 'long',
      operations: [{ op: 'write', at: 0, bytes: randomBytes(700_000, 3) }],
    };
    const store = await storeWithRun(testDisk(1), [write(0, 1), long, write(0, 2)]);
    expect((await readAll(store)).map(({ why }) => why)).toEqual(['write 1', 'long', 'write 2']);
  });

  it('counts what a run comes to', async () => {
    const store = await storeWithRun(testDisk(1), [
      ...PROGRAM,
      { stage: 'change', why: 'clear', operations: [{ op: 'discard', at: 0, length: 10 }] },
    ]);
    expect((await Journal.find(store, DISK))?.totals).toEqual({
      phases: 5,
      bytesToCopy: 8000,
      bytesToDiscard: 10,
      spillBytes: 4000,
      sharedBytes: 0,
    });
  });

  it('is damaged when it was cut off anywhere, and no byte is written behind the cut', async () => {
    const sealed = await storeWithRun(testDisk(1), PROGRAM);
    const length = sealed.image(`${RUN}/program`).sizeBytes;
    for (let size = 0; size < length; size += 1 + Math.floor(size / 50)) {
      const store = await storeWithRun(testDisk(1), PROGRAM);
      damageFile(store, 'program', (bytes) => bytes.slice(0, size));
      await expect(readAll(store)).rejects.toThrow(damage);
      await expect(execute(store)).rejects.toThrow(damage);
    }
  });

  it('is damaged when a byte of it changed', async () => {
    const sealed = await storeWithRun(testDisk(1), PROGRAM);
    const { sizeBytes } = sealed.image(`${RUN}/program`);
    for (let at = 0; at < sizeBytes; at += 97) {
      const store = await storeWithRun(testDisk(1), PROGRAM);
      damageFile(store, 'program', (bytes) => {
        bytes[at] = (bytes[at] ?? 0) ^ 4;
        return bytes;
      });
      // The byte between sum and JSON carries nothing.
      await readAll(store).then(
        (phases) => expect(phases).toEqual(PROGRAM),
        (error) => expect(error).toEqual(damage),
      );
    }
  });
});

describe('the checkpoints of a journal', () => {
  /** A run stopped behind two phases, so that both slots are used. */
  async function stopped(): Promise<CrashStore> {
    const store = await storeWithRun(testDisk(1), [write(0, 1), write(0, 2), write(0, 3)]);
    const controller = new AbortController();
    const { runner } = await openRun(store, {
      signal: controller.signal,
      onProgress: ({ phase }) => {
        if (phase === 2) controller.abort();
      },
    });
    await expect(runner.runThrough('finish')).rejects.toThrow(expect.objectContaining({ code: 'stopped' }));
    return store;
  }

  const overwrite = (slot: number) => (bytes: Uint8Array) =>
    bytes.fill(0xff, slot * 4096, slot * 4096 + 4096);

  it('are the newer of two slots, or the one that is whole', async () => {
    const newest = (await (await openRun(await stopped())).journal.checkpoints.read())?.phase;
    expect(newest).toBe(2);
    const phases = [];
    for (const slot of [0, 1]) {
      const store = await stopped();
      damageFile(store, 'checkpoint', overwrite(slot));
      phases.push((await (await openRun(store)).journal.checkpoints.read())?.phase);
    }
    expect(phases.sort()).toEqual([1, 2]);
  });

  it.each<[string, (bytes: Uint8Array) => Uint8Array]>([
    ['both slots are torn', (bytes) => overwrite(0)(overwrite(1)(bytes))],
    ['the file is empty', () => new Uint8Array(0)],
    ['the file is cut off', (bytes) => bytes.slice(0, 5000)],
  ])('are damaged when %s, and nothing is written', async (_, change) => {
    const store = await stopped();
    const before = store.image(DISK);
    damageFile(store, 'checkpoint', change);
    await expect(execute(store)).rejects.toThrow(damage);
    expect(store.image(DISK).equals(before)).toBe(true);
  });
});

describe('the header of a journal', () => {
  const text = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
  const headerOf = (store: CrashStore): Record<string, unknown> =>
    JSON.parse(new TextDecoder().decode(store.image(`${RUN}/run.json`).bytes()));

  it('is what the run was sealed with', async () => {
    const store = await storeWithRun(testDisk(1), PROGRAM);
    expect(await Journal.find(store, DISK)).toMatchObject({
      formatVersion: 1,
      runId: '20260101T000000Z-00c0ff',
      disk: 'disk.raw',
    });
  });

  it('is damaged when it was cut off anywhere', async () => {
    const store = await storeWithRun(testDisk(1), PROGRAM);
    const whole = store.image(`${RUN}/run.json`).bytes();
    for (let size = 0; size < whole.length - 2; size += 7) {
      store.put(`${RUN}/run.json`, MemoryDevice.of(whole.slice(0, size)));
      await expect(Journal.find(store, DISK)).rejects.toThrow(damage);
    }
  });

  it.each<[string, (header: Record<string, unknown>) => unknown]>([
    ['is of another version', (header) => ({ ...header, formatVersion: 2 })],
    ['is no object', () => [1]],
    ['is null', () => null],
    ['has no totals', ({ totals, ...header }) => header],
    ['has no plan', ({ plan, ...header }) => header],
    ['has a plan that is none', (header) => ({ ...header, plan: 7 })],
    ['has no facts', ({ facts, ...header }) => header],
    ['has no run id', ({ runId, ...header }) => header],
    ['has no disk', ({ disk, ...header }) => header],
    ['has extents that are none', (header) => ({ ...header, extents: 'x' })],
    ['has a negative number of phases', (header) => withTotals(header, { phases: -1 })],
    ['has a spill that is no number', (header) => withTotals(header, { spillBytes: '4000' })],
    ['has a spill larger than any', (header) => withTotals(header, { spillBytes: 2 ** 40 })],
  ])('is damaged when it %s', async (_, change) => {
    const store = await storeWithRun(testDisk(1), PROGRAM);
    const before = store.image(DISK);
    store.put(`${RUN}/run.json`, MemoryDevice.of(text(change(headerOf(store)))));
    await expect(execute(store)).rejects.toThrow(damage);
    expect(store.image(DISK).equals(before)).toBe(true);
  });

  function withTotals(header: Record<string, unknown>, totals: object): unknown {
    return { ...header, totals: { ...(header.totals as object), ...totals } };
  }
});

describe('a run', () => {
  it('is not there before it is sealed, and a second one is a conflict afterwards', async () => {
    const store = new CrashStore();
    store.put(DISK, testDisk(1));
    const writer = await JournalWriter.create(store, DISK);
    await writer.append(write(0, 1));
    expect(await Journal.find(store, DISK)).toBeUndefined();
    await expect(Journal.open(store, DISK)).rejects.toThrow(
      expect.objectContaining({ family: 'conflict', code: 'no-run' }),
    );
    await writer.discard();
    await seal(store, PROGRAM);
    await expect(JournalWriter.create(store, DISK)).rejects.toThrow(
      expect.objectContaining({ family: 'conflict', code: 'run-in-flight' }),
    );
    expect(await readAll(store)).toEqual(PROGRAM);
  });

  it('leaves nothing behind when it is discarded or removed', async () => {
    const store = new CrashStore();
    store.put(DISK, testDisk(1));
    const empty = store.paths;
    const writer = await JournalWriter.create(store, DISK);
    await writer.append(write(0, 1));
    await writer.discard();
    expect(store.paths).toEqual(empty);
    await seal(store, PROGRAM);
    const { journal, runner } = await openRun(store);
    await runner.runThrough('finish');
    await journal.remove();
    expect(store.paths).toEqual(empty);
  });

  it('begins anew over what is left of one that was never in force', async () => {
    const store = await storeWithRun(testDisk(1), [spill(0, 100)]);
    await store.remove(`${RUN}/run.json`);
    await seal(store, PROGRAM);
    expect(await readAll(store)).toEqual(PROGRAM);
  });

  it('begins anew over a file that was being written when the power went', async () => {
    const store = await storeWithRun(testDisk(1), [spill(0, 100)]);
    await store.remove(`${RUN}/run.json`);
    store.put(`${RUN}/.run.json.0f3e.tmp`, MemoryDevice.of(new Uint8Array(3)));
    await seal(store, PROGRAM);
    expect(store.paths).not.toContain(`${RUN}/.run.json.0f3e.tmp`);
  });

  it('is over as soon as its header is gone, whatever else is left', async () => {
    for (const name of ['run.json', 'spill', 'checkpoint', 'program']) {
      const store = await storeWithRun(testDisk(1), PROGRAM);
      const remove = store.remove.bind(store);
      store.remove = async (path) => {
        await remove(path);
        if (path.endsWith(`/${name}`)) throw new Error('killed');
      };
      await expect(removeRun(store, RUN)).rejects.toThrow('killed');
      store.remove = remove;
      expect(await Journal.find(store, DISK)).toBeUndefined();
      await seal(store, PROGRAM);
    }
  });

  it('tells whoever looks into the folder what to do', async () => {
    const store = await storeWithRun(testDisk(1), PROGRAM);
    const note = new TextDecoder().decode(store.image(`${RUN}/READ-ME-FIRST.txt`).bytes());
    expect(note).toContain('vmreclaim resume disk.raw');
  });

  it('sets the room for its spill aside before it is in force', async () => {
    const store = await storeWithRun(testDisk(1), PROGRAM);
    const image = store.image(`${RUN}/spill`);
    expect(image.sizeBytes).toBeGreaterThanOrEqual(2 * 4000);
    const none = await storeWithRun(testDisk(1), [write(0, 1)]);
    expect(none.image(`${RUN}/spill`).sizeBytes).toBe(0);
  });

  it('is damaged when its spill file is cut off', async () => {
    const store = await storeWithRun(testDisk(1), PROGRAM);
    damageFile(store, 'spill', (bytes) => bytes.slice(0, 100));
    await expect(execute(store)).rejects.toThrow(damage);
  });
});
