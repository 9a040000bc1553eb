import { defineLayout } from '../../codec/layout.js';
import { utf8Text } from '../../codec/text.js';
import { uuid } from '../../codec/uuid.js';
import { volumeFacts } from '../facts.js';
import { readInside } from '../read.js';
import { hasBytes } from '../signature.js';
import type { FilesystemFormat } from '../types.js';

/** struct cache_sb of the kernel's drivers/md/bcache/bcache_ondisk.h. */
const SUPERBLOCK_AT = 4096;
const MAGIC_AT = SUPERBLOCK_AT + 24;
const MAGIC = [
  0xc6, 0x85, 0x73, 0xf6, 0x4e, 0x1a, 0x45, 0xca, 0x82, 0x65, 0xf5, 0x7f, 0x48, 0xba, 0x6d, 0x81,
];
const SUPERBLOCK = defineLayout('bcache superblock', 104, {
  uuid: { at: 40, type: uuid },
  label: { at: 72, type: utf8Text(32) },
});

/** bcache backing and cache devices. Positions count from their start. */
export const bcache: FilesystemFormat = {
  id: 'bcache',
  probe: (head) => hasBytes(head, MAGIC_AT, MAGIC),
  inspect: async (volume) => {
    const bytes = await readInside(volume, SUPERBLOCK_AT, SUPERBLOCK.size, 'the bcache superblock');
    const superblock = SUPERBLOCK.decode(bytes);
    return volumeFacts({
      kind: 'bcache',
      label: superblock.label,
      serial: superblock.uuid,
      toleratesLargerPartition: false,
    });
  },
};
