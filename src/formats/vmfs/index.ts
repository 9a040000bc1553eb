import type { Reason } from '../../core/errors.js';
import { MIB } from '../../core/units.js';
import { volumeFacts } from '../facts.js';
import { tryRead } from '../read.js';
import { hasBytes } from '../signature.js';
import type { FilesystemFormat } from '../types.js';

/** Volume header at 1 MiB, file system header at 2 MiB (libblkid superblocks/vmfs.c). */
const HEADERS = [
  { at: MIB, magic: [0x0d, 0xd0, 0x01, 0xc0] },
  { at: 2 * MIB, magic: [0x5e, 0xf1, 0xab, 0x2f] },
] as const;

const VMFS: Reason = {
  code: 'vmfs',
  message: 'the partition holds a VMFS datastore, which records the disk and the partition it is on',
  hint: 'move its virtual machines to another datastore and create it anew',
};

/** VMFS datastores inside a virtual disk (nested ESXi): left alone. */
export const vmfs: FilesystemFormat = {
  id: 'vmfs',
  probe: async (_head, volume) => {
    for (const { at, magic } of HEADERS) {
      const found = await tryRead(volume, at, magic.length);
      if (found !== undefined && hasBytes(found, 0, magic)) return true;
    }
    return false;
  },
  inspect: async () => volumeFacts({ kind: 'vmfs', blockers: [VMFS], toleratesLargerPartition: false }),
};
