import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isFamily } from '../../src/core/errors.js';
import { Overlay } from '../../src/device/overlay.js';
import { rehearsePhase } from '../../src/execute/apply.js';
import { Journal } from '../../src/execute/journal.js';
import { JournalWriter } from '../../src/execute/journal-writer.js';
import { Runner } from '../../src/execute/runner.js';
import type { DiskFacts } from '../../src/inspect/types.js';
import type { Plan } from '../../src/plan/types.js';
import { checkLaws } from '../../src/program/laws.js';
import type { Phase } from '../../src/program/types.js';
import { CrashStore, Power } from '../support/crash-store.js';
import type { MemoryDevice } from '../support/memory-device.js';
import { anyMove, anyProgram, phasesOfMove, testDisk } from './programs.js';

const DISK = '/disk.raw';
/** Programs tried; each is cut in every one of its steps. scripts/campaign.sh tries many more. */
const RUNS = Number(process.env.VMRECLAIM_CRASH_RUNS ?? 12);

/** A store with the disk and a sealed journal of the program. */
async function sealedRun(disk: MemoryDevice, program: readonly Phase[]): Promise<CrashStore> {
  const store = new CrashStore();
  store.put(DISK, disk);
  const writer = await JournalWriter.create(store, DISK);
  for (const phase of program) await writer.append(phase);
  await writer.seal({
    runId: 'test',
    version: '0',
    startedAt: '',
    disk: 'disk.raw',
    extents: [],
    plan: {} as Plan,
    facts: {} as DiskFacts,
    fixups: [],
    warnings: [],
    usedAfter: [],
  });
  return store;
}

/** Runs, or goes on with, the run in the store; true when it came to its end before the power failed. */
async function goOn(store: CrashStore): Promise<boolean> {
  try {
    const journal = await Journal.open(store, DISK);
    const disk = await store.open(DISK, 'write');
    await new Runner(journal, disk, store).runThrough('finish');
    return true;
  } catch (error) {
    if (isFamily(error, 'device') && error.code === 'power-cut') return false;
    throw error;
  }
}

/** What the program means, in the plainest way: all sources are read before the first target of a phase changes. */
function expected(disk: MemoryDevice, program: readonly Phase[]): Uint8Array {
  let image = disk.bytes(0, disk.sizeBytes);
  for (const { operations } of program) {
    const before = image.slice();
    for (const each of operations) {
      if (each.op === 'copy') image.set(before.subarray(each.from, each.from + each.length), each.to);
      else if (each.op === 'write') image.set(each.bytes, each.at);
      else if (each.op === 'discard') image.fill(0, each.at, each.at + each.length);
      else if (each.op === 'shift') {
        image.set(before.subarray(each.from, each.from + each.length), each.to);
        image.fill(0, each.to + each.length, each.from + each.length);
      } else if (each.op === 'resize') {
        const resized = new Uint8Array(each.to);
        resized.set(image.subarray(0, each.to));
        image = resized;
      }
    }
  }
  return image;
}

const bytesOf = (image: MemoryDevice): Uint8Array => image.bytes(0, image.sizeBytes);

/** Cuts the power in every step of the run, each time with a resume that is cut as well, and compares the ends. */
async function crashEverywhere(disk: MemoryDevice, program: readonly Phase[], seed: number): Promise<void> {
  for (const phase of program) checkLaws(phase);
  const wanted = Buffer.from(expected(disk, program));
  const sealed = await sealedRun(disk, program);
  const whole = sealed.withPower(new Power());
  expect(await goOn(whole)).toBe(true);
  expect(wanted.equals(bytesOf(whole.image(DISK)))).toBe(true);
  for (let cut = 0; cut <= whole.power.used; cut++) {
    const torn = [0, 0.3, 0.7, 1][(cut + seed) % 4];
    let store = sealed.withPower(new Power(cut, torn));
    let done = await goOn(store);
    // A second cut, early in the resume, then a third attempt in peace.
    for (let attempt = 0; !done && attempt < 3; attempt++) {
      const power = attempt === 0 ? new Power((cut * 7 + seed) % 9, torn) : new Power();
      store = store.crash(seed + cut + attempt, power);
      done = await goOn(store);
    }
    expect(done).toBe(true);
    if (!wanted.equals(bytesOf(store.image(DISK))))
      throw new Error(`the image differs after a cut in step ${cut}`);
  }
}

