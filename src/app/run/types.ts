import type { Reason } from '../../core/errors.js';
import type { CommandRunner, PowerCommands } from '../../host/command/index.js';
import type { Host, PowerState } from '../../host/types.js';
import type { LayoutRequest, Plan } from '../../plan/types.js';
import type { OpenOptions } from '../open.js';
import type { Outcome } from '../outcome.js';
import type { Wish } from '../plan.js';
import type { Services } from '../services.js';

/** What a run of a whole machine is asked for. */
export interface MachineRunOptions extends OpenOptions {
  /** Name of the machine on the host that the target is on; absent: the target is its .vmx, or a disk. */
  readonly vm?: string;
  readonly wish: Wish;
  /** What is cleared afterwards; null: nothing. */
  readonly zero: Wish | null;
  readonly dryRun: boolean;
  readonly host: {
    /** `auto`: what is there. */
    readonly kind: 'auto' | 'esxi' | 'none';
    /** Commands of the operator instead of a host that is known. */
    readonly commands?: PowerCommands;
  };
  /** Start the machine again when it ran before. */
  readonly powerOn: boolean;
  /** Leave it off when something fails, also where its disks are whole. */
  readonly keepOffOnFailure: boolean;
  /** Take disks off the machine and put them back where the host goes on seeing an old size. */
  readonly reattach: boolean;
  /** Cut the power when the guest does not shut down. */
  readonly forcePowerOff: boolean;
  readonly shutdownSeconds: number;
}

export type StepName =
  | 'lock'
  | 'plan'
  | 'power-off'
  | 'check'
  | 'resume'
  | 'resize'
  | 'zero'
  | 'punch'
  | 'refresh'
  | 'unlock'
  | 'power-on';

/** A step of a run, as it ended. */
export interface RunStep {
  readonly step: StepName;
  /** The disk it was about; null: the machine. */
  readonly disk: string | null;
  readonly status: 'done' | 'skipped' | 'failed';
  readonly message: string;
  readonly seconds: number;
}

/** What is expected to become of a disk, before anything is switched off. */
export interface DiskForecast {
  readonly disk: string;
  /** Null where it cannot be told, and `note` says why. Of a machine that runs it is an estimate. */
  readonly plan: Plan | null;
  readonly note: string | null;
}

/** What the person is asked about. */
export interface RunForecast {
  readonly machine: string;
  readonly host: Host['kind'];
  readonly power: PowerState;
  readonly willSwitchOff: boolean;
  readonly willSwitchOn: boolean;
  readonly disks: readonly DiskForecast[];
}

/** Surroundings of a run: those of a change, and what happens around it. */
export interface RunServices extends Services {
  /** Who runs it and where, for the lock file. */
  readonly who: { readonly by: string; readonly host: string };
  /** Shows the forecast and asks; false: the user said no. `confirm` only shows, then. */
  confirmRun(forecast: RunForecast): Promise<boolean>;
  /** Does the work on one disk and records how it ended, like the command of that name. */
  recorded(
    command: LayoutRequest['command'] | 'resume',
    disk: string,
    work: () => Promise<Outcome>,
  ): Promise<Outcome>;
  onStep(step: RunStep): void;
  /** From here on a stop leaves more than the beginning: the machine may be off. */
  onSwitchedOff(target: string): void;
  readonly runCommand: CommandRunner;
}

/** What became of a disk. */
export interface DiskResult {
  readonly disk: string;
  readonly resumed: Outcome | null;
  readonly change: Outcome | null;
  readonly zero: Outcome | null;
}

/** What a run comes to. */
export interface MachineOutcome {
  readonly target: string;
  readonly machine: { readonly name: string; readonly vmx: string | null; readonly guestOs: string | null };
  readonly host: Host['kind'];
  readonly runId: string;
  readonly status: 'done' | 'nothing-to-do' | 'dry-run';
  readonly powerBefore: PowerState;
  readonly powerAfter: PowerState;
  readonly steps: readonly RunStep[];
  readonly forecast: readonly DiskForecast[];
  readonly disks: readonly DiskResult[];
  readonly warnings: readonly Reason[];
  readonly seconds: number;
}
