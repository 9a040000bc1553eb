import { formatUuid } from '../../codec/uuid.js';
import { volumeFacts } from '../facts.js';
import { readInside } from '../read.js';
import { hasText } from '../signature.js';
import type { FilesystemFormat } from '../types.js';

/** The geometry block comes first (libblkid superblocks/vdo.c). */
const MAGIC = 'dmvdo001';
const UUID_AT = 40;

/** VDO backing devices. Positions count from the start; the size is in the metadata. */
export const vdo: FilesystemFormat = {
  id: 'vdo',
  probe: (head) => hasText(head, 0, MAGIC),
  inspect: async (volume) =>
    volumeFacts({
      kind: 'vdo',
      serial: formatUuid(await readInside(volume, UUID_AT, 16, 'the VDO geometry block')),
      toleratesLargerPartition: false,
    }),
};
