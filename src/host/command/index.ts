import { deviceError, refused, type VmreclaimError } from '../../core/errors.js';
import { PlainHost } from '../plain.js';
import type { Host, HostMachine, MachineFiles, PowerState } from '../types.js';

/** Commands of the operator for hypervisors that this program does not know. They run on this machine, by `sh -c`. */
export interface PowerCommands {
  /** Exit code 0: off. 1: not off. Anything else: not known. */
  readonly isOff: string;
  /** Begins to shut the guest down. Absent: a machine that runs is refused. */
  readonly powerOff?: string;
  /** Absent: the machine is left off. */
  readonly powerOn?: string;
}

/** How a command ended: its exit code, by a signal, or because it took too long. */
export type CommandEnd = number | 'killed' | 'timed-out';

/** Runs a command with variables in its environment, and ends it when the time is over. */
export type CommandRunner = (
  command: string,
  variables: Readonly<Record<string, string>>,
  seconds: number,
) => Promise<CommandEnd>;

const IS_OFF = 0;
const IS_ON = 1;
/** Asking is asked often, and waits for nobody. */
const ASK_SECONDS = 60;

/**
 * A hypervisor behind commands. What they are about comes in the environment (VMRECLAIM_VM, VMRECLAIM_VMX), so that no name is ever
 * part of a command. What they print is not looked at.
 */
export class CommandHost extends PlainHost implements Host {
  readonly kind = 'command';
  readonly tellsPower = true;
  readonly seesSizes = false;
  private variables: Readonly<Record<string, string>> = {};

  /** `powerSeconds`: how long a command may take that switches the machine. */
  constructor(
    private readonly commands: PowerCommands,
    private readonly runner: CommandRunner,
    private readonly powerSeconds: number,
  ) {
    super();
  }

  get stopsMachines(): boolean {
    return this.commands.powerOff !== undefined;
  }

  get startsMachines(): boolean {
    return this.commands.powerOn !== undefined;
  }

  async find({ vmx, name }: MachineFiles): Promise<HostMachine> {
    this.variables = { VMRECLAIM_VM: name, VMRECLAIM_VMX: vmx ?? '' };
    return { id: '', name, guestOs: null };
  }

  async powerState(): Promise<PowerState> {
    const code = await this.runner(this.commands.isOff, this.variables, ASK_SECONDS);
    if (code === 'timed-out') {
      throw tookTooLong('--is-off-command', ASK_SECONDS, 'run it by hand to see what it waits for');
    }
    return code === IS_OFF ? 'off' : code === IS_ON ? 'on' : 'unknown';
  }

  async shutDown(): Promise<void> {
    const { powerOff } = this.commands;
    if (powerOff === undefined) throw missing('--power-off-command', 'shut down');
    await this.must(powerOff, '--power-off-command');
  }

  async cutPower(): Promise<void> {
    throw refused('no-force', 'nothing is known that cuts the power of the virtual machine', {
      hint: 'let --power-off-command do it, and mind that its file systems are left dirty',
    });
  }

  async powerOn(): Promise<void> {
    const { powerOn } = this.commands;
    if (powerOn === undefined) throw missing('--power-on-command', 'started');
    await this.must(powerOn, '--power-on-command');
  }

  private async must(command: string, option: string): Promise<void> {
    const code = await this.runner(command, this.variables, this.powerSeconds);
    if (code === 0) return;
    if (code === 'timed-out') {
      const hint = 'run it by hand to see what it waits for; --shutdown-timeout lets it take longer';
      throw tookTooLong(option, this.powerSeconds, hint);
    }
    throw refused('command-failed', `the ${option} ended with ${code === 'killed' ? 'a signal' : code}`, {
      hint: 'run it by hand to see why',
    });
  }
}

const tookTooLong = (option: string, seconds: number, hint: string): VmreclaimError =>
  deviceError('command-timeout', `the ${option} did not end within ${seconds} s`, { hint });

const missing = (option: string, verb: string): VmreclaimError =>
  refused('no-command', `the virtual machine would have to be ${verb}, and there is no ${option}`, {
    hint: `give ${option}, or do it by hand`,
  });
