import { u32le } from '../../codec/fields.js';
import { defineLayout } from '../../codec/layout.js';
import { utf8Text } from '../../codec/text.js';
import { uuid } from '../../codec/uuid.js';
import { damaged } from '../../core/errors.js';
import { KIB } from '../../core/units.js';
import { volumeFacts } from '../facts.js';
import { readInside } from '../read.js';
import { hasText } from '../signature.js';
import type { FilesystemFormat } from '../types.js';

/** jfsutils include/jfs_superblock.h. */
const SUPERBLOCK_AT = 32 * KIB;
const MAGIC = 'JFS1';
const BLOCK_SIZES: readonly number[] = [512, 1024, 2048, 4096];
const SUPERBLOCK = defineLayout('JFS superblock', 184, {
  blockBytes: { at: 16, type: u32le },
  uuid: { at: 136, type: uuid },
  label: { at: 152, type: utf8Text(16) },
});

/** JFS of Linux and OS/2. Positions count from its start. */
export const jfs: FilesystemFormat = {
  id: 'jfs',
  probe: (head) => hasText(head, SUPERBLOCK_AT, MAGIC),
  inspect: async (volume) => {
    const bytes = await readInside(volume, SUPERBLOCK_AT, SUPERBLOCK.size, 'the JFS superblock');
    const superblock = SUPERBLOCK.decode(bytes);
    if (!BLOCK_SIZES.includes(superblock.blockBytes)) {
      throw damaged('jfs-superblock', 'the JFS superblock makes no sense', {
        offset: SUPERBLOCK_AT,
        expected: `block size ${BLOCK_SIZES.join(', ')}`,
        actual: superblock.blockBytes,
      });
    }
    return volumeFacts({
      kind: 'jfs',
      label: superblock.label,
      serial: superblock.uuid,
      clusterBytes: superblock.blockBytes,
      toleratesLargerPartition: true,
    });
  },
};
