import type { Reason } from '../../core/errors.js';
import { volumeFacts } from '../facts.js';
import { hasBytes } from '../signature.js';
import type { FilesystemFormat } from '../types.js';

/** No jump instruction, then the name (libblkid superblocks/refs.c). */
const SIGNATURE = [0x00, 0x00, 0x00, 0x52, 0x65, 0x46, 0x53, 0x00];

const REFS: Reason = {
  code: 'refs',
  message: 'ReFS is not documented well enough to change its volume safely',
  hint: 'copy the files to an NTFS volume in the guest, or leave this partition where it is',
};

/** ReFS: recognised and left alone. */
export const refs: FilesystemFormat = {
  id: 'refs',
  probe: (head) => hasBytes(head, 0, SIGNATURE),
  inspect: async () => volumeFacts({ kind: 'refs', blockers: [REFS], toleratesLargerPartition: false }),
};
