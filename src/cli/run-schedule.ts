import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { conflict, usageError } from '../core/errors.js';
import { cleanText } from '../core/text.js';
import { toJson } from '../report/json.js';
import { checkJob } from '../schedule/job.js';
import type { Job, Starter } from '../schedule/types.js';
import { waitForHosts } from './host-check.js';
import type { CommonOptions } from './options.js';
import { Crontab, type Place, runsSystemd, SystemdUnits } from './schedule-places.js';
import type { Surroundings } from './surroundings.js';
import { printData, printTalk } from './terminal.js';

export interface ScheduleFlags extends CommonOptions {
  readonly at?: string;
  readonly cron?: boolean;
  readonly units?: string;
  readonly wait: number;
}

/** `vmreclaim schedule ACTION [NAME] [-- COMMAND ...]`. */
export async function runSchedule(
  action: string,
  name: string | undefined,
  command: readonly string[],
  flags: ScheduleFlags,
  program: Command,
  around: Surroundings,
): Promise<void> {
  around.setExitCode(0);
  if (action === 'show') return show(name, flags);
  if (name === undefined)
    throw usageError('schedule-name', `schedule ${action} needs the name of a schedule`);
  if (action === 'remove') return remove(name, flags);
  const job: Job = { name, at: flags.at ?? '', command, folder: process.cwd() };
  if (action === 'add') return add(job, flags, program);
  checkJob({ ...job, at: '00:00' });
  await waitForHosts(command, flags.wait, around.signals.signal);
  await program.parseAsync([...command], { from: 'user' });
}

/** All that this command may have written to. */
function places({ units, cron }: ScheduleFlags): Place[] {
  if (units !== undefined) return [new SystemdUnits(units, false)];
  const crontabs = Crontab.exists() ? [new Crontab()] : [];
  return cron === true ? crontabs : [SystemdUnits.ofHost(), ...crontabs];
}

/** Where a new one goes: systemd where it runs, else cron. */
function placeForNew(flags: ScheduleFlags): Place {
  const all = places(flags);
  const wanted = flags.cron === true || (flags.units === undefined && !runsSystemd()) ? 'cron' : 'systemd';
  const place = all.find(({ kind }) => kind === wanted);
  if (place !== undefined) return place;
  throw usageError('schedule', `there is no ${wanted} on this host`, {
    hint: 'write unit files for another one with --units FOLDER',
  });
}

function add(job: Job, flags: ScheduleFlags, program: Command): void {
  if (flags.at === undefined) throw usageError('time', 'schedule add needs a time: --at "sun 02:30"');
  checkJob(job);
  checkCommandLine(job, program);
  const place = placeForNew(flags);
  if (places(flags).some((each) => each.jobs().some(({ name }) => name === job.name))) {
    throw conflict('schedule-exists', `there is a schedule ${job.name} already`, {
      hint: `remove it first: vmreclaim schedule remove ${job.name}`,
    });
  }
  const notes = place.add(job, starter());
  printData(flags.json === true ? toJson(document([{ job, place }])) : place.text(job.name), flags);
  if (flags.quiet !== true) for (const note of notes) printTalk(`${note}\n`);
}

/** What the host could not run is refused while somebody is there to read why. */
function checkCommandLine({ command: [first, ...rest] }: Job, program: Command): void {
  const chosen = program.commands.find((each) => each.name() === first);
  if (chosen === undefined) throw usageError('schedule-command', `there is no command ${first}`);
  const { operands, unknown } = chosen.parseOptions([...rest]);
  const needed = chosen.registeredArguments.filter(({ required }) => required).length;
  if (unknown.length > 0) throw usageError('schedule-command', `${first}: unknown option ${unknown[0]}`);
  if (operands.length < needed) throw usageError('schedule-command', `${first} needs a disk or a target`);
}

/** This very program, and where its history is when it is not in the usual place. */
function starter(): Starter {
  const { VMRECLAIM_STATE_DIR, XDG_STATE_HOME } = process.env;
  const environment = {
    ...(VMRECLAIM_STATE_DIR ? { VMRECLAIM_STATE_DIR } : {}),
    ...(XDG_STATE_HOME ? { XDG_STATE_HOME } : {}),
  };
  const node = process.execPath;
  const program = fileURLToPath(new URL('../../bin/vmreclaim.js', import.meta.url));
  if ([node, program, ...Object.values(environment)].some((text) => /\p{Control}/u.test(text))) {
    throw usageError('schedule-command', 'a path of this program or of its history holds control characters');
  }
  return { node, program, environment };
}

interface Found {
  readonly job: Job;
  readonly place: Place;
}

const found = (flags: ScheduleFlags): Found[] =>
  places(flags).flatMap((place) => place.jobs().map((job) => ({ job, place })));

const document = (all: readonly Found[]) => ({
  formatVersion: 1,
  schedules: all.map(({ job, place }) => ({ ...job, place: place.kind })),
});

function named(name: string, flags: ScheduleFlags): Found[] {
  const all = found(flags).filter(({ job }) => job.name === name);
  if (all.length > 0) return all;
  throw usageError('schedule-name', `there is no schedule ${cleanText(name)}`, {
    hint: 'see: vmreclaim schedule show',
  });
}

function show(name: string | undefined, flags: ScheduleFlags): void {
  const all = name === undefined ? found(flags) : named(name, flags);
  if (flags.json === true) printData(toJson(document(all)), flags);
  else if (name === undefined) printData(listText(all), flags);
  else printData(all.map(({ place }) => place.text(name)).join('\n'), flags);
}

function listText(all: readonly Found[]): string {
  if (all.length === 0) return 'nothing is scheduled\n';
  const line = ({ job, place }: Found) =>
    `${job.name}  ${job.at}  (${place.kind})  ${job.command.map(cleanText).join(' ')}\n`;
  return all.map(line).join('');
}

function remove(name: string, flags: ScheduleFlags): void {
  const all = named(name, flags);
  for (const { place } of all) place.remove(name);
  if (flags.json === true) printData(toJson(document(all)), flags);
  else printData(`schedule ${name} was removed\n`, flags);
}
