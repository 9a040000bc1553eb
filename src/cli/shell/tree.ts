import type { Command, Option } from 'commander';

/** An option as completion and manual show it. */
export interface OptionSpec {
  /** `-o`; absent where there is none. */
  readonly short?: string;
  readonly long: string;
  /** `<file>`; absent for a switch. */
  readonly value?: string;
  readonly choices: readonly string[];
  readonly description: string;
  /** What holds when it is not given, as people write it; absent where there is nothing to say. */
  readonly preset?: string;
}

/** A positional argument. */
export interface ArgumentSpec {
  /** `disk`, `target...` */
  readonly name: string;
  readonly required: boolean;
  readonly variadic: boolean;
  readonly choices: readonly string[];
}

export interface CommandSpec {
  readonly name: string;
  readonly description: string;
  readonly arguments: readonly ArgumentSpec[];
  readonly options: readonly OptionSpec[];
}

/** The whole command line: what is declared for `--help`, and nothing besides. */
export interface ProgramSpec {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly options: readonly OptionSpec[];
  readonly commands: readonly CommandSpec[];
}

/** The command line as a value. */
export function programSpec(program: Command): ProgramSpec {
  return {
    name: program.name(),
    version: program.version() ?? '',
    description: program.description(),
    options: optionsOf(program),
    commands: program.commands.map((command) => ({
      name: command.name(),
      description: command.description(),
      arguments: command.registeredArguments.map((argument) => ({
        name: argument.name(),
        required: argument.required,
        variadic: argument.variadic,
        choices: argument.argChoices ?? [],
      })),
      options: optionsOf(command),
    })),
  };
}

/** Those that the help shows too, `--help` among them. */
const optionsOf = (command: Command): OptionSpec[] =>
  command.createHelp().visibleOptions(command).map(optionSpec);

function optionSpec(option: Option): OptionSpec {
  const { short, long, flags, argChoices, description, defaultValue, defaultValueDescription } = option;
  const value = /[<[].*$/.exec(flags)?.[0];
  const isTold = typeof defaultValue === 'string' || typeof defaultValue === 'number';
  const preset = defaultValueDescription ?? (isTold ? String(defaultValue) : undefined);
  return {
    ...(short === undefined ? {} : { short }),
    long: long ?? '',
    ...(value === undefined ? {} : { value }),
    choices: argChoices ?? [],
    description,
    ...(preset === undefined || option.negate ? {} : { preset }),
  };
}

/** Names of values and arguments that are files. */
const FILES: ReadonlySet<string> = new Set(['<file>', '<folder>', 'disk', 'target', 'file']);

/** Is it a path, that a shell can complete? */
export const isPath = (name: string | undefined): boolean => name !== undefined && FILES.has(name);
