import { abandonRecord } from '../app/history.js';
import { type Dropped, type GivenUp, restoreTarget } from '../app/restore.js';
import { abandonRun } from '../app/resume.js';
import { cleanText } from '../core/text.js';
import { toJson } from '../report/json.js';
import { askToGoOn } from './confirm.js';
import type { AbandonFlags, CommonOptions } from './options.js';
import { recorded } from './record.js';
import { openOptions } from './remote.js';
import type { Surroundings } from './surroundings.js';
import { printData, printTalk } from './terminal.js';

export async function runAbandon(disk: string, flags: AbandonFlags, around: Surroundings): Promise<void> {
  const { signal } = around.signals;
  const options = openOptions(flags, signal);
  const services = {
    confirm: async (run: GivenUp) => {
      if (flags.quiet !== true && flags.json !== true) printTalk(whatIsGivenUp(run));
      return askToGoOn('Put the disk back?', flags.yes === true, signal);
    },
    onInFlight: (path: string) => around.signals.setInFlight(path),
  };
  const work = () =>
    flags.restore === true
      ? restoreTarget(disk, options, services)
      : abandonRun(disk, flags.force === true, options);
  const dropped = await recorded(
    { command: 'abandon', disk },
    flags,
    around,
    work,
    (value, context, seconds) => abandonRecord('abandon', value, seconds, context),
  );
  printDropped('abandon', dropped, flags, around);
}

function whatIsGivenUp({ disk, runId, startedAt, command }: GivenUp): string {
  const run = `the run ${cleanText(runId)} (${command}), begun at ${cleanText(startedAt)}`;
  return `${run}, is given up: ${cleanText(disk)} becomes what it was before\n`;
}

/** The result of a command that dropped a run. */
export function printDropped(
  command: 'abandon' | 'resume',
  dropped: Dropped,
  flags: CommonOptions,
  around: Surroundings,
): void {
  const document = { formatVersion: 1, command, ...dropped, status: 'done' };
  const run = `run ${cleanText(dropped.runId)} was dropped`;
  const text = dropped.restored ? `${run}: the disk was put back to what it was before\n` : `${run}\n`;
  printData(flags.json === true ? toJson(document) : text, flags);
  around.setExitCode(0);
}
