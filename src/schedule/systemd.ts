import { markLine, onlyLooks, parseJobTime } from './job.js';
import type { Job, JobTime, Starter } from './types.js';

const WEEKDAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const two = (value: number): string => String(value).padStart(2, '0');

/** The name that both units have before their suffix. */
export const unitName = (name: string): string => `vmreclaim-${name}`;

/** A time as systemd.time(7) writes it: `Sun *-*-* 02:30:00`. */
export function onCalendar({ hour, minute, weekdays, day }: JobTime): string {
  const days = weekdays.map((weekday) => WEEKDAYS[weekday]).join(',');
  const date = `*-*-${day === null ? '*' : two(day)} ${two(hour)}:${two(minute)}:00`;
  return days === '' ? date : `${days} ${date}`;
}

/** A word in a unit file: quoted, without specifiers and variables (systemd.service(5), systemd.syntax(7)). */
const quoted = (word: string): string =>
  `"${word.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('%', '%%').replaceAll('$', '$$$$')}"`;

/** A setting of the environment: as a word, but variables are not replaced there. */
const assignment = (key: string, value: string): string =>
  `Environment=${quoted(`${key}=${value}`).replaceAll('$$', '$')}`;

/** The service: it waits until the host of its targets answers, and then runs the command. */
export function serviceUnit(job: Job, { node, program, environment }: Starter): string {
  const command = [node, program, 'schedule', 'run', job.name, '--', ...job.command];
  return [
    markLine(job),
    '[Unit]',
    `Description=vmreclaim ${job.command[0]}, schedule ${job.name}`,
    'Wants=network-online.target',
    'After=network-online.target',
    '',
    '[Service]',
    'Type=oneshot',
    'Nice=10',
    // A path is taken as it is, quotes and all, but for specifiers.
    `WorkingDirectory=${job.folder.replaceAll('%', '%%')}`,
    ...Object.entries(environment).map(([key, value]) => assignment(key, value)),
    `ExecStart=${command.map(quoted).join(' ')}`,
    // A run that is told to stop ends at its next checkpoint, and can be resumed.
    'TimeoutStopSec=15min',
    '',
  ].join('\n');
}

/** The timer. Only what looks is made up for after the host was off: a machine may be running by then. */
export function timerUnit(job: Job): string {
  return [
    markLine(job),
    '[Unit]',
    `Description=vmreclaim ${job.command[0]}, schedule ${job.name}`,
    '',
    '[Timer]',
    `OnCalendar=${onCalendar(parseJobTime(job.at))}`,
    `Persistent=${onlyLooks(job) ? 'yes' : 'no'}`,
    '',
    '[Install]',
    'WantedBy=timers.target',
    '',
  ].join('\n');
}
