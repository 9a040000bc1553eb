import { size64le, u32le } from '../../codec/fields.js';
import { defineLayout } from '../../codec/layout.js';
import { uuid } from '../../codec/uuid.js';
import { damaged } from '../../core/errors.js';
import { volumeFacts } from '../facts.js';
import { readInside } from '../read.js';
import { hasText } from '../signature.js';
import type { FilesystemFormat } from '../types.js';

/** Apple File System Reference, nx_superblock_t. */
const MAGIC_AT = 32;
const MAGIC = 'NXSB';
/** NX_MINIMUM_BLOCK_SIZE to NX_MAXIMUM_BLOCK_SIZE. */
const BLOCK_BYTES_LEAST = 4096;
const BLOCK_BYTES_MAX = 65536;
const SUPERBLOCK = defineLayout('APFS container superblock', 88, {
  blockBytes: { at: 36, type: u32le },
  blockCount: { at: 40, type: size64le },
  uuid: { at: 72, type: uuid },
});

/** APFS containers. Positions count from their start. */
export const apfs: FilesystemFormat = {
  id: 'apfs',
  probe: (head) => hasText(head, MAGIC_AT, MAGIC),
  inspect: async (volume) => {
    const bytes = await readInside(volume, 0, SUPERBLOCK.size, 'the APFS container superblock');
    const { blockBytes, blockCount, uuid: serial } = SUPERBLOCK.decode(bytes);
    const sane = blockBytes >= BLOCK_BYTES_LEAST && blockBytes <= BLOCK_BYTES_MAX;
    if (!sane || blockCount * blockBytes > volume.sizeBytes) {
      throw damaged('apfs-superblock', 'the APFS container is larger than its partition', {
        offset: 0,
        expected: `at most ${volume.sizeBytes} bytes in blocks of ${BLOCK_BYTES_LEAST} to ${BLOCK_BYTES_MAX}`,
        actual: blockCount * blockBytes,
      });
    }
    return volumeFacts({
      kind: 'apfs',
      serial,
      clusterBytes: blockBytes,
      totalBytes: blockCount * blockBytes,
      toleratesLargerPartition: false,
    });
  },
};
