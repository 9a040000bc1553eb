import { openScratch } from '../backends/registry.js';
import type { Reason } from '../core/errors.js';
import { Preview } from '../device/preview.js';
import { readOnlyDevice } from '../device/read-only.js';
import type { Disk } from '../disk/types.js';
import { countPhase, rehearsePhase } from '../execute/apply.js';
import { NOTHING_DONE } from '../execute/slots.js';
import type { Counters } from '../execute/types.js';
import type { ResizeTools } from '../formats/resize-tools.js';
import { inspectDisk } from '../inspect/inspect.js';
import type { DiskFacts } from '../inspect/types.js';
import type { Plan, PlannedFixup } from '../plan/types.js';
import { compile } from '../program/compile.js';
import type { LookProgress } from '../program/compile-input.js';
import type { CompileNotes } from '../program/compile-notes.js';
import { checkLaws } from '../program/laws.js';
import type { ServedWrites } from '../program/served.js';
import type { Phase } from '../program/types.js';
import { checkVolumes, verifyVolumes } from '../verify/deep.js';
import { checkPromise } from '../verify/promise.js';
import { holesFilledBy, rewrittenBy } from './room.js';

export interface RehearsalInput {
  readonly disk: Disk;
  readonly facts: DiskFacts;
  readonly plan: Plan;
  readonly newContentId: string;
  readonly tools?: ResizeTools;
  readonly served?: ServedWrites;
  readonly signal: AbortSignal;
  /** Where the phases go: the run journal, or nowhere for a dry run. */
  readonly record: (phase: Phase) => Promise<void>;
  readonly onLook?: LookProgress;
}

export interface Rehearsal {
  /** What inspect finds on the overlay: the disk as it will be. */
  readonly facts: DiskFacts;
  readonly counters: Counters;
  /** Bytes the store will have to allocate: holes of a thin disk that get filled. */
  readonly allocates: number;
  /** Bytes the store will have to write to new blocks while a safety copy keeps the old ones. */
  readonly rewrites: number;
  readonly fixups: readonly PlannedFixup[];
  readonly warnings: readonly Reason[];
  /** The plan, with what compiling it found out. */
  readonly plan: Plan;
}

/**
 * Compiles the plan and plays the whole program on a copy-on-write overlay, then inspects and checks the result
 * like a real disk. Throws before anything is written: Damaged when a volume was not sound to begin with, Verify
 * when the result would not be what the plan promises.
 */
export async function rehearse(input: RehearsalInput): Promise<Rehearsal> {
  const { disk, plan, signal } = input;
  const base = readOnlyDevice(disk.device);
  await checkVolumes(base, plan, 'before', signal);
  const preview = new Preview(base, { spill: openScratch });
  try {
    return await rehearseOn(preview, input);
  } finally {
    await preview.close();
  }
}

async function rehearseOn(preview: Preview, input: RehearsalInput): Promise<Rehearsal> {
  const { disk, facts, plan, signal } = input;
  const notes: CompileNotes = { fixups: [], warnings: [], cleared: [] };
  let counters = NOTHING_DONE;
  let allocates = 0;
  let rewrites = 0;
  for await (const phase of compile({ ...input, preview }, notes)) {
    signal.throwIfAborted();
    checkLaws(phase);
    await input.record(phase);
    await rehearsePhase(preview.top, phase);
    counters = countPhase(counters, phase);
    for (const operation of phase.operations) {
      allocates += await holesFilledBy(disk.device, operation);
      rewrites += rewrittenBy(operation, phase);
    }
  }
  const rehearsed = await inspectDisk({ source: disk.source, device: preview.top });
  checkPromise(plan, facts, rehearsed);
  await verifyVolumes(preview.top, plan);
  const { fixups, warnings, cleared } = notes;
  return {
    facts: rehearsed,
    counters,
    allocates,
    rewrites,
    fixups,
    warnings,
    plan: withCleared(plan, cleared),
  };
}

function withCleared(plan: Plan, cleared: readonly number[]): Plan {
  if (plan.zero === undefined) return plan;
  const areas = plan.zero.areas.map((area, index) => ({ ...area, bytesToClear: cleared[index] ?? null }));
  return { ...plan, zero: { ...plan.zero, areas } };
}
