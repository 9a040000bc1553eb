import { servePartition } from '../app/serve.js';
import type { Services } from '../app/services.js';
import { usageError } from '../core/errors.js';
import { cleanText } from '../core/text.js';
import { toJson } from '../report/json.js';
import { askToGoOn, requireAnswer } from './confirm.js';
import type { ServeFlags } from './options.js';
import { peakMemoryBytes } from './peak-memory.js';
import { openOptions } from './remote.js';
import { printResult, showPlan } from './run-change.js';
import type { Surroundings } from './surroundings.js';
import { printData, printTalk } from './terminal.js';

export async function runServe(disk: string, flags: ServeFlags, around: Surroundings): Promise<void> {
  const { partition, write = false, quiet = false, yes = false } = flags;
  const place = placeOf(flags);
  // Known before anybody works for hours on what nobody can say yes to.
  if (write) requireAnswer(yes);
  const { signal } = around.signals;
  const onServing = (path: string) => {
    const how = write ? 'writes are committed at the end' : 'read-only';
    if (!quiet) printTalk(`partition ${partition} is at ${cleanText(path)} (${how}); stop with Ctrl-C\n`);
  };
  const onBusy = () => {
    printTalk('still in use: unmount or close the file; another Ctrl-C drops what was written\n');
    around.signals.renew();
    return around.signals.signal;
  };
  const options = { partition, write, place, stop: signal, onServing, onBusy, ...openOptions(flags, signal) };
  const { disk: path, outcome } = await servePartition(disk, options, () => commitServices(flags, around));
  if (outcome !== null) return printResult(outcome, 'serve', flags, around);
  const document = { formatVersion: 1, command: 'serve', disk: path, status: 'nothing-to-do' };
  printData(flags.json === true ? toJson(document) : 'nothing was written\n', flags);
  around.setExitCode(0);
}

function placeOf({ socket, mount }: ServeFlags) {
  if (socket !== undefined) return { socket };
  if (mount !== undefined) return { mount };
  throw usageError('command-line', 'serve needs --socket PATH or --mount FOLDER');
}

/** Ctrl-C ends the session, and with it begins the commit: another one stops that, as it stops any run. */
function commitServices(flags: ServeFlags, around: Surroundings): Services {
  around.signals.renew();
  const { signal } = around.signals;
  return {
    version: around.version,
    now: Date.now,
    random: Math.random,
    peakMemoryBytes,
    signal,
    confirm: async (plan) => {
      showPlan(plan, flags);
      return askToGoOn('Commit what was written?', flags.yes === true, signal);
    },
    onProgress: () => undefined,
    onInFlight: (disk) => around.signals.setInFlight(disk),
  };
}
