import { u16le, u32le } from '../../codec/fields.js';
import { defineLayout } from '../../codec/layout.js';
import { utf8Text } from '../../codec/text.js';
import { uuid } from '../../codec/uuid.js';
import { damaged } from '../../core/errors.js';
import { isPowerOfTwo, KIB } from '../../core/units.js';
import { volumeFacts } from '../facts.js';
import { readInside } from '../read.js';
import { hasText } from '../signature.js';
import type { FilesystemFormat } from '../types.js';

/** reiserfsprogs include/reiserfs_fs.h: version 3.5 has the first name, 3.6 the second, a relocated journal the third. */
const SUPERBLOCK_AT = 64 * KIB;
const MAGIC_AT = SUPERBLOCK_AT + 52;
const MAGICS = ['ReIsErFs', 'ReIsEr2Fs', 'ReIsEr3Fs'] as const;
const SUPERBLOCK = defineLayout('ReiserFS superblock', 116, {
  blockCount: { at: 0, type: u32le },
  freeBlocks: { at: 4, type: u32le },
  blockBytes: { at: 44, type: u16le },
  uuid: { at: 84, type: uuid },
  label: { at: 100, type: utf8Text(16) },
});
/** The smallest sector of a disk: no block is smaller. */
const BLOCK_BYTES_LEAST = 512;
/** Of version 3.5: it has neither UUID nor label. */
const OLD_MAGIC = MAGICS[0];

/** ReiserFS 3. Positions count from its start. Whether its journal is clean is not looked at. */
export const reiserfs: FilesystemFormat = {
  id: 'reiserfs',
  probe: (head) => MAGICS.some((word) => hasText(head, MAGIC_AT, word)),
  inspect: async (volume) => {
    const bytes = await readInside(volume, SUPERBLOCK_AT, SUPERBLOCK.size, 'the ReiserFS superblock');
    const { blockCount, freeBlocks, blockBytes, ...names } = SUPERBLOCK.decode(bytes);
    if (!isPowerOfTwo(blockBytes) || blockBytes < BLOCK_BYTES_LEAST) {
      throw broken(`blocks of a power of two, ${BLOCK_BYTES_LEAST} bytes or more`, blockBytes);
    }
    const totalBytes = blockCount * blockBytes;
    if (totalBytes > volume.sizeBytes || freeBlocks > blockCount) {
      throw broken(`at most ${volume.sizeBytes} bytes`, totalBytes);
    }
    const named = !hasText(bytes, MAGIC_AT - SUPERBLOCK_AT, OLD_MAGIC);
    return volumeFacts({
      kind: 'reiserfs',
      label: named ? names.label : null,
      serial: named ? names.uuid : null,
      clusterBytes: blockBytes,
      totalBytes,
      usedBytes: totalBytes - freeBlocks * blockBytes,
      toleratesLargerPartition: true,
    });
  },
};

const broken = (expected: string, actual: number) =>
  damaged('reiserfs-superblock', 'the ReiserFS superblock makes no sense', {
    offset: SUPERBLOCK_AT,
    expected,
    actual,
  });
