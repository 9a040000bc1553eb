import { runRecord } from '../app/history.js';
import { type Outcome, runResult } from '../app/outcome.js';
import { measureNone } from '../app/plan.js';
import { runCommand } from '../app/run/commands.js';
import { machineDocument, machineRecord, stepRecords } from '../app/run/document.js';
import { runMachine } from '../app/run/index.js';
import type {
  MachineOutcome,
  MachineRunOptions,
  RunForecast,
  RunServices,
  RunStep,
} from '../app/run/types.js';
import { usageError } from '../core/errors.js';
import { layoutRequest } from '../plan/types.js';
import { EXIT_DONE } from '../report/error.js';
import { toJson } from '../report/json.js';
import { renderForecast, renderMachineRun, stepLine } from '../report/machine-run.js';
import { askToGoOn, requireAnswer } from './confirm.js';
import type { MachineFlags } from './machine-options.js';
import { type Progress, startProgress } from './progress.js';
import { recorded, whoRuns } from './record.js';
import { openOptions } from './remote.js';
import { baseServices, showPlan, wishOf } from './run-change.js';
import type { Surroundings } from './surroundings.js';
import { printData, printTalk, renderOptions } from './terminal.js';

/** `run`: a virtual machine with all its disks, from its lock to its start. */
export async function runRun(target: string, flags: MachineFlags, around: Surroundings): Promise<void> {
  const options = await runOptions(flags, around);
  // Before anything is switched off, not in the middle.
  if (!options.dryRun) requireAnswer(flags.yes === true);
  const steps: RunStep[] = [];
  around.tellOfFailure({ steps });
  const what = { command: 'run', disk: target };
  const work = () =>
    withRunServices(target, flags, around, steps, (services) => runMachine(target, options, services));
  const outcome = await recorded(what, flags, around, work, machineRecord, () => ({
    steps: stepRecords(steps),
  }));
  printMachineRun(outcome, flags, around);
}

async function runOptions(flags: MachineFlags, around: Surroundings): Promise<MachineRunOptions> {
  // A profile says itself what each disk needs; else it is what shrink does.
  const made = await wishOf(flags.profile === undefined ? 'shrink' : null, flags);
  const wish = { ...made, safetyCopy: flags.safetyCopy === true };
  const zero = layoutRequest({
    command: 'zero',
    only: flags.partition ?? [],
    zero: { gapsOnly: false, swap: false, pagefile: false, punch: true },
  });
  const commands = powerCommands(flags);
  return {
    ...openOptions(flags, around.signals.signal),
    ...(flags.vm === undefined ? {} : { vm: flags.vm }),
    wish,
    zero: flags.zero ? { request: () => zero, measure: measureNone } : null,
    dryRun: flags.dryRun === true,
    host: { kind: flags.host, ...(commands === undefined ? {} : { commands }) },
    powerOn: flags.powerOn,
    reattach: flags.reattach === true,
    keepOffOnFailure: flags.keepOffOnFailure === true,
    forcePowerOff: flags.forcePowerOff === true,
    shutdownSeconds: flags.shutdownTimeout,
  };
}

function powerCommands(flags: MachineFlags): MachineRunOptions['host']['commands'] {
  const { isOffCommand: isOff, powerOffCommand: powerOff, powerOnCommand: powerOn, host } = flags;
  if (isOff === undefined) {
    if (powerOff === undefined && powerOn === undefined) return undefined;
    throw usageError(
      'command-line',
      'commands that switch the machine need --is-off-command, which proves it',
      {
        hint: 'one whose exit code is 0 when the machine is off, and 1 when it is not',
      },
    );
  }
  if (host !== 'auto') throw usageError('command-line', '--host and commands contradict each other');
  return {
    isOff,
    ...(powerOff === undefined ? {} : { powerOff }),
    ...(powerOn === undefined ? {} : { powerOn }),
  };
}

async function withRunServices(
  target: string,
  flags: MachineFlags,
  around: Surroundings,
  steps: RunStep[],
  work: (services: RunServices) => Promise<MachineOutcome>,
): Promise<MachineOutcome> {
  const { signals } = around;
  let progress: Progress | undefined;
  const talks = flags.quiet !== true && flags.json !== true;
  const services: RunServices = {
    ...baseServices(around),
    who: whoRuns(),
    confirm: async (plan) => {
      showPlan(plan, flags);
      return true;
    },
    confirmRun: async (forecast) => {
      if (talks) printTalk(renderForecast(forecastOf(forecast), renderOptions(process.stderr, flags)));
      const yes = await askToGoOn('Go on?', flags.yes === true, signals.signal);
      if (yes) progress = await startProgress(flags.progress, flags.quiet === true);
      return yes;
    },
    onProgress: (event) => progress?.update(event),
    onStep: (step) => {
      steps.push(step);
      if (talks) printTalk(stepLine(step, renderOptions(process.stderr, flags)));
    },
    onSwitchedOff: () => signals.setInFlight(target, 'run'),
    recorded: async (command, disk, change) => {
      const outcome = await recorded({ command, disk }, flags, around, change, (value, context) =>
        runRecord(runResult(value, command), vmOf(value), EXIT_DONE, context),
      );
      if (outcome.status === 'done') signals.setInFlight(target, 'run');
      return outcome;
    },
    runCommand,
  };
  return work(services).finally(() => progress?.end());
}

const vmOf = ({ before }: Outcome): string | null => before.vm?.name ?? null;

function forecastOf({ disks, ...rest }: RunForecast) {
  return {
    ...rest,
    disks: disks.map(({ disk, plan, note }) => ({
      disk,
      note,
      sizes: plan === null ? null : { before: plan.before.sizeBytes, after: plan.after.sizeBytes },
    })),
  };
}

function printMachineRun(outcome: MachineOutcome, flags: MachineFlags, around: Surroundings): void {
  const document = machineDocument(outcome);
  const { text, exitCode } = renderMachineRun(document, renderOptions(process.stdout, flags));
  printData(flags.json === true ? toJson(document) : text, flags);
  around.setExitCode(exitCode);
}
