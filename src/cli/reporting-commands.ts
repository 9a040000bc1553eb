import { Argument, type Command, Option } from 'commander';
import { withBoundary, withCommonOptions } from './options.js';
import {
  countArgument,
  currencyArgument,
  type HistoryFlags,
  priceArgument,
  REPORT_FORMATS,
  type ReportFlags,
} from './reporting-options.js';
import type { ScheduleFlags } from './run-schedule.js';
import { SHELLS, type Shell } from './shell/shells.js';
import type { Surroundings } from './surroundings.js';
import type { OutputOptions } from './terminal.js';

/** Commands that say what there is and what was done, and those around them. */
export function addReportingCommands(program: Command, around: Surroundings): void {
  addReport(program, around);
  addHistory(program, around);
  addProfiles(program, around);
  addSchedule(program, around);
  addShell(program, around);
}

function addReport(program: Command, around: Surroundings): void {
  withBoundary(withCommonOptions(program.command('report [target...]')))
    .description('tables of machines, datastores, projected and achieved savings')
    .option('--from <file>', 'a scan saved with: vmreclaim scan --json -o FILE; - reads stdin')
    .addOption(new Option('--format <kind>', 'format of the report').choices(REPORT_FORMATS))
    .option('--profile <file>', 'rules that say what is recommended')
    .option('--cost-per-gib <price>', 'what a GiB is worth', priceArgument)
    .option('--currency <code>', 'currency of the price, such as EUR', currencyArgument)
    .addOption(
      new Option('--sort <key>', 'what comes first')
        .choices(['reclaimable', 'path', 'size'])
        .default('reclaimable'),
    )
    .action(async (targets: string[], options: ReportFlags) => {
      const { runReport } = await import('./run-report.js');
      await runReport(targets, options, around);
    });
}

function addHistory(program: Command, around: Surroundings): void {
  withCommonOptions(program.command('history [disk]'))
    .description('what was done to a disk, or to all of them, and how it looked')
    .option('--vm <name>', 'only disks of this machine')
    .option('--since <time>', 'not before: 2026-11-23, an ISO time, or how long ago: 12h, 30d, 8w')
    .option('--until <time>', 'not after')
    .option('--scans', 'scans too, when no disk is named')
    .option('--details', 'a block with maps for every record')
    .option('--limit <n>', 'the latest records, at most', countArgument, 1000)
    .action(async (disk: string | undefined, options: HistoryFlags) => {
      const { runHistory } = await import('./run-history.js');
      await runHistory(disk, options, around);
    });
}

function addProfiles(program: Command, around: Surroundings): void {
  withCommonOptions(program.command('profiles'))
    .description('list, show, check or begin a file of rules')
    .addArgument(new Argument('<action>').choices(['list', 'show', 'check', 'init']))
    .argument('<file>', 'the profile')
    .argument('[category]', 'what show shows')
    .action(async (action: string, file: string, category: string | undefined, options: OutputOptions) => {
      const { runProfiles } = await import('./run-profiles.js');
      await runProfiles(action, file, category, options, around);
    });
}

function addSchedule(program: Command, around: Surroundings): void {
  withCommonOptions(program.command('schedule'))
    .description('let this host run a command at a time: systemd timer or crontab line')
    .addArgument(new Argument('<action>').choices(['add', 'show', 'remove', 'run']))
    .argument('[name]', 'the schedule')
    .argument('[command...]', 'behind --: what it runs')
    .option('--at <time>', '02:30, sun 02:30, mon,thu 02:30, or 1 02:30 for a day of the month')
    .option('--cron', 'a line of the crontab, also where systemd runs')
    .option('--units <folder>', 'only write unit files, to this folder')
    .option('--wait <seconds>', 'how long run waits for a host that does not answer', countArgument, 300)
    .action(
      async (
        action: string,
        name: string | undefined,
        command: string[],
        options: ScheduleFlags,
      ): Promise<void> => {
        const { runSchedule } = await import('./run-schedule.js');
        await runSchedule(action, name, command, options, program, around);
      },
    );
}

/** What the shell and the manual know about the program comes from the declarations of all commands. */
function addShell(program: Command, around: Surroundings): void {
  withCommonOptions(program.command('completion'))
    .description('print the completion script of a shell')
    .addArgument(new Argument('<shell>').choices(SHELLS))
    .action(async (shell: Shell, options: OutputOptions) => {
      const { runCompletion } = await import('./run-shell.js');
      runCompletion(shell, program, options, around);
    });
  withCommonOptions(program.command('man'))
    .description('print the manual page: vmreclaim man | man -l -')
    .action(async (options: OutputOptions) => {
      const { runMan } = await import('./run-shell.js');
      runMan(program, options, around);
    });
}
