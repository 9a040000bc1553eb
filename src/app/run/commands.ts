import { loadPrograms } from '../../backends/registry.js';
import type { CommandRunner } from '../../host/command/index.js';

/**
 * Runs a command of the operator by `sh -c`, with what it is about in its environment, to its end, whatever the user wants to
 * stop: half a command would leave a machine nobody knows in which state. What it prints is not kept.
 */
export const runCommand: CommandRunner = async (command, variables, seconds) => {
  const { runCommandLine } = await loadPrograms();
  return runCommandLine(command, variables, seconds * 1000);
};
