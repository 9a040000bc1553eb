import type { Reason } from '../core/errors.js';

/** What a virtual machine is doing. What a host says and nobody understands is `unknown`, never a guess. */
export type PowerState = 'on' | 'off' | 'suspended' | 'unknown';

/** A machine as the host knows it. */
export interface HostMachine {
  /** The host's own handle. */
  readonly id: string;
  /** Cleaned of control characters, for messages. */
  readonly name: string;
  /** What runs in it, as the host says; null where it does not. */
  readonly guestOs: string | null;
}

/** A machine as its files tell: what a host is asked for. Paths are those of the host. */
export interface MachineFiles {
  /** Its .vmx; null for a disk that no machine in its folder uses. */
  readonly vmx: string | null;
  readonly name: string;
}

/** A disk that a run has worked on. */
export interface HostDisk {
  /** Path of the descriptor, or the flat file, on the host. */
  readonly path: string;
  readonly sizeBytes: number;
}

/** How a program on the host ended. */
export interface ShellEnd {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** `command` goes to a shell: names belong through `shellWord`. Throws Device; command-timeout when it does not end in time. */
type RunCommand = (command: string, input?: string, milliseconds?: number) => Promise<ShellEnd>;

/** Programs on the host. */
export interface HostShell {
  /** For what may run twice: when the connection is lost it is run again over the next one. */
  readonly run: RunCommand;
  /** For what may not. Device (link-lost) when the connection is lost: nobody knows whether it ran. */
  readonly runOnce: RunCommand;
}

/**
 * The machine that runs the virtual machine. Every method may throw Device (it cannot be reached) or Refused (it says no,
 * or something that is not understood). None of them waits for a state: `reachState` does.
 */
export interface Host {
  readonly kind: 'esxi' | 'command' | 'none';
  /** False: nobody can be asked whether the machine runs; only the files beside its disks tell. */
  readonly tellsPower: boolean;
  /** False: there is no way to start it. */
  readonly startsMachines: boolean;
  /** False: there is no way to shut it down. */
  readonly stopsMachines: boolean;
  /** False: it keeps no sizes of disks in mind, so there is nothing to tell it. */
  readonly seesSizes: boolean;
  /** Path of the .vmx of the only machine with this name. Absent: machines have no names there. */
  vmxOf?(name: string): Promise<string>;
  /** Refused when the host does not know it. */
  find(files: MachineFiles): Promise<HostMachine>;
  powerState(machine: HostMachine): Promise<PowerState>;
  /** What the host knows that stands against a change of the disks: snapshots. */
  obstacles(machine: HostMachine): Promise<readonly Reason[]>;
  /** A question that the machine waits with; null: none. */
  question(machine: HostMachine): Promise<string | null>;
  /** Who holds locks on files of a machine that is off. */
  locks(paths: readonly string[]): Promise<readonly Reason[]>;
  /** Asks the guest to shut down, and returns at once. */
  shutDown(machine: HostMachine): Promise<void>;
  /** Like pulling the plug: file systems of the guest are left dirty. */
  cutPower(machine: HostMachine): Promise<void>;
  powerOn(machine: HostMachine): Promise<void>;
  /**
   * Lets the host see the new sizes. What it could not be told comes as reasons: the disks are whole by now. `reattach`: may
   * take a disk off a machine that is off and put it back. Refused (disk-detached) when it came off and did not go back.
   */
  refresh(machine: HostMachine, disks: readonly HostDisk[], reattach: boolean): Promise<readonly Reason[]>;
  /** Gives zeroed blocks of a thin disk back to its datastore. False: that is not how this store does it. */
  punch(path: string): Promise<boolean>;
}
