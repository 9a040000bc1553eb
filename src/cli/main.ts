import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { usageError } from '../core/errors.js';
import { errorDocument, type FailureParts, renderError } from '../report/error.js';
import { toJson } from '../report/json.js';
import { addCommands } from './commands.js';
import { keepHeapSmall } from './heap.js';
import { Signals } from './signals.js';
import type { Surroundings } from './surroundings.js';
import { printData, printTalk, renderOptions } from './terminal.js';

/** The version in package.json, which lies two folders up in the built package. */
function readVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return String((JSON.parse(text) as { version?: unknown }).version);
}

/** Runs the command line and returns the exit code; never throws, never prints a stack. */
export async function main(args: readonly string[]): Promise<number> {
  // Before the commands are loaded: what the heap has grown to by then it keeps.
  keepHeapSmall();
  const signals = new Signals();
  const json = args.includes('--json');
  let exitCode = 0;
  let known: FailureParts = {};
  try {
    const program = buildProgram({
      signals,
      version: readVersion(),
      setExitCode: (code) => {
        exitCode = code;
      },
      tellOfFailure: (parts) => {
        known = parts;
      },
    });
    await program.parseAsync([...args], { from: 'user' });
    return exitCode;
  } catch (error) {
    return reportFailure(error, json ? known : undefined, signals, args.includes('--no-color'));
  }
}

function buildProgram(around: Surroundings): Command {
  const program = new Command('vmreclaim')
    .description(
      'Resizes and aligns virtual machine disks offline and in place: crash-safe, rehearsed, without root.',
    )
    .version(around.version, '-V, --version')
    .exitOverride()
    .configureOutput({ writeOut: (text) => printData(text, {}), writeErr: () => undefined })
    .showSuggestionAfterError();
  addCommands(program, around);
  return program;
}

/** `known`: undefined for a person, else what the JSON holds besides the error. */
function reportFailure(
  error: unknown,
  known: FailureParts | undefined,
  signals: Signals,
  noColor: boolean,
): number {
  if (error instanceof CommanderError && error.exitCode === 0) return 0;
  const stopped = signals.exitCode();
  if (stopped !== undefined) {
    printTalk('stopped: nothing was changed\n');
    return stopped;
  }
  const shown = error instanceof CommanderError ? commandLineError(error) : error;
  const { text, exitCode } = renderError(
    shown,
    renderOptions(process.stderr, noColor ? { color: false } : {}),
  );
  printTalk(known === undefined ? text : toJson({ ...errorDocument(shown), ...known }));
  return exitCode;
}

function commandLineError(error: CommanderError) {
  // Without a command commander prints the help as if it were an error; it has no message of its own.
  const message =
    error.code === 'commander.help' ? 'a command is missing' : error.message.replace(/^error: /, '');
  return usageError('command-line', message, { hint: 'see: vmreclaim --help' });
}
