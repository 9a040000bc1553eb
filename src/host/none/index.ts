import { PlainHost } from '../plain.js';
import type { Host, HostMachine, MachineFiles } from '../types.js';

/** Nobody to ask. Signs of use beside the disk and its locks are all there is: they are checked with every host. */
export class NoHost extends PlainHost implements Host {
  readonly kind = 'none';
  readonly tellsPower = false;
  readonly startsMachines = false;
  readonly stopsMachines = false;
  readonly seesSizes = false;

  async find({ name }: MachineFiles): Promise<HostMachine> {
    return { id: '', name, guestOs: null };
  }

  async powerState() {
    return 'unknown' as const;
  }

  async shutDown() {}

  async cutPower() {}

  async powerOn() {}
}
