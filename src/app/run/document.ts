import { sum } from '../../core/sum.js';
import type { RunRecord } from '../../history/types.js';
import type { MachineRunDocument } from '../../report/machine-run.js';
import type { RunResult } from '../../report/run-result.js';
import { machineRunRecord, type RecordContext } from '../history.js';
import { type Outcome, runResult } from '../outcome.js';
import type { DiskResult, MachineOutcome, RunStep } from './types.js';

/** What became of a machine as JSON. */
export function machineDocument(outcome: MachineOutcome): MachineRunDocument {
  const { target, machine, host, runId, status, powerBefore, powerAfter, steps, seconds, warnings } = outcome;
  return {
    formatVersion: 1,
    command: 'run',
    target,
    vm: { name: machine.name, path: machine.vmx, guestOs: machine.guestOs },
    host,
    runId,
    status,
    power: { before: powerBefore, after: powerAfter },
    steps,
    disks: outcome.disks.map(({ disk, resumed, change, zero }) => ({
      disk,
      resumed: resultOf(resumed, 'resume'),
      change: resultOf(change),
      zero: resultOf(zero),
    })),
    savedBytes: sum(outcome.disks.map(savedBytes)),
    seconds,
    warnings,
  };
}

function resultOf(outcome: Outcome | null, command?: RunResult['command']): RunResult | null {
  return outcome === null ? null : runResult(outcome, command ?? outcome.plan.command);
}

const savedBytes = ({ resumed, change, zero }: DiskResult): number =>
  sum(
    [resumed, change, zero].map((each) => (each === null ? 0 : each.before.sizeBytes - each.after.sizeBytes)),
  );

/** The steps as the history keeps them. */
export const stepRecords = (steps: readonly RunStep[]): NonNullable<RunRecord['steps']> =>
  steps.map(({ step, disk, status, message, seconds }) => ({ step, disk, status, message, seconds }));

/**
 * The record of a run of a machine. What its disks became smaller by is in their own records: here it would count twice.
 */
export function machineRecord(outcome: MachineOutcome, context: RecordContext): RunRecord {
  const { target, machine, runId, status, seconds, warnings } = outcome;
  return machineRunRecord(
    {
      disk: machine.vmx ?? target,
      vm: machine.name,
      runId,
      status,
      seconds,
      warnings: warnings.map(({ code }) => code),
      steps: stepRecords(outcome.steps),
    },
    context,
  );
}
