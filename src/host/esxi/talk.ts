import { deviceError, refused, VmreclaimError } from '../../core/errors.js';
import { sleep } from '../power.js';
import type { HostShell, ShellEnd } from '../types.js';
import { type Fault, parseFault } from './parse-state.js';

const ASK_MS = 120_000;
/** After a lost connection: how often it is looked whether a deed was done, before it is done again. */
const LOOKS = 3;
const LOOK_PAUSE_MS = 1000;
const MAX_TELLINGS = 3;

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

/** What a host says: its answer, or the fault it names instead. */
export type Said =
  | { readonly stdout: string; readonly fault?: undefined }
  | { readonly fault: Fault; readonly error: VmreclaimError };

/**
 * What a command printed on stdout. Refused when it printed a fault or failed. `heading` begins the answer, where it has one: what
 * comes behind it is text of people too, and a note may look like a fault.
 */
export async function ask(shell: HostShell, command: string, heading?: RegExp): Promise<string> {
  const said = await askFor(shell, command, heading);
  if (said.fault !== undefined) throw said.error;
  return said.stdout;
}

/** The same, where a fault may be an answer. */
export async function askFor(shell: HostShell, command: string, heading?: RegExp): Promise<Said> {
  const end = await ended(shell.run, command, 'answer', ASK_MS);
  const fault = parseFault(`${placeOfFault(end.stdout, heading)}\n${end.stderr}`);
  if (fault !== undefined) return { fault, error: faultError(fault, 'answer') };
  if (end.exitCode !== 0) throw failed(command, 'answer', end);
  return { stdout: end.stdout };
}

/** Where the answer may name a fault: before its heading, or directly below, instead of everything else. */
function placeOfFault(stdout: string, heading: RegExp | undefined): string {
  const found = heading?.exec(stdout);
  if (found === null || found === undefined) return stdout;
  const below = stdout.slice(found.index).replace(/^.*\n\s*/, '');
  const isFault = parseFault(below.slice(0, below.indexOf('\n'))) !== undefined;
  return `${stdout.slice(0, found.index)}\n${isFault ? below : ''}`;
}

/** What a command that is no vim-cmd printed, however it ended. */
export const answerOf = (shell: HostShell, command: string): Promise<ShellEnd> =>
  ended(shell.run, command, 'answer', ASK_MS);

/** Runs a command that shall do something, and may do it twice: `doing` completes "the host does not". Refused with what it says. */
export const act = (
  shell: HostShell,
  command: string,
  doing: string,
  milliseconds = ASK_MS,
): Promise<string> => done(shell.run, command, doing, milliseconds);

/** Something that must not be done twice without looking. */
export interface Deed {
  readonly command: string;
  /** For messages, where the command is a script. */
  readonly name?: string;
  /** Completes "the host does not". */
  readonly doing: string;
  /** Whether it was done, as far as it shows. */
  happened(): Promise<boolean>;
  /** What it comes to is waited for afterwards: when it was told twice, what the host says against it may come of the first time. */
  readonly isAwaited?: boolean;
}

/**
 * Does it once. When the connection is lost nobody knows whether the host was told: then its state is looked at, for a while, and it is
 * told again only where that does not show it. Returns what it printed, nothing where it was done all the same.
 */
export async function doOnce(shell: HostShell, deed: Deed): Promise<string> {
  for (let tellings = 1; ; tellings++) {
    try {
      return await done(shell.runOnce, deed.command, deed.doing, ASK_MS, deed.name);
    } catch (error) {
      if (!(error instanceof VmreclaimError)) throw error;
      const isLost = error.code === 'link-lost';
      if (!isLost && tellings === 1) throw error;
      if (!isLost && (deed.isAwaited === true || (await deed.happened()))) return '';
      if (!isLost || tellings === MAX_TELLINGS) throw error;
      if (await showsSoon(deed)) return '';
    }
  }
}

async function showsSoon({ happened }: Deed): Promise<boolean> {
  const { signal } = new AbortController();
  for (let look = 1; ; look++) {
    if (await happened()) return true;
    if (look === LOOKS) return false;
    await sleep(LOOK_PAUSE_MS, signal);
  }
}

async function done(
  run: HostShell['run'],
  command: string,
  doing: string,
  milliseconds: number,
  name = command,
): Promise<string> {
  const end = await ended(run, command, doing, milliseconds, name);
  const fault = parseFault(`${end.stdout}\n${end.stderr}`);
  if (fault !== undefined) throw faultError(fault, doing);
  if (end.exitCode !== 0) throw failed(name, doing, end);
  return end.stdout;
}

/** A command that does not end says nothing about the connection: the program on the host hangs. */
async function ended(
  run: HostShell['run'],
  command: string,
  doing: string,
  milliseconds: number,
  name = command,
): Promise<ShellEnd> {
  try {
    return await run(command, '', milliseconds);
  } catch (error) {
    if (!(error instanceof VmreclaimError) || error.code !== 'command-timeout') throw error;
    const seconds = Math.round(milliseconds / 1000);
    throw deviceError(
      'host-timeout',
      `the host does not ${doing}: ${firstWordsOf(name)} did not end within ${seconds} s`,
      {
        hint: 'run it in the shell of the host; where it hangs there too, restart its management agent (/etc/init.d/hostd restart: machines run on), then run the command again',
      },
    );
  }
}

function faultError({ name, message }: Fault, doing: string): VmreclaimError {
  const { code, hint } = REMEDIES[name] ?? { code: 'host-fault', hint: 'look at the events of the host' };
  return refused(code, `the host does not ${doing}: ${name}: ${message}`, { hint });
}

const failed = (name: string, doing: string, { exitCode }: ShellEnd): VmreclaimError =>
  refused('host-fault', `the host does not ${doing}: ${firstWordsOf(name)} failed`, {
    ...(exitCode === null ? {} : { actual: `exit code ${exitCode}` }),
    hint: 'run it in the shell of the host to see why',
  });

const firstWordsOf = (command: string): string => command.split(' ').slice(0, 2).join(' ');

/** What cannot be understood is not guessed. */
export const notUnderstood = (what: string): VmreclaimError =>
  refused('host-answer', `the answer of the host is not understood: ${what}`, {
    hint: 'do it by hand with the machine powered off, and --host none; please report what vim-cmd prints',
  });
