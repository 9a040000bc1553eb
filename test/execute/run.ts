import { Journal } from '../../src/execute/journal.js';
import { JournalWriter } from '../../src/execute/journal-writer.js';
import { Runner, type RunnerOptions } from '../../src/execute/runner.js';
import type { DiskFacts } from '../../src/inspect/types.js';
import type { Plan } from '../../src/plan/types.js';
import type { Phase } from '../../src/program/types.js';
import { CrashStore } from '../support/crash-store.js';
import type { MemoryDevice } from '../support/memory-device.js';

export const DISK = '/disk.raw';
export const RUN = `${DISK}.vmreclaim`;

const HEADER = {
  runId: '20260101T000000Z-00c0ff',
  version: '0.1.0',
  startedAt: '2026-01-01T00:00:00.000Z',
  disk: 'disk.raw',
  extents: [],
  plan: {} as Plan,
  facts: {} as DiskFacts,
  fixups: [],
  warnings: [],
  usedAfter: [],
};

/** Writes the journal of a program beside the disk and puts it in force. */
export async function seal(store: CrashStore, program: readonly Phase[]): Promise<void> {
  const writer = await JournalWriter.create(store, DISK);
  for (const phase of program) await writer.append(phase);
  await writer.seal(HEADER);
}

/** A store with a disk and a run on it that has not begun. */
export async function storeWithRun(disk: MemoryDevice, program: readonly Phase[]): Promise<CrashStore> {
  const store = new CrashStore();
  store.put(DISK, disk);
  await seal(store, program);
  return store;
}

/** A runner for the run in the store. */
export async function openRun(store: CrashStore, options: RunnerOptions = {}) {
  const journal = await Journal.open(store, DISK);
  return { journal, runner: new Runner(journal, await store.open(DISK, 'write'), store, options) };
}
