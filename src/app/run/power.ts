import { conflict, deviceError, isFamily, refusal, refused, VmreclaimError } from '../../core/errors.js';
import { openSource } from '../../disk/open.js';
import { reachState, sleep, waitsWith } from '../../host/power.js';
import type { Host, HostMachine, PowerState } from '../../host/types.js';
import { type Machine, signOfUse } from './machine.js';
import type { StepEnd } from './steps.js';
import type { MachineRunOptions } from './types.js';

/** Cutting the power and starting take a host some seconds. */
const SWITCH_SECONDS = 60;
/** Lock and swap files go soon behind the machine. */
const SIGNS_SECONDS = 30;
const SIGNS_PAUSE_MS = 1000;

/** The guest cannot be shut down, or does not do it. */
const DEAF: readonly string[] = ['still-running', 'tools-unavailable'];

/** For what has to come to its end: a machine that was told to switch is waited for. A second signal ends the process. */
const NO_STOP = new AbortController().signal;

/** A machine at its host. */
export interface Seat {
  readonly host: Host;
  readonly seat: HostMachine;
}

/** The state of the machine, which must be one to begin with: on or off. Refused otherwise. */
export async function powerToBegin({ host, seat }: Seat): Promise<PowerState> {
  if (!host.tellsPower) return 'unknown';
  const state = await host.powerState(seat);
  if (state === 'suspended') {
    throw refused('suspended', `the virtual machine ${seat.name} is suspended`, {
      hint: 'resume it and shut the guest down',
    });
  }
  if (state === 'unknown') throw unknownState(seat);
  const question = await host.question(seat);
  if (question !== null) throw waitsWith(seat, question);
  return state;
}

export const unknownState = ({ name }: HostMachine): VmreclaimError =>
  refused('power-unknown', `it is not known whether the virtual machine ${name} is powered off`, {
    hint: 'what the host answered is not understood: power it off by hand, then --host none',
  });

/** What goes along with switching off. */
export interface SwitchingOff {
  readonly signal: AbortSignal;
  /** The guest was not asked: the host said no. */
  readonly onRefused: () => Promise<void>;
}

/**
 * Shuts the guest down and waits; cuts the power only when that was asked for. What was asked of the guest cannot be taken back: a
 * stop is obeyed behind it, so that the machine is started again.
 */
export async function switchOff(
  { host, seat }: Seat,
  options: Pick<MachineRunOptions, 'forcePowerOff' | 'shutdownSeconds'>,
  { signal, onRefused }: SwitchingOff,
): Promise<StepEnd<void>> {
  const { forcePowerOff, shutdownSeconds: timeoutSeconds } = options;
  const patience = { timeoutSeconds, signal: NO_STOP };
  try {
    await askToShutDown({ host, seat }, forcePowerOff ? undefined : onRefused);
    if (await reachState(host, seat, 'off', patience)) {
      return { value: undefined, message: 'the guest was shut down' };
    }
    throw refused(
      'still-running',
      `the virtual machine ${seat.name} did not power off within ${timeoutSeconds} s`,
      {
        hint: 'look at its console; --shutdown-timeout waits longer, --force-power-off cuts the power and leaves its file systems dirty',
      },
    );
  } catch (error) {
    signal.throwIfAborted();
    // A question is for people, and a suspended machine would lose its memory.
    const isDeaf = error instanceof VmreclaimError && DEAF.includes(error.code);
    if (!forcePowerOff || !isDeaf || (await host.powerState(seat)) !== 'on') throw error;
  }
  await host.cutPower(seat);
  if (await reachState(host, seat, 'off', { timeoutSeconds: SWITCH_SECONDS, signal: NO_STOP })) {
    return { value: undefined, message: 'the power was cut' };
  }
  throw deviceError(
    'still-running',
    `the virtual machine ${seat.name} did not power off when its power was cut`,
    {
      hint: 'look at the events of the host',
    },
  );
}

/** A command of the operator that failed may have done something; a host that names a fault has not. */
async function askToShutDown({ host, seat }: Seat, onRefused?: () => Promise<void>): Promise<void> {
  try {
    await host.shutDown(seat);
  } catch (error) {
    if (isFamily(error, 'refused') && error.code !== 'command-failed') await onRefused?.();
    throw error;
  }
}

/** Starts the machine and waits until it runs. Rejects when it does not. */
export async function switchOn({ host, seat }: Seat): Promise<StepEnd<void>> {
  await host.powerOn(seat);
  if (await reachState(host, seat, 'on', { timeoutSeconds: SWITCH_SECONDS, signal: NO_STOP })) {
    return { value: undefined, message: 'the virtual machine runs' };
  }
  throw refused('not-started', `the virtual machine ${seat.name} was told to start and does not run`, {
    hint: 'look at the events of the host',
  });
}

/**
 * Asks the host once more, directly before something is done that a running machine would not survive: somebody may have started
 * it since. Conflict (running, power-unknown).
 */
export async function requireOff({ host, seat }: Seat): Promise<void> {
  if (!host.tellsPower) return;
  const state = await host.powerState(seat);
  if (state === 'off') return;
  throw conflict(
    state === 'unknown' ? 'power-unknown' : 'running',
    `somebody started the virtual machine ${seat.name} meanwhile, or its state is not known: ${state}`,
    { hint: 'shut it down, then run the command again' },
  );
}

/**
 * Looks until nothing beside the disks says that they are in use (`waits`: for a while), and asks the host for locks. Refused with what remains: a
 * machine that is off and disks that are in use do not fit together.
 */
export async function untilUnused(
  { store, disks, remote }: Machine,
  at: Seat,
  options: MachineRunOptions,
  { signal, waits }: { readonly signal: AbortSignal; readonly waits: boolean },
): Promise<void> {
  const { host } = at;
  for (let second = 0; ; second++) {
    signal.throwIfAborted();
    await requireOff(at);
    const sources = await Promise.all(disks.map((disk) => openSource(store, disk, options)));
    const paths = sources.flatMap(({ extents }) => extents.map(({ path }) => remote?.pathOf(path) ?? path));
    const sign = sources.flatMap((source) => signOfUse(source) ?? [])[0] ?? (await host.locks(paths))[0];
    if (sign === undefined) return;
    if (!waits || second === SIGNS_SECONDS) throw refusal(sign);
    await sleep(SIGNS_PAUSE_MS, signal);
  }
}
