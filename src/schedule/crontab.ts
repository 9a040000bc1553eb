import { markedJob, markLine, parseJobTime } from './job.js';
import type { Job, JobTime, Starter } from './types.js';

/** The five fields of crontab(5). */
export const cronFields = ({ hour, minute, weekdays, day }: JobTime): string =>
  [minute, hour, day ?? '*', '*', weekdays.length === 0 ? '*' : weekdays.join(',')].join(' ');

/** A word for sh; cron makes line ends of percent signs, quoted or not, unless there is a backslash before them. */
const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`.replaceAll('%', '\\%');

/** The line that cron runs. */
export function cronLine(job: Job, { node, program, environment }: Starter): string {
  const settings = Object.entries(environment).map(([key, value]) => `${key}=${quoted(value)}`);
  const words = [node, program, 'schedule', 'run', job.name, '--', ...job.command].map(quoted);
  const command = [...settings, ...words].join(' ');
  return `${cronFields(parseJobTime(job.at))} cd ${quoted(job.folder)} && ${command}`;
}

/** The jobs of a crontab. */
export const cronJobs = (text: string): Job[] => text.split('\n').flatMap((line) => markedJob(line) ?? []);

/** A crontab with a job at its end; one of the same name is replaced. All other lines stay as they are. */
export function withCronJob(text: string, job: Job, starter: Starter): string {
  const others = withoutCronJob(text, job.name);
  const end = others === '' || others.endsWith('\n') ? '' : '\n';
  return `${others}${end}${markLine(job)}\n${cronLine(job, starter)}\n`;
}

/** A crontab without a job: its mark goes, and the line behind it where that is the job's and not somebody else's. */
export function withoutCronJob(text: string, name: string): string {
  const lines = text.split('\n');
  const isMark = (line = '') => markedJob(line)?.name === name;
  const runsIt = (line: string) => line.includes(` 'schedule' 'run' '${name}' `);
  return lines
    .filter((line, index) => !isMark(line) && !(isMark(lines[index - 1]) && runsIt(line)))
    .join('\n');
}
