import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rehearse } from '../../src/app/rehearse.js';
import { isFamily, VmreclaimError } from '../../src/core/errors.js';
import { inspectDisk } from '../../src/inspect/inspect.js';
import type { DiskFacts } from '../../src/inspect/types.js';
import { makePlan } from '../../src/plan/plan.js';
import type { LayoutRequest, Plan } from '../../src/plan/types.js';
import type { Phase } from '../../src/program/types.js';
import { anyCase } from '../plan/layouts.js';
import type { MemoryDevice } from '../support/memory-device.js';
import { bareDisk, carryOut, diskOf } from './real-disk.js';

const RUNS = Number(process.env.VMRECLAIM_PLAN_RUNS ?? 100);

/** The rehearsed program of a request, or the refusal. */
async function programOf(device: MemoryDevice, facts: DiskFacts, request: LayoutRequest) {
  const program: Phase[] = [];
  const plan = makePlan(facts, request);
  const { facts: promised } = await rehearse({
    disk: bareDisk(device),
    facts,
    plan,
    newContentId: '12345678',
    signal: new AbortController().signal,
    record: async (phase) => {
      program.push(phase);
    },
  });
  return { plan, program, promised };
}

/** Every byte of every partition is where the plan says. */
async function expectContents(before: MemoryDevice, after: MemoryDevice, plan: Plan): Promise<void> {
  for (const { number, kind, startLba, sectorCount } of plan.before.partitions) {
    if (kind === 'extended') continue;
    const place = plan.after.partitions.find((each) => each.number === number);
    const shift = ((place?.startLba ?? 0) - startLba) * 512;
    for (const { at, length } of await before.dataRanges(startLba * 512, sectorCount * 512)) {
      expect(Buffer.from(after.bytes(at + shift, length)).equals(before.bytes(at, length))).toBe(true);
    }
  }
}

describe('the program of a plan', () => {
  it('keeps what the plan promises, for any table: every partition readable, every byte at its new place', async () => {
    const seen = { done: 0, refused: 0, unready: 0 };
    await fc.assert(
      fc.asyncProperty(anyCase, async ({ facts: layout, request }) => {
        fc.pre(layout.sectorSize === 512);
        const device = await diskOf(layout);
        const facts = await inspectDisk(bareDisk(device), { forChange: true });
        if (facts.state !== 'ready') {
          seen.unready++;
          return;
        }
        expect(facts.partitions).toHaveLength(layout.partitions.length);
        const whole = device.snapshot();
        const made = await programOf(device, facts, request).catch((error: unknown) => {
          if (error instanceof VmreclaimError && (isFamily(error, 'refused') || isFamily(error, 'usage')))
            return undefined;
          throw error;
        });
        expect(device.equals(whole)).toBe(true);
        if (made === undefined) {
          seen.refused++;
          return;
        }
        seen.done++;
        await carryOut(device, made.program);
        const now = await inspectDisk(bareDisk(device), { forChange: true });
        expect(now.state).toBe('ready');
        expect(now.partitions).toEqual(made.promised.partitions);
        await expectContents(whole, device, made.plan);
        expect(device.bytes(0, 0x1b8)).toEqual(whole.bytes(0, 0x1b8));
        const again = makePlan(now, { ...request, diskSizeBytes: null });
        expect(again.status).toBe('nothing-to-do');
      }),
      { numRuns: RUNS },
    );
    expect(seen.done).toBeGreaterThan(RUNS / 4);
    expect(seen.unready).toBeLessThan(RUNS / 10);
  });
});
