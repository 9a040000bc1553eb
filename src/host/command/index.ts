import { refused, type VmreclaimError } from '../../core/errors.js';
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

/** Runs a command with variables in its environment; its exit code, null when a signal ended it. */
export type CommandRunner = (
  command: string,
  variables: Readonly<Record<string, string>>,
) => Promise<number | null>;

const IS_OFF = 0;
const IS_ON = 1;

/**
 * A hypervisor behind commands. What they are about comes in the environment (VMRECLAIM_VM, VMRECLAIM_VMX), so that no name is ever
 * part of a command. What they print is not looked at.
 */
export class CommandHost extends PlainHost implements Host {
  readonly kind = 'command';
  readonly tellsPower = true;
  private variables: Readonly<Record<string, string>> = {};

  constructor(
    private readonly commands: PowerCommands,
    private readonly runner: CommandRunner,
  ) {
    super();
  }

  get startsMachines(): boolean {
    return this.commands.powerOn !== undefined;
  }

  async find({ vmx, name }: MachineFiles): Promise<HostMachine> {
    this.variables = { VMRECLAIM_VM: name, VMRECLAIM_VMX: vmx ?? '' };
    return { id: '', name, guestOs: null };
  }

  async powerState(): Promise<PowerState> {
    const code = await this.runner(this.commands.isOff, this.variables);
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
    const code = await this.runner(command, this.variables);
    if (code === 0) return;
    throw refused('command-failed', `the ${option} ended with ${code ?? 'a signal'}`, {
      hint: 'run it by hand to see why',
    });
  }
}

const missing = (option: string, verb: string): VmreclaimError =>
  refused('no-command', `the virtual machine would have to be ${verb}, and there is no ${option}`, {
    hint: `give ${option}, or do it by hand`,
  });
