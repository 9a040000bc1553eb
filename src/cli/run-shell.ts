import type { Command } from 'commander';
import { bashCompletion } from './shell/bash.js';
import { fishCompletion } from './shell/fish.js';
import { manualPage } from './shell/man.js';
import type { Shell } from './shell/shells.js';
import { type ProgramSpec, programSpec } from './shell/tree.js';
import { zshCompletion } from './shell/zsh.js';
import type { Surroundings } from './surroundings.js';
import { type OutputOptions, printData } from './terminal.js';

const COMPLETIONS: Readonly<Record<Shell, (spec: ProgramSpec) => string>> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
};

/** The completion script of a shell, made from the commands as they are declared. */
export function runCompletion(
  shell: Shell,
  program: Command,
  flags: OutputOptions,
  around: Surroundings,
): void {
  printData(COMPLETIONS[shell](programSpec(program)), flags);
  around.setExitCode(0);
}

/** The manual page, made from the same. */
export function runMan(program: Command, flags: OutputOptions, around: Surroundings): void {
  printData(manualPage(programSpec(program)), flags);
  around.setExitCode(0);
}
