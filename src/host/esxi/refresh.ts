import { type Reason, refused } from '../../core/errors.js';
import { cleanText } from '../../core/text.js';
import { KIB } from '../../core/units.js';
import type { HostDisk, HostMachine, HostShell } from '../types.js';
import { machineId, vimCommand } from './commands.js';
import { type AttachedDisk, parseDisks } from './parse-devices.js';
import { ask, doOnce } from './talk.js';

/** Controllers whose number the host takes without being told their kind: SCSI, keys 1000 to 1003. */
const SCSI_KEY = 1000;
const SCSI_CONTROLLERS = 4;
const ADD_TRIES = 3;
/** What the list of devices begins with; labels of devices are text of people. */
const HEADING = /^Devices:/m;

/** A disk with the name the host gives it; null where it is on no datastore. */
export interface NamedDisk extends HostDisk {
  readonly fileName: string | null;
}

/** What the host does not see as it is now: each disk of another size, or that it does not list. */
export async function sizeReasons(
  shell: HostShell,
  machine: HostMachine,
  disks: readonly NamedDisk[],
): Promise<readonly Reason[]> {
  const attached = await attachedDisks(shell, machine);
  return disks.flatMap((disk) => {
    const seen = attached?.find(({ fileName }) => fileName === disk.fileName);
    return isSeen(disk, seen) ? [] : [staleReason(disk, seen)];
  });
}

/** The host counts KiB, and drops half a one. */
const isSeen = ({ sizeBytes }: NamedDisk, seen: AttachedDisk | undefined): boolean =>
  seen !== undefined && Math.floor(seen.capacityBytes / KIB) === Math.floor(sizeBytes / KIB);

const staleReason = ({ path, sizeBytes }: NamedDisk, seen: AttachedDisk | undefined): Reason => ({
  code: 'host-size',
  message: `the host ${seen === undefined ? 'does not tell the size of' : `still sees ${seen.capacityBytes} bytes of`} ${cleanText(path)}, which has ${sizeBytes}`,
  hint: 'with the machine off, remove the disk from it without deleting its files, and add it again; --reattach does so',
});

/**
 * Takes the disks that the host sees wrong off the machine and puts them back in the same place, which makes it read the
 * descriptors again. Only where it is known what will happen: SCSI, with the files kept (the fourth word is `false`). What could not
 * be done comes as reasons.
 */
export async function attachAgain(
  shell: HostShell,
  machine: HostMachine,
  disks: readonly NamedDisk[],
): Promise<readonly Reason[]> {
  const attached = (await attachedDisks(shell, machine)) ?? [];
  for (const disk of disks) {
    const seen = attached.find(({ fileName }) => fileName === disk.fileName);
    const controller = seen === undefined ? -1 : seen.controllerKey - SCSI_KEY;
    if (seen === undefined || isSeen(disk, seen)) continue;
    if (controller < 0 || controller >= SCSI_CONTROLLERS) continue;
    const place = [String(controller), String(seen.unitNumber)];
    const id = machineId(machine.id);
    const isOn = async (): Promise<boolean | undefined> =>
      (await attachedDisks(shell, machine))?.some(({ fileName }) => fileName === disk.fileName);
    await takeOff(shell, vimCommand('vmsvc/device.diskremove', id, ...place, 'false'), isOn);
    const add = vimCommand('vmsvc/device.diskaddexisting', id, disk.path, ...place);
    await putBack(shell, add, disk.path, isOn);
  }
  return sizeReasons(shell, machine, disks);
}

/** Throws where the disk is known to be on the machine still; else it has to be put back. */
async function takeOff(
  shell: HostShell,
  command: string,
  isOn: () => Promise<boolean | undefined>,
): Promise<void> {
  try {
    const happened = async (): Promise<boolean> => (await isOn()) === false;
    await doOnce(shell, { command, doing: 'take the disk off the virtual machine', happened });
  } catch (error) {
    if (await isOn().catch(() => false)) throw error;
  }
}

/** Said with the very command: the machine must not start without it. */
async function putBack(
  shell: HostShell,
  command: string,
  path: string,
  isOn: () => Promise<boolean | undefined>,
): Promise<void> {
  const happened = async (): Promise<boolean> => (await isOn()) === true;
  for (let tries = 1; ; tries++) {
    try {
      await doOnce(shell, { command, doing: 'put the disk back', happened });
      return;
    } catch (error) {
      if (await happened().catch(() => false)) return;
      if (tries < ADD_TRIES) continue;
      const message = error instanceof Error ? error.message : String(error);
      throw refused(
        'disk-detached',
        `${cleanText(path)} was taken off the virtual machine to be seen anew, and did not go back: ${message}`,
        { hint: `the file is whole; on the host: ${command}`, cause: error },
      );
    }
  }
}

async function attachedDisks(shell: HostShell, machine: HostMachine): Promise<AttachedDisk[] | undefined> {
  const command = vimCommand('vmsvc/device.getdevices', machineId(machine.id));
  return parseDisks(await ask(shell, command, HEADING));
}
