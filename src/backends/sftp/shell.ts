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
   * through a quoting function. Output is capped. Throws Device: command-timeout when it does not end in time and the
   * connection is alive, link-lost when that is gone; then nobody knows whether it ran.
   */
  run(command: string, input?: string, milliseconds?: number): Promise<ShellResult>;
}

const RUN_MS = 60_000;
/** Time to find out, when a command does not end, whether the connection is at fault. */
const DOUBT_MS = 60_000;
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
      let channel: ClientChannel | undefined;
      let timer: NodeJS.Timeout | undefined;
      const running = current.guard<ShellResult>((done) => {
        timer = setTimeout(() => void giveUp(current, channel, milliseconds, done), milliseconds);
        current.client.exec(command, (error, opened) => {
          channel = opened;
          // At once: a quick command has ended with the packet that says it began, and its exit code comes only once.
          if (error === undefined) collect(current, opened, input, done);
          else done(noCommands(current.label), NOTHING_RUN);
        });
      }, milliseconds + DOUBT_MS);
      return await running.finally(() => clearTimeout(timer));
    },
  };
}

type Done = (error: Error | null, result: ShellResult) => void;

/**
 * The time of a command is over. Either it hangs, which is no reason to give up the connection, or the connection is dead:
 * a small request on the same one tells. Of a dead one the session itself rejects everything.
 */
async function giveUp(
  session: Session,
  channel: ClientChannel | undefined,
  milliseconds: number,
  done: Done,
): Promise<void> {
  if (!(await isAlive(session))) return;
  channel?.signal('KILL');
  channel?.close();
  const seconds = Math.round(milliseconds / 1000);
  done(
    deviceError('command-timeout', `a command on ${session.label} did not end within ${seconds} s`),
    NOTHING_RUN,
  );
}

async function isAlive(session: Session): Promise<boolean> {
  try {
    await session.request<string>((sftp, answer) => sftp.realpath('/', answer));
  } catch {
    // What it says does not matter, only that it says something.
  }
  return session.lost === undefined;
}

function collect(session: Session, channel: ClientChannel, input: string, done: Done): void {
  const texts = { stdout: '', stderr: '' };
  let exitCode: number | null = null;
  let hasEnded = false;
  const take = (name: 'stdout' | 'stderr') => (text: string) => {
    texts[name] += text;
    if (texts[name].length > MAX_OUTPUT) channel.close();
  };
  channel.setEncoding('utf8').on('data', take('stdout'));
  channel.stderr.setEncoding('utf8').on('data', take('stderr'));
  channel.once('exit', (code: number | null) => {
    exitCode = code;
    hasEnded = true;
  });
  const end = (): void => {
    const tooLong = texts.stdout.length > MAX_OUTPUT || texts.stderr.length > MAX_OUTPUT;
    if (tooLong) done(badAnswer('', 'a command on the server printed too much'), { exitCode, ...texts });
    else done(null, { exitCode, ...texts });
  };
  channel.once('close', () => {
    if (hasEnded) return end();
    // Closed without a word of how it ended: by a server that says nothing, or with the connection.
    void isAlive(session).then((alive) => (alive ? end() : undefined));
  });
  channel.end(input);
}
