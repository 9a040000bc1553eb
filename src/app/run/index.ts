import { locate } from '../../backends/registry.js';
import { refusal, refused, VmreclaimError } from '../../core/errors.js';
import { baseName, shellQuote } from '../../core/text.js';
import { changeDisk, newRunId } from '../change.js';
import { repeatAfterLoss, toTheEnd } from '../reconnect.js';
import { type DiskWork, planText, workOnDisks } from './disks.js';
import { forecastDisks } from './forecast.js';
import { filesOf, hostOf } from './host.js';
import { findMachine } from './machine.js';
import { lockMachine, NO_LOCK, NOTHING_OWED, type Owed, whose } from './machine-lock.js';
import { inheritFrom } from './owed.js';
import { powerToBegin, switchOff, untilUnused } from './power.js';
import { type Ending, isDone, settle } from './settle.js';
import { type StepEnd, Steps } from './steps.js';
import type { DiskForecast, MachineOutcome, MachineRunOptions, RunServices } from './types.js';

/** A run that knows its machine and has its lock. */
interface Run extends Ending {
  readonly runId: string;
  readonly began: number;
}

/**
 * The whole path for a virtual machine: lock it, see what would become of its disks, switch it off, change and clear each disk,
 * let the host know, unlock it, start it again. What can be refused is refused while it still runs; a machine with a disk that is
 * not whole is never started.
 */
export async function runMachine(
  target: string,
  options: MachineRunOptions,
  services: RunServices,
): Promise<MachineOutcome> {
  const run = await begin(target, options, services);
  const forecast = await nothingChanged(run, () => lookAhead(run));
  const isWorthIt = isWorth(run, forecast);
  if (isWorthIt) await nothingChanged(run, async () => requireSwitch(run));
  if (options.dryRun || !isWorthIt) {
    await letGo(run);
    return outcomeOf(run, forecast, { status: options.dryRun ? 'dry-run' : 'nothing-to-do' });
  }
  await nothingChanged(run, () => askFirst(run, forecast));
  const failure = await failureOf(() => offAndChange(run, forecast));
  const { power: powerAfter, warnings } = await settle(run, failure);
  const status = run.results.some(isDone) ? 'done' : 'nothing-to-do';
  return outcomeOf(run, forecast, { status, powerAfter, warnings });
}

/** Finds machine and host, refuses what the host already knows to be impossible, and takes the first lock. */
async function begin(target: string, options: MachineRunOptions, services: RunServices): Promise<Run> {
  const began = services.now();
  const { host, machine } = await hostAndMachine(target, options, services);
  const at = { host, seat: await host.find(filesOf(machine)) };
  const power = await powerToBegin(at);
  const [obstacle] = await host.obstacles(at.seat);
  if (obstacle !== undefined) throw refusal(obstacle);
  const steps = new Steps(services);
  const runId = newRunId(services);
  const work: DiskWork = { machine, at, options, services, steps, results: [], begun: new Set() };
  const parts = { ...work, target, power, runId, began };
  if (options.dryRun) return { ...parts, lock: NO_LOCK, isLeft: false };
  return { ...parts, ...(await steps.take('lock', null, () => locked(parts))) };
}

/** Takes the lock, and what an earlier run left with it. */
async function locked(run: Omit<Run, 'lock' | 'isLeft'>): Promise<StepEnd<Pick<Run, 'lock' | 'isLeft'>>> {
  const { machine, power, options, services, runId, began } = run;
  const startedAt = new Date(began).toISOString();
  const own = { formatVersion: 1, runId, startedAt, ...services.who } as const;
  const lock = await lockMachine(machine.store, machine.vmx ?? machine.disks[0] ?? '', own, services);
  const { earlier } = lock;
  const name = baseName(lock.path);
  if (earlier === null) return { value: { lock, isLeft: false }, message: name };
  try {
    const { owed, isOver, why } = await inheritFrom(earlier, machine, lock, power, options);
    await lock.note(owed);
    const start = owed.powerOn
      ? '; the machine is owed a start'
      : why === null
        ? ''
        : `; no start is owed: ${why}`;
    const message = `${name}, taken over from ${whose(earlier)}, which did not end${start}`;
    return { value: { lock, isLeft: !isOver }, message };
  } catch (error) {
    await lock.leave().catch(() => undefined);
    throw error;
  }
}

/** Finds the machine, and who runs it. */
async function hostAndMachine(target: string, options: MachineRunOptions, services: RunServices) {
  const { vm } = options;
  const place = await locate(target, options.remote);
  const host = await hostOf(place, options, services);
  if (vm === undefined) return { host, machine: await findMachine(place, options) };
  if (host.vmxOf === undefined) {
    throw refused('no-names', 'only an ESXi host can be asked for a virtual machine by its name', {
      hint: 'name its .vmx instead',
    });
  }
  // A path as the host tells it is one of the same store.
  const path = place.store.join(await host.vmxOf(vm));
  return { host, machine: await findMachine({ ...place, path }, options) };
}

/** Does what changes nothing; when it fails the lock goes and the machine is as it was. */
async function nothingChanged<T>(run: Run, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await letGo(run).catch(() => undefined);
    throw withOwed(run, error);
  }
}

