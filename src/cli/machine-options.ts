import { type Command, InvalidArgumentError, Option } from 'commander';
import { type ChangeFlags, type LayoutFlags, withChangeOptions, withLayoutOptions } from './options.js';

export interface MachineFlags extends ChangeFlags, LayoutFlags {
  readonly vm?: string;
  readonly host: 'auto' | 'esxi' | 'none';
  readonly powerOffCommand?: string;
  readonly powerOnCommand?: string;
  readonly isOffCommand?: string;
  readonly forcePowerOff?: boolean;
  readonly reattach?: boolean;
  readonly shutdownTimeout: number;
  /** False by `--no-power-on`. */
  readonly powerOn: boolean;
  readonly keepOffOnFailure?: boolean;
  /** False by `--no-zero`. */
  readonly zero: boolean;
}

const DEFAULT_SHUTDOWN_SECONDS = 300;

/** Options of `run`: how disks shall be, and how the machine is switched off and on. */
export function withMachineOptions(command: Command): Command {
  return withLayoutOptions(withChangeOptions(command))
    .option('--vm <name>', 'name of the machine on the ESXi host that the target is on')
    .addOption(
      new Option('--host <kind>', 'what runs the virtual machine')
        .choices(['auto', 'esxi', 'none'])
        .default('auto'),
    )
    .option('--is-off-command <command>', 'tells by its exit code whether the machine is off: 0 yes, 1 no')
    .option('--power-off-command <command>', 'shuts the guest down')
    .option('--power-on-command <command>', 'starts the machine')
    .option('--force-power-off', 'cut the power when the guest does not shut down')
    .addOption(
      new Option(
        '--shutdown-timeout <seconds>',
        'how long the guest may take to shut down, and a command that switches the machine',
      )
        .argParser(shutdownSeconds)
        .default(DEFAULT_SHUTDOWN_SECONDS),
    )
    .option(
      '--reattach',
      'take disks off the machine and put them back where the host still sees the old size (ESXi)',
    )
    .option('--no-power-on', 'leave the machine off afterwards')
    .option('--keep-off-on-failure', 'leave it off when something fails, also where its disks are whole')
    .option('--no-zero', 'do not clear unused space afterwards');
}

function shutdownSeconds(text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('Whole seconds, at least 1.');
}
