import { refused, type VmreclaimError } from '../../core/errors.js';
import type { HostShell } from '../types.js';
import { parseFault } from './parse-state.js';

const ASK_MS = 120_000;

/** Faults whose remedy is known. */
const REMEDIES: Readonly<Record<string, { readonly code: string; readonly hint: string }>> = {
  ToolsUnavailable: {
    code: 'tools-unavailable',
    hint: 'shut the guest down from within; --force-power-off cuts the power and leaves its file systems dirty',
  },
  InvalidPowerState: { code: 'power-state', hint: 'somebody switched it meanwhile: run the command again' },
  TaskInProgress: { code: 'task-in-progress', hint: 'wait for the task of the host to end' },
  FileLocked: { code: 'locked', hint: 'another host or program has a file of it open' },
};

/** What a command printed on stdout. Refused when it printed a fault or failed. */
export async function ask(shell: HostShell, command: string, milliseconds = ASK_MS): Promise<string> {
  return act(shell, command, 'answer', milliseconds);
}

/** Runs a command that shall do something: `doing` completes "the host does not". Refused with what it says. */
export async function act(
  shell: HostShell,
  command: string,
  doing: string,
  milliseconds = ASK_MS,
): Promise<string> {
  const { exitCode, stdout, stderr } = await shell.run(command, '', milliseconds);
  const fault = parseFault(`${stdout}\n${stderr}`);
  if (fault !== undefined) {
    const { code, hint } = REMEDIES[fault.name] ?? {
      code: 'host-fault',
      hint: 'look at the events of the host',
    };
    throw refused(code, `the host does not ${doing}: ${fault.name}: ${fault.message}`, { hint });
  }
  if (exitCode === 0) return stdout;
  throw refused('host-fault', `the host does not ${doing}: ${firstWordOf(command)} failed`, {
    ...(exitCode === null ? {} : { actual: `exit code ${exitCode}` }),
    hint: 'run it in the shell of the host to see why',
  });
}

const firstWordOf = (command: string): string => command.split(' ').slice(0, 2).join(' ');

/** What cannot be understood is not guessed. */
export const notUnderstood = (what: string): VmreclaimError =>
  refused('host-answer', `the answer of the host is not understood: ${what}`, {
    hint: 'do it by hand with the machine powered off, and --host none; please report what vim-cmd prints',
  });