/** Kills the process in every step, resumes at once, cuts the power a few steps later, resumes, and compares the ends. */
async function killEverywhere(disk: MemoryDevice, program: readonly Phase[], seed: number): Promise<void> {
  const wanted = Buffer.from(expected(disk, program));
  const sealed = await sealedRun(disk, program);
  const whole = sealed.withPower(new Power());
  await goOn(whole);
  for (let cut = 0; cut <= whole.power.used; cut++) {
    const killed = sealed.withPower(new Power(cut, 1));
    if (await goOn(killed)) continue;
    const cutAgain = killed.killed(new Power((cut * 5 + seed) % 13, 0.5));
    if (await goOn(cutAgain)) continue;
    const store = cutAgain.crash(seed + cut);
    expect(await goOn(store)).toBe(true);
    if (!wanted.equals(bytesOf(store.image(DISK))))
      throw new Error(`the image differs after a kill in step ${cut} and a power cut in the resume`);
  }
}

describe('a crash in any step of a run', () => {
  it('ends, resumed, in the same image when the process is killed and the power fails in the resume', async () => {
    await fc.assert(
      fc.asyncProperty(anyMove, fc.integer({ min: 1, max: 1e6 }), async (move, seed) => {
        const disk = testDisk(seed);
        await killEverywhere(disk, await phasesOfMove(disk, move), seed);
      }),
      { numRuns: Math.ceil(RUNS / 3), endOnFailure: true },
    );
  });

  it('ends, resumed, in the same image: any program', async () => {
    await fc.assert(
      fc.asyncProperty(anyProgram, fc.integer({ min: 1, max: 1e6 }), async (program, seed) => {
        // A resize in the middle would make later ranges of the generator meaningless only if it shrank; it grows.
        await crashEverywhere(testDisk(seed), program, seed);
      }),
      // A failing program is reported as it is: making it smaller would run for hours.
      { numRuns: RUNS, endOnFailure: true },
    );
  });

  it('ends, resumed, in the same image: moves in both directions, direct and journaled', async () => {
    await fc.assert(
      fc.asyncProperty(anyMove, fc.integer({ min: 1, max: 1e6 }), async (move, seed) => {
        const disk = testDisk(seed);
        const program = await phasesOfMove(disk, move);
        await crashEverywhere(disk, program, seed);
      }),
      // A failing program is reported as it is: making it smaller would run for hours.
      { numRuns: RUNS, endOnFailure: true },
    );
  });
});

describe('a move', () => {
  it('brings every used byte to its new place', async () => {
    await fc.assert(
      fc.asyncProperty(anyMove, fc.integer({ min: 1, max: 1e6 }), async (move, seed) => {
        const disk = testDisk(seed);
        const image = expected(disk, await phasesOfMove(disk, move));
        const before = bytesOf(disk);
        for (const { at, length } of move.used ?? [{ at: 0, length: move.length }]) {
          const inside = Math.min(length, move.length - at);
          if (inside <= 0) continue;
          const wanted = before.subarray(move.from + at, move.from + at + inside);
          const found = image.subarray(move.to + at, move.to + at + inside);
          expect(Buffer.from(found).equals(wanted)).toBe(true);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('is rehearsed on an overlay exactly as it will run', async () => {
    await fc.assert(
      fc.asyncProperty(anyProgram, fc.integer({ min: 1, max: 1e6 }), async (program, seed) => {
        const disk = testDisk(seed);
        const overlay = new Overlay(disk);
        for (const phase of program) await rehearsePhase(overlay, phase);
        const shown = await overlay.readAt(0, overlay.sizeBytes);
        expect(Buffer.from(shown).equals(expected(disk, program))).toBe(true);
      }),
      { numRuns: 200 },
    );
  });
});
