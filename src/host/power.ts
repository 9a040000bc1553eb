import { refused, type VmreclaimError } from '../core/errors.js';
import type { Host, HostMachine, PowerState } from './types.js';

/** How often a host is asked: a question costs it a process. */
const POLL_MS = 2000;
const FIRST_POLL_MS = 200;

export interface Waiting {
  readonly timeoutSeconds: number;
  readonly signal: AbortSignal;
}

/**
 * Waits until the machine is in a state; false when the time is over. Refused when it waits with a question: nobody
 * but a person can answer that. Rejects when the user asks to stop.
 */
export async function reachState(
  host: Host,
  machine: HostMachine,
  wanted: PowerState,
  { timeoutSeconds, signal }: Waiting,
): Promise<boolean> {
  const until = Date.now() + timeoutSeconds * 1000;
  for (let pause = FIRST_POLL_MS; ; pause = Math.min(2 * pause, POLL_MS)) {
    signal.throwIfAborted();
    if ((await host.powerState(machine)) === wanted) return true;
    const question = await host.question(machine);
    if (question !== null) throw waitsWith(machine, question);
    const left = until - Date.now();
    if (left <= 0) return false;
    await sleep(Math.min(pause, left), signal);
  }
}

/** The refusal for a machine that waits for an answer. */
export const waitsWith = ({ name }: HostMachine, question: string): VmreclaimError =>
  refused('question', `the virtual machine ${name} waits for an answer: ${question}`, {
    hint: 'answer it in the client of the host',
  });

/** Resolves after the time, or when the signal is aborted. */
export function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    signal.addEventListener('abort', end);
  });
}
