import type { Reason } from '../../core/errors.js';
import { volumeFacts } from '../facts.js';
import { hasText } from '../signature.js';
import type { FilesystemFormat } from '../types.js';

/** First bytes of a pool member. Undocumented: the GPT type, which inspect judges, is the sure sign. */
const SIGNATURE = 'SPACEDB ';

const POOL_MEMBER: Reason = {
  code: 'storage-spaces',
  message: 'the partition belongs to a Windows storage pool, which records where its members are',
  hint: 'remove it from the pool in the guest first',
};

/** Members of Storage Spaces pools: left alone. */
export const storageSpaces: FilesystemFormat = {
  id: 'storage-spaces',
  probe: (head) => hasText(head, 0, SIGNATURE),
  inspect: async () =>
    volumeFacts({ kind: 'storage-spaces', blockers: [POOL_MEMBER], toleratesLargerPartition: false }),
};
