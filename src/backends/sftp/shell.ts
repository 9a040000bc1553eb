import type { ClientChannel } from 'ssh2';
import { deviceError, type VmreclaimError } from '../../core/errors.js';
import { badAnswer } from './errors.js';
import type { Session } from './session.js';

/** How a command on the server ended. */
export interface ShellResult {
  /** Null when a signal ended it. */
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs commands on the host of a store, over the same connection. */
export interface RemoteShell {
  /**
   * Runs a command and waits for its end. `command` goes to the login shell of the user: names belong into `input`, or
   * through a quoting function. Output is capped. Throws Device.
   */
  run(command: string, input?: string, milliseconds?: number): Promise<ShellResult>;
}

const RUN_MS = 60_000;
const MAX_OUTPUT = 4 * 1024 * 1024;

/** Opens a channel that runs a command. */
export function openChannel(session: Session, command: string): Promise<ClientChannel> {
  return session.guard<ClientChannel>((done) => {
    session.client.exec(command, (error, channel) => {
      // A server that runs no commands is no broken connection.
      done(error === undefined ? null : noCommands(session.label), channel);
    });
  });
}

const noCommands = (label: string): VmreclaimError =>
  deviceError('no-commands', `${label} does not let this user run commands`);

const NOTHING_RUN: ShellResult = { exitCode: null, stdout: '', stderr: '' };

/** The shell of a session. */
export function remoteShell(session: () => Promise<Session>): RemoteShell {
  return {
    run: async (command, input = '', milliseconds = RUN_MS) => {
      const current = await session();
      return await current.guard<ShellResult>((done) => {
        current.client.exec(command, (error, channel) => {
          // At once: a quick command has ended with the packet that says it began, and its exit code comes only once.
          if (error === undefined) collect(channel, input, done);
          else done(noCommands(current.label), NOTHING_RUN);
        });
      }, milliseconds);
    },
  };
}

function collect(
  channel: ClientChannel,
  input: string,
  done: (error: Error | null, result: ShellResult) => void,
): void {
  const texts = { stdout: '', stderr: '' };
  let exitCode: number | null = null;
  const take = (name: 'stdout' | 'stderr') => (text: string) => {
    texts[name] += text;
    if (texts[name].length > MAX_OUTPUT) channel.close();
  };
  channel.setEncoding('utf8').on('data', take('stdout'));
  channel.stderr.setEncoding('utf8').on('data', take('stderr'));
  channel.once('exit', (code: number | null) => {
    exitCode = code;
  });
  channel.once('close', () => {
    const tooLong = texts.stdout.length > MAX_OUTPUT || texts.stderr.length > MAX_OUTPUT;
    if (tooLong) done(badAnswer('', 'a command on the server printed too much'), { exitCode, ...texts });
    else done(null, { exitCode, ...texts });
  });
  channel.end(input);
}