/** What an earlier run owes is not forgotten over what stands against this one. */
function withOwed({ power, lock, at, target }: Run, error: unknown): unknown {
  const { earlier, owed } = lock;
  if (!(error instanceof VmreclaimError) || earlier === null || !owed.powerOn || power === 'on') return error;
  const { family, code, message, detail } = error;
  const start = `start it by hand, or let it be started: vmreclaim run ${shellQuote(target)} with the same options`;
  const hint = detail.hint === undefined ? start : `${detail.hint}; ${start}`;
  const text = `${message}; the virtual machine ${at.seat.name} is off, and owed a start by ${whose(earlier)}`;
  return new VmreclaimError(family, code, text, { ...detail, hint });
}

/** What an earlier run left behind stays a notice until somebody has brought it to its end. */
const letGo = ({ lock, isLeft, machine, services }: Run): Promise<void> =>
  isLeft ? lock.leave() : repeatAfterLoss(machine.store, toTheEnd(services), () => lock.release());

/** The sizes that are to be expected; with `--dry-run` also a rehearsal, where nobody is at the disks. */
async function lookAhead(run: Run): Promise<DiskForecast[]> {
  const { machine, options, services, steps, power } = run;
  const { wish, dryRun } = options;
  const runs = power === 'on';
  const forecast = await steps.take('plan', null, async () => {
    const look = () => forecastDisks(machine, runs, wish, options, services.signal);
    const value = await repeatAfterLoss(machine.store, services, look);
    return { value, message: value.map(forecastText).join('; ') };
  });
  for (const { disk, plan } of dryRun && !runs ? forecast : []) {
    if (plan?.status !== 'change') continue;
    const rehearsed = await steps.take('resize', disk, async () => {
      const work = () => changeDisk(disk, wish, { ...options, dryRun }, services);
      return { value: await services.recorded(plan.command, disk, work), message: 'rehearsed and checked' };
    });
    run.results.push({ disk, resumed: null, change: rehearsed, zero: null });
  }
  return forecast;
}

const forecastText = ({ disk, plan, note }: DiskForecast): string =>
  plan === null ? `${baseName(disk)}: ${note}` : planText(plan);

/**
 * A machine that runs is switched off to change the layout of a disk, not only to look for something to clear. One that is off, and
 * that an earlier run has worked on, is always brought to its end.
 */
function isWorth({ power, options, lock }: Run, forecast: readonly DiskForecast[]): boolean {
  const changes = forecast.some(({ plan }) => plan === null || plan.status === 'change');
  return changes || (power !== 'on' && (lock.earlier !== null || options.zero !== null));
}

async function askFirst(run: Run, disks: readonly DiskForecast[]): Promise<void> {
  const { at, services, power, lock } = run;
  const goes = await services.confirmRun({
    machine: at.seat.name,
    host: at.host.kind,
    power,
    willSwitchOff: power === 'on',
    willSwitchOn: (power === 'on' || lock.owed.powerOn) && canStart(run),
    disks,
  });
  if (!goes) throw refused('declined', 'nothing was changed: the run was declined');
}

const canStart = ({ at, options }: Run): boolean => options.powerOn && at.host.startsMachines;

/** Refused while the machine runs and nobody was asked anything. */
function requireSwitch({ at, power }: Run): void {
  if (power !== 'on' || at.host.stopsMachines) return;
  throw refused(
    'no-command',
    'the virtual machine would have to be shut down, and there is no --power-off-command',
    {
      hint: 'give --power-off-command, or shut it down by hand',
    },
  );
}

async function offAndChange(run: Run, forecast: readonly DiskForecast[]): Promise<void> {
  const { at, options, services, steps, machine, power, lock } = run;
  const ran = power === 'on';
  if (ran) await steps.take('power-off', null, () => switchedOff(run));
  // A stop leaves a machine that is to be started.
  else if (lock.owed.powerOn) services.onSwitchedOff(run.target);
  await steps.take('check', null, async () => {
    const look = () => untilUnused(machine, at, options, { signal: services.signal, waits: ran });
    await repeatAfterLoss(machine.store, services, look);
    return { value: undefined, message: 'nothing says that the disks are in use' };
  });
  await workOnDisks(run, ran ? null : forecast);
}

/** What is owed is written before the deed: whoever finds the machine off knows that it is to be started. */
async function switchedOff(run: Run): Promise<StepEnd<void>> {
  const { at, options, services, lock } = run;
  const owed = (stage: Owed['stage'] & string): Owed =>
    canStart(run) ? { powerOn: true, stage } : NOTHING_OWED;
  const before = lock.owed;
  services.onSwitchedOff(run.target);
  const onRefused = () => lock.note(before).catch(() => undefined);
  try {
    await lock.note(owed('asked'));
  } catch (error) {
    await onRefused();
    throw error;
  }
  const end = await switchOff(at, options, { signal: services.signal, onRefused });
  await lock.note(owed('off'));
  return end;
}

async function failureOf(work: () => Promise<void>): Promise<unknown> {
  try {
    await work();
    return undefined;
  } catch (error) {
    return error ?? new Error('nothing was thrown');
  }
}

function outcomeOf(
  { target, machine, at, runId, power, steps, results, services, began }: Run,
  forecast: readonly DiskForecast[],
  parts: Pick<MachineOutcome, 'status'> & Partial<MachineOutcome>,
): MachineOutcome {
  return {
    target,
    machine: { name: at.seat.name, vmx: machine.vmx, guestOs: at.seat.guestOs },
    host: at.host.kind,
    runId,
    powerBefore: power,
    powerAfter: power,
    steps: steps.taken,
    forecast,
    disks: results,
    warnings: [],
    seconds: Math.round(services.now() - began) / 1000,
    ...parts,
  };
}
