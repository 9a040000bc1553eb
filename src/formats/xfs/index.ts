import { crc32c } from '../../codec/checksum.js';
import { size64be, u16be, u32be, u32le } from '../../codec/fields.js';
import { defineLayout } from '../../codec/layout.js';
import { utf8Text } from '../../codec/text.js';
import { uuid } from '../../codec/uuid.js';
import { damaged } from '../../core/errors.js';
import { isPowerOfTwo, KIB } from '../../core/units.js';
import type { Reader } from '../../device/types.js';
import { volumeFacts } from '../facts.js';
import { readInside } from '../read.js';
import { hasText } from '../signature.js';
import type { FilesystemFacts, FilesystemFormat } from '../types.js';

const MAGIC = 'XFSB';
/** The low nibble of versionnum: version 5 has checksums. */
const VERSION_MASK = 0xf;
const VERSION_WITH_CHECKSUM = 5;
const CHECKSUM_AT = 224;
const BLOCK_BYTES_MAX = 64 * KIB;
const SECTOR_BYTES_MAX = 32 * KIB;

/** XFS Algorithms & Data Structures, chapter "Superblocks". Big-endian, but for the checksum. */
const SUPERBLOCK = defineLayout('XFS superblock', 264, {
  blockBytes: { at: 4, type: u32be },
  blockCount: { at: 8, type: size64be },
  uuid: { at: 32, type: uuid },
  version: { at: 100, type: u16be },
  sectorBytes: { at: 102, type: u16be },
  label: { at: 108, type: utf8Text(12) },
  freeBlocks: { at: 144, type: size64be },
  checksum: { at: CHECKSUM_AT, type: u32le },
});

/** XFS. Positions count from its start; it never shrinks. Whether its log is clean is not looked at. */
export const xfs: FilesystemFormat = { id: 'xfs', probe: (head) => hasText(head, 0, MAGIC), inspect };

async function inspect(volume: Reader): Promise<FilesystemFacts> {
  const superblock = SUPERBLOCK.decode(await readInside(volume, 0, SUPERBLOCK.size, 'the XFS superblock'));
  const { blockBytes, blockCount, freeBlocks, sectorBytes } = superblock;
  if (!isPowerOfTwo(blockBytes) || blockBytes < 512 || blockBytes > BLOCK_BYTES_MAX) {
    throw broken('block size', `512 to ${BLOCK_BYTES_MAX}`, blockBytes);
  }
  if (!isPowerOfTwo(sectorBytes) || sectorBytes < 512 || sectorBytes > SECTOR_BYTES_MAX) {
    throw broken('sector size', `512 to ${SECTOR_BYTES_MAX}`, sectorBytes);
  }
  if ((superblock.version & VERSION_MASK) === VERSION_WITH_CHECKSUM) {
    const sector = await readInside(volume, 0, sectorBytes, 'the XFS superblock');
    const actual = crc32c(sector.fill(0, CHECKSUM_AT, CHECKSUM_AT + 4));
    if (actual !== superblock.checksum) throw broken('checksum', superblock.checksum, actual);
  }
  const totalBytes = blockCount * blockBytes;
  if (totalBytes > volume.sizeBytes) throw broken('larger than its partition', volume.sizeBytes, totalBytes);
  if (freeBlocks > blockCount) throw broken('free blocks', blockCount, freeBlocks);
  return volumeFacts({
    kind: 'xfs',
    label: superblock.label,
    serial: superblock.uuid,
    clusterBytes: blockBytes,
    totalBytes,
    usedBytes: totalBytes - freeBlocks * blockBytes,
    toleratesLargerPartition: true,
  });
}

function broken(what: string, expected: string | number, actual: string | number) {
  return damaged('xfs-superblock', `the XFS superblock makes no sense: ${what}`, {
    offset: 0,
    expected,
    actual,
    hint: 'run xfs_repair in the guest',
  });
}
