import { type Reason, refused } from '../../core/errors.js';
import { cleanText } from '../../core/text.js';
import type { Host, HostDisk, HostMachine, HostShell, MachineFiles, PowerState } from '../types.js';
import { machineId, shellWord, vimCommand } from './commands.js';
import { isHeld, lockOf } from './locks.js';
import {
  type Datastore,
  type DatastorePath,
  isMachineList,
  type MachineSummary,
  machineIdsOf,
  parseDatastores,
  parseSummary,
} from './parse-machines.js';
import { parsePowerState, parseQuestion, parseSnapshots, snapshotText } from './parse-state.js';
import { powerOn } from './power-on.js';
import { attachAgain, sizeReasons } from './refresh.js';
import { act, ask, askFor, doOnce, notUnderstood } from './talk.js';

/** What the answers begin with; what follows is, in part, text of people. */
const HEADINGS = {
  list: /^Vmid\s+Name\s+File\s/m,
  summary: /^Listsummary:/m,
  datastores: /^\(vim\.Datastore\.Summary\) \[/m,
  snapshots: /^Get Snapshot:/m,
  question: /^(?:No message|Virtual machine message)/m,
} as const;

/** Punching reads the whole disk. */
const PUNCH_MS = 24 * 60 * 60 * 1000;

/** The files of the host, as far as they are needed to know one by another name. */
export interface HostFiles {
  /** The path with its links resolved; undefined when there is nothing. */
  realPath(path: string): Promise<string | undefined>;
}

/** True when the commands of an ESXi host are there. A server that runs no commands is none. */
export async function isEsxi(shell: HostShell): Promise<boolean> {
  const { exitCode } = await shell.run('command -v vim-cmd && command -v vmkfstools');
  return exitCode === 0;
}

/** Ids of rows with folder and name of the file; of a folder that the host knows by another name: with the name alone. */
function candidates(list: string, vmx: string): string[] {
  const [folder = '', name = ''] = vmx.split('/').slice(-2);
  const exact = machineIdsOf(list, `${folder}/${name}`);
  return exact.length > 0 ? exact : machineIdsOf(list, name);
}

/**
 * A standalone ESXi host, asked by `vim-cmd` and `vmkfstools` over SSH (formats and their sources:
 * README.md). Exit codes of vim-cmd tell little: answers do.
 */
export class EsxiHost implements Host {
  readonly kind = 'esxi';
  readonly tellsPower = true;
  readonly startsMachines = true;
  readonly stopsMachines = true;
  readonly seesSizes = true;
  private datastores: Promise<readonly Datastore[]> | undefined;

  constructor(
    private readonly shell: HostShell,
    private readonly files: HostFiles,
  ) {}

  async find({ vmx, name }: MachineFiles): Promise<HostMachine> {
    if (vmx === null) {
      throw refused('no-machine', `no .vmx beside ${cleanText(name)} names it, so the host cannot be asked`, {
        hint: 'name the .vmx of the virtual machine; for a disk that belongs to none: --host none',
      });
    }
    const real = (await this.files.realPath(vmx)) ?? vmx;
    const found: HostMachine[] = [];
    for (const id of candidates(await this.list(), real)) {
      const machine = await this.machineAt(id, real, name);
      if (machine !== undefined) found.push(machine);
    }
    const [machine, other] = found;
    if (machine !== undefined && other === undefined) return machine;
    throw refused(
      machine === undefined ? 'not-registered' : 'host-answer',
      machine === undefined
        ? `the host has no virtual machine with the file ${cleanText(vmx)}`
        : `the host has the file ${cleanText(vmx)} registered twice`,
      { hint: 'register it once on this host, or run this on the host where it is registered' },
    );
  }

  async vmxOf(name: string): Promise<string> {
    const found: string[] = [];
    for (const id of machineIdsOf(await this.list(), name)) {
      const summary = await this.summaryOf(id);
      if (summary?.name !== cleanText(name)) continue;
      const path = await this.pathOf(summary.vmx);
      if (path !== undefined) found.push(path);
    }
    const [path, other] = found;
    if (path !== undefined && other === undefined) return path;
    const count = path === undefined ? 'no virtual machine' : 'more than one virtual machine';
    throw refused('not-registered', `the host has ${count} with the name ${cleanText(name)}`, {
      hint: 'name its .vmx instead',
    });
  }

  private async list(): Promise<string> {
    const list = await ask(this.shell, vimCommand('vmsvc/getallvms'), HEADINGS.list);
    if (isMachineList(list)) return list;
    throw notUnderstood('the list of its virtual machines');
  }

  /** Undefined when there is no such machine: a row may be a line of a note, and its number anything. */
  private async summaryOf(id: string): Promise<MachineSummary | undefined> {
    const command = vimCommand('vmsvc/get.summary', machineId(id));
    const said = await askFor(this.shell, command, HEADINGS.summary);
    if (said.fault?.name === 'NotFound') return undefined;
    if (said.fault !== undefined) throw said.error;
    const summary = parseSummary(said.stdout);
    if (summary === undefined) throw notUnderstood(`the summary of virtual machine ${id}`);
    return summary;
  }

  /** The machine with this id, when its .vmx is the file we mean. */
  private async machineAt(id: string, vmx: string, name: string): Promise<HostMachine | undefined> {
    const summary = await this.summaryOf(id);
    const path = summary === undefined ? undefined : await this.pathOf(summary.vmx);
    if (summary === undefined || path === undefined) return undefined;
    if ((await this.files.realPath(path)) !== vmx) return undefined;
    return { id, name: summary.name ?? cleanText(name), guestOs: summary.guestOs };
  }

  /** Where `[datastore] path` lies; undefined for a datastore that is not mounted here, or where it could be two. */
  private async pathOf({ datastore, path }: DatastorePath): Promise<string | undefined> {
    // Both names may hold what separates them.
    const text = `[${datastore}] ${path}`;
    const [found, twice] = (await this.mounted()).flatMap((store) => {
      const prefix = `[${store.name}] `;
      return text.startsWith(prefix) ? [`${store.path}/${text.slice(prefix.length)}`] : [];
    });
    return twice === undefined ? found : undefined;
  }

  private mounted(): Promise<readonly Datastore[]> {
    this.datastores ??= this.askForDatastores().catch((error: unknown) => {
      // Once the host did not answer: it is asked anew.
      this.datastores = undefined;
      throw error;
    });
    return this.datastores;
  }

  private async askForDatastores(): Promise<readonly Datastore[]> {
    const command = vimCommand('hostsvc/datastore/listsummary');
    const found = parseDatastores(await ask(this.shell, command, HEADINGS.datastores));
    if (found === undefined) throw notUnderstood('the list of its datastores');
    return found;
  }

  async powerState({ id }: HostMachine): Promise<PowerState> {
    return parsePowerState(await ask(this.shell, vimCommand('vmsvc/power.getstate', machineId(id))));
  }

  async obstacles({ id, name }: HostMachine): Promise<readonly Reason[]> {
    const command = vimCommand('vmsvc/snapshot.get', machineId(id));
    const names = parseSnapshots(await ask(this.shell, command, HEADINGS.snapshots));
    if (names === undefined) throw notUnderstood(`the list of snapshots of ${name}`);
    if (names.length === 0) return [];
    return [
      {
        code: 'snapshots',
        message: `the virtual machine ${name} has snapshots: ${snapshotText(names)}`,
        hint: 'delete all snapshots of the virtual machine, or consolidate its disks',
      },
    ];
  }

  async question({ id, name }: HostMachine): Promise<string | null> {
    const command = vimCommand('vmsvc/message', machineId(id));
    const question = parseQuestion(await ask(this.shell, command, HEADINGS.question));
    if (question === undefined) throw notUnderstood(`whether ${name} waits for an answer`);
    return question;
  }

  async locks(paths: readonly string[]): Promise<readonly Reason[]> {
    const reasons: Reason[] = [];
    for (const path of paths) {
      if ((await this.datastoreOf(path))?.type !== 'VMFS') continue;
      const lock = await lockOf(this.shell, path);
      if (lock.state !== 'free') reasons.push(isHeld(path, lock));
    }
    return reasons;
  }

  async shutDown(machine: HostMachine): Promise<void> {
    const command = vimCommand('vmsvc/power.shutdown', machineId(machine.id));
    const happened = async () => (await this.powerState(machine)) !== 'on';
    await doOnce(this.shell, { command, doing: 'shut the guest down', happened, isAwaited: true });
  }

  async cutPower(machine: HostMachine): Promise<void> {
    const command = vimCommand('vmsvc/power.off', machineId(machine.id));
    const happened = async () => (await this.powerState(machine)) !== 'on';
    await doOnce(this.shell, { command, doing: 'cut the power', happened, isAwaited: true });
  }

  async powerOn(machine: HostMachine): Promise<void> {
    const happened = async () =>
      (await this.powerState(machine)) === 'on' || (await this.question(machine)) !== null;
    await powerOn(this.shell, machineId(machine.id), happened);
  }

  async refresh(
    machine: HostMachine,
    disks: readonly HostDisk[],
    reattach: boolean,
  ): Promise<readonly Reason[]> {
    await act(this.shell, vimCommand('vmsvc/reload', machineId(machine.id)), 'read the .vmx again');
    const stores = new Map<string, Datastore>();
    for (const { path } of disks) {
      const store = await this.datastoreOf(path);
      if (store !== undefined) stores.set(store.name, store);
    }
    for (const { name } of stores.values()) {
      await act(this.shell, vimCommand('hostsvc/datastore/refresh', name), 'refresh the datastore');
    }
    const wanted = await Promise.all(
      disks.map(async (disk) => ({ ...disk, ...(await this.nameOf(disk.path)) })),
    );
    const stale = await sizeReasons(this.shell, machine, wanted);
    if (stale.length === 0 || !reattach || (await this.powerState(machine)) !== 'off') return stale;
    return attachAgain(this.shell, machine, wanted);
  }

  async punch(path: string): Promise<boolean> {
    if ((await this.datastoreOf(path))?.type !== 'VMFS') return false;
    await act(this.shell, `vmkfstools -K ${shellWord(path)}`, 'punch the zeroed blocks', PUNCH_MS);
    return true;
  }

  /** `[datastore] path` of a disk. */
  private async nameOf(path: string): Promise<{ readonly fileName: string | null }> {
    const store = await this.datastoreOf(path);
    const real = (await this.files.realPath(path)) ?? path;
    const top = store === undefined ? undefined : await this.files.realPath(store.path);
    return { fileName: top === undefined ? null : `[${store?.name}] ${real.slice(top.length + 1)}` };
  }

  /** The datastore that a file lies on; undefined for a folder that is none. */
  private async datastoreOf(path: string): Promise<Datastore | undefined> {
    const real = (await this.files.realPath(path)) ?? path;
    for (const store of await this.mounted()) {
      const top = await this.files.realPath(store.path);
      if (top !== undefined && real.startsWith(`${top}/`)) return store;
    }
    return undefined;
  }
}
