import type { Location, RemoteMachine } from '../../backends/registry.js';
import { isFamily, refused } from '../../core/errors.js';
import type { Store } from '../../device/store.js';
import { CommandHost } from '../../host/command/index.js';
import { EsxiHost, isEsxi } from '../../host/esxi/index.js';
import { NoHost } from '../../host/none/index.js';
import type { Host, HostShell, MachineFiles } from '../../host/types.js';
import { isLoss, toTheEnd } from '../reconnect.js';
import type { Machine } from './machine.js';
import type { MachineRunOptions, RunServices } from './types.js';

/** A connection that is lost again and again is not one to switch machines over. */
const MAX_RECONNECTS = 5;

/** The host of a machine: commands of the operator, else ESXi where the disks are, else none. */
export async function hostOf(
  { store, remote }: Pick<Location, 'store' | 'remote'>,
  { host: { kind, commands }, shutdownSeconds }: Pick<MachineRunOptions, 'host' | 'shutdownSeconds'>,
  services: Pick<RunServices, 'signal' | 'runCommand'>,
): Promise<Host> {
  if (commands !== undefined) return new CommandHost(commands, services.runCommand, shutdownSeconds);
  if (kind === 'none') return new NoHost();
  const shell = remote === undefined ? undefined : lastingShell(store, remote.shell, services);
  if (remote !== undefined && shell !== undefined && (await runsEsxi(shell))) {
    return new EsxiHost(shell, { realPath: (path) => realPath(store, remote, path) });
  }
  if (kind === 'auto') return new NoHost();
  throw refused('no-esxi', 'the disks are not on an ESXi host that runs commands for this user', {
    hint: 'name them as sftp://root@HOST/vmfs/volumes/..., with SSH enabled on the host',
  });
}

/** The machine as its host is asked for it. */
export function filesOf({ vmx, name, remote }: Machine): MachineFiles {
  return { name, vmx: vmx === null || remote === undefined ? vmx : remote.pathOf(vmx) };
}

/** A server that does nothing but SFTP is no host. */
async function runsEsxi(shell: HostShell): Promise<boolean> {
  try {
    return await isEsxi(shell);
  } catch (error) {
    if (isFamily(error, 'device') && error.code === 'no-commands') return false;
    throw error;
  }
}

/** Connects again when the link is lost, and asks again. What must not be done twice is left to who knows what it does. */
function lastingShell(
  store: Store,
  shell: RemoteMachine['shell'],
  services: Pick<RunServices, 'signal'>,
): HostShell {
  return {
    run: async (...command) => {
      for (let count = 0; ; count++) {
        try {
          return await shell.run(...command);
        } catch (error) {
          const again = isLoss(error) && count < MAX_RECONNECTS;
          if (!again || (await store.reconnect?.(toTheEnd(services).signal)) !== true) throw error;
        }
      }
    },
    runOnce: (...command) => shell.run(...command),
  };
}

async function realPath(store: Store, remote: RemoteMachine, path: string): Promise<string | undefined> {
  try {
    return remote.pathOf(await store.realPath(path));
  } catch (error) {
    if (isFamily(error, 'device') && error.code === 'not-found') return undefined;
    throw error;
  }
}
