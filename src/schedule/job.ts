import { usageError } from '../core/errors.js';
import type { Job, JobTime } from './types.js';

const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
/** A month has at least so many days. */
const LAST_DAY = 28;
const NAME = /^[a-z0-9][a-z0-9-]{0,39}$/;
/** Commands that a host may run by itself. */
const COMMANDS = ['scan', 'report', 'plan', 'shrink', 'enlarge', 'align', 'zero', 'move-extents', 'run'];
const CHANGING: ReadonlySet<string> = new Set(['shrink', 'enlarge', 'align', 'zero', 'move-extents', 'run']);

/** Does it only look, so that it can be made up for when the host was off at its time? */
export const onlyLooks = ({ command: [first = ''] }: Job): boolean => !CHANGING.has(first);

/** `02:30` every day, `sun 02:30` and `mon,thu 02:30` on days of the week, `1 02:30` on a day of the month. Usage (time). */
export function parseJobTime(text: string): JobTime {
  const parts = /^(?:(\S+)\s+)?([01]?\d|2[0-3]):([0-5]\d)$/.exec(text.trim());
  if (parts === null) throw wrongTime(text);
  const [, days, hour, minute] = parts;
  const time = { hour: Number(hour), minute: Number(minute), weekdays: [], day: null };
  if (days === undefined) return time;
  if (/^\d{1,2}$/.test(days)) {
    const day = Number(days);
    if (day < 1 || day > LAST_DAY) throw wrongTime(text);
    return { ...time, day };
  }
  const weekdays = days
    .toLowerCase()
    .split(',')
    .map((name) => WEEKDAYS.indexOf(name));
  if (weekdays.includes(-1)) throw wrongTime(text);
  return { ...time, weekdays: [...new Set(weekdays)].sort((a, b) => a - b) };
}

const wrongTime = (text: string) =>
  usageError('time', `${text} is not a time of a schedule`, {
    hint: `write 02:30, sun 02:30, mon,thu 02:30, or with a day of the month (1 to ${LAST_DAY}) 1 02:30`,
  });

/** Checks a job before it is written anywhere. Usage (schedule-name, schedule-command, time). */
export function checkJob(job: Job): void {
  parseJobTime(job.at);
  if (!NAME.test(job.name)) {
    throw usageError(
      'schedule-name',
      'a schedule is named with small letters, digits and dashes, 40 at most',
    );
  }
  const [first = ''] = job.command;
  if (!COMMANDS.includes(first)) {
    throw usageError('schedule-command', `${first || 'nothing'} cannot be scheduled`, {
      hint: `behind two dashes comes one of ${COMMANDS.join(', ')} with its options: -- report /vmfs/volumes`,
    });
  }
  if ([...job.command, job.folder].some((word) => /\p{Control}/u.test(word))) {
    throw usageError('schedule-command', 'a command with control characters cannot be scheduled');
  }
  // A unit file would go on with the next line.
  if (job.folder.endsWith('\\'))
    throw usageError('schedule-command', 'a folder whose name ends in \\ cannot be scheduled in');
  const answers = ['-y', '--yes', '-n', '--dry-run'];
  if (!onlyLooks(job) && !job.command.some((word) => answers.includes(word))) {
    throw usageError('schedule-command', `nobody is there to answer ${first} when it asks`, {
      hint: 'add --yes to the command, after you have looked at its plan',
    });
  }
}

const MARK = '# vmreclaim schedule: ';

/** The line by which what was written is known again, in unit files and in crontabs. */
export const markLine = ({ name, at, command, folder }: Job): string =>
  `${MARK}${JSON.stringify({ name, at, command, folder })}`;

/** The job of such a line; undefined for every other line, and for one that somebody has spoilt. */
export function markedJob(line: string): Job | undefined {
  if (!line.startsWith(MARK)) return undefined;
  try {
    const { name, at, command, folder } = JSON.parse(line.slice(MARK.length));
    const words: unknown = [name, at, folder, ...command];
    if (!Array.isArray(words) || words.some((word) => typeof word !== 'string')) return undefined;
    return { name, at, command, folder };
  } catch {
    return undefined;
  }
}
