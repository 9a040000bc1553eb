import { BOOT_FIXUPS } from '../boot/types.js';
import type { Reason } from '../core/errors.js';
import { NOTHING_DONE } from '../execute/slots.js';
import type { Counters } from '../execute/types.js';
import type { DiskFacts } from '../inspect/types.js';
import type { Plan, PlannedFixup } from '../plan/types.js';
import { layoutDocument, type RunFixup, type RunResult } from '../report/run-result.js';
import type { Services } from './services.js';

/** What a changing use case comes to; `RunResult` is made of it. */
export interface Outcome {
  readonly plan: Plan;
  readonly before: DiskFacts;
  readonly after: DiskFacts;
  readonly status: RunResult['status'];
  readonly runId: string | null;
  readonly counters: Counters;
  readonly fixups: readonly PlannedFixup[];
  readonly warnings: readonly Reason[];
  readonly seconds: number;
  readonly peakMemoryBytes: number;
}

type Parts = Partial<Outcome> & Pick<Outcome, 'plan' | 'before' | 'status'>;

/** Fills in what is not there: a run that did nothing ends as it began. */
export function outcome(parts: Parts & { services: Services; began: number }): Outcome {
  const { services, began, plan, before, status } = parts;
  return {
    plan,
    before,
    status,
    after: parts.after ?? before,
    runId: parts.runId ?? null,
    counters: parts.counters ?? NOTHING_DONE,
    // What was really written to volumes, then what the plan says about table and files.
    fixups: [...(parts.fixups ?? []), ...plan.fixups.filter(isOfTheTable)],
    warnings: uniqueByCode([...plan.warnings, ...(parts.warnings ?? [])]),
    seconds: Math.round(services.now() - began) / 1000,
    peakMemoryBytes: services.peakMemoryBytes(),
  };
}

/** What the compiler has no word on: tables and files. */
const isOfTheTable = ({ kind, partition }: PlannedFixup): boolean =>
  partition === null && !BOOT_FIXUPS.some((name) => name === kind);

function uniqueByCode(reasons: readonly Reason[]): Reason[] {
  return [...new Map(reasons.map((reason) => [`${reason.code} ${reason.message}`, reason])).values()];
}

/** The outcome as the JSON of a run. */
export function runResult(value: Outcome, command: RunResult['command']): RunResult {
  const boundary = value.plan.request.boundaryBytes;
  return {
    formatVersion: 1,
    command,
    disk: value.before.path,
    runId: value.runId,
    status: value.status,
    before: layoutDocument(value.before, boundary),
    after: layoutDocument(value.after, boundary),
    ...value.counters,
    savedBytes: value.before.sizeBytes - value.after.sizeBytes,
    seconds: value.seconds,
    peakMemoryBytes: value.peakMemoryBytes,
    verified: true,
    fixups: value.fixups.map((fixup) => runFixup(fixup, value.before.path)),
    warnings: value.warnings,
    ...(value.plan.zero === undefined ? {} : { zero: value.plan.zero }),
  };
}

function runFixup({ kind, partition, message }: PlannedFixup, disk: string): RunFixup {
  return partition === null ? { kind, file: disk, message } : { kind, partition, message };
}
