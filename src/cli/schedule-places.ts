import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { deviceError } from '../core/errors.js';
import { cronJobs, withCronJob, withoutCronJob } from '../schedule/crontab.js';
import { markedJob } from '../schedule/job.js';
import { serviceUnit, timerUnit, unitName } from '../schedule/systemd.js';
import type { Job, Starter } from '../schedule/types.js';

/** Something of the host that runs jobs. */
export interface Place {
  readonly kind: 'systemd' | 'cron';
  jobs(): Job[];
  /** Writes a job and puts it in force; returns what people should know. */
  add(job: Job, starter: Starter): string[];
  /** Removes what was written for a job. */
  remove(name: string): void;
  /** What was written for a job, as it stands there. */
  text(name: string): string;
}

/** Runs a program of the host. Throws Device (schedule) when it fails. */
function call(program: string, args: readonly string[], input = ''): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: 'utf8', input });
  if (error === undefined && status === 0) return stdout;
  throw deviceError('schedule', `${program} failed: ${stderr?.trim() || error?.message || `exit ${status}`}`);
}

/** Is systemd what runs this host? As sd_booted(3) asks. */
export const runsSystemd = (): boolean => existsSync('/run/systemd/system');

/** The crontab of the user, through crontab(1). */
export class Crontab implements Place {
  readonly kind = 'cron';

  static exists(): boolean {
    return spawnSync('crontab', ['-l']).error === undefined;
  }

  /** A user without one has an empty one. */
  private read(): string {
    const { status, stdout, stderr } = spawnSync('crontab', ['-l'], { encoding: 'utf8' });
    if (status === 0) return stdout;
    if (/no crontab/i.test(stderr)) return '';
    throw deviceError('schedule', `the crontab cannot be read: ${stderr.trim()}`);
  }

  jobs(): Job[] {
    return cronJobs(this.read());
  }

  add(job: Job, starter: Starter): string[] {
    call('crontab', ['-'], withCronJob(this.read(), job, starter));
    return [];
  }

  remove(name: string): void {
    call('crontab', ['-'], withoutCronJob(this.read(), name));
  }

  text(name: string): string {
    const lines = this.read().split('\n');
    const at = lines.findIndex((line) => markedJob(line)?.name === name);
    return `${lines.slice(at, at + 2).join('\n')}\n`;
  }
}

/** Timers and services in a folder of unit files. */
export class SystemdUnits implements Place {
  readonly kind = 'systemd';

  constructor(
    private readonly folder: string,
    /** False: unit files are written, and nothing is started. */
    private readonly isLive: boolean,
    private readonly isUser: boolean = process.getuid?.() !== 0,
  ) {}

  /** The folder that systemd reads: of the system for root, else of the user. */
  static ofHost(): SystemdUnits {
    const isRoot = process.getuid?.() === 0;
    const config = process.env.XDG_CONFIG_HOME || join(homedir(), '.config');
    const folder = isRoot ? '/etc/systemd/system' : join(config, 'systemd', 'user');
    return new SystemdUnits(folder, runsSystemd());
  }

  private file = (name: string, kind: string): string => join(this.folder, `${unitName(name)}.${kind}`);

  private systemctl(...args: string[]): void {
    if (this.isLive) call('systemctl', [...(this.isUser ? ['--user'] : []), ...args]);
  }

  jobs(): Job[] {
    if (!existsSync(this.folder)) return [];
    const names = readdirSync(this.folder).filter((name) => /^vmreclaim-.*\.timer$/.test(name));
    return names.sort().flatMap((name) => {
      const [first = ''] = readFileSync(join(this.folder, name), 'utf8').split('\n');
      const job = markedJob(first);
      // A copy under another name is not what was written.
      return job !== undefined && `${unitName(job.name)}.timer` === name ? [job] : [];
    });
  }

  add(job: Job, starter: Starter): string[] {
    const timer = `${unitName(job.name)}.timer`;
    mkdirSync(this.folder, { recursive: true });
    replace(this.file(job.name, 'service'), serviceUnit(job, starter));
    replace(this.file(job.name, 'timer'), timerUnit(job));
    this.systemctl('daemon-reload');
    this.systemctl('enable', '--now', timer);
    if (!this.isLive) return [`nothing was started: systemctl enable --now ${timer}`];
    return this.isUser ? ['it runs while you are logged in; always: loginctl enable-linger'] : [];
  }

  remove(name: string): void {
    this.systemctl('disable', '--now', `${unitName(name)}.timer`);
    rmSync(this.file(name, 'timer'), { force: true });
    rmSync(this.file(name, 'service'), { force: true });
    this.systemctl('daemon-reload');
  }

  text(name: string): string {
    return ['service', 'timer']
      .map((kind) => this.file(name, kind))
      .map((path) => `# ${path}\n${readFileSync(path, 'utf8')}`)
      .join('\n');
  }
}

/** Never half a file under its name. */
function replace(path: string, text: string): void {
  try {
    writeFileSync(`${path}.new`, text, { mode: 0o644 });
    renameSync(`${path}.new`, path);
  } catch (error) {
    throw deviceError('schedule', `the unit file cannot be written: ${path}`, { path, cause: error });
  }
}
