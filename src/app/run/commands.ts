import { loadPrograms } from '../../backends/registry.js';

/**
 * Runs a command of the operator by `sh -c`, with what it is about in its environment; its exit code, null when a signal ended
 * it. What it prints is not kept.
 */
export async function runCommand(
  command: string,
  variables: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<number | null> {
  const { runProgram } = await loadPrograms();
  // Without the signal once it was given: what follows on a stop must still be able to ask and to start.
  const stop = signal.aborted ? undefined : signal;
  return (await runProgram('/bin/sh', ['-c', command], stop, variables)).code;
}
