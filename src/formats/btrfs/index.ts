import { crc32c } from '../../codec/checksum.js';
import { size64le, u16le, u32le } from '../../codec/fields.js';
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

/** The first copy; others at 64 MiB and 256 GiB count from the start of the device too. */
const SUPERBLOCK_AT = 64 * KIB;
const SUPERBLOCK_SIZE = 4 * KIB;
const MAGIC_AT = 64;
const MAGIC = '_BHRfS_M';
/** The checksum takes the first 32 bytes and covers the rest. */
const CHECKSUM_COVERS_FROM = 32;
const CHECKSUM_TYPE_CRC32C = 0;
const SECTOR_BYTES_MAX = 64 * KIB;

/** btrfs documentation, "On-disk format": struct btrfs_super_block; the device item is inside it, at 201. */
const SUPERBLOCK = defineLayout('btrfs superblock', SUPERBLOCK_SIZE, {
  checksum: { at: 0, type: u32le },
  uuid: { at: 32, type: uuid },
  ownPosition: { at: 48, type: size64le },
  logRoot: { at: 96, type: size64le },
  bytesUsed: { at: 120, type: size64le },
  deviceCount: { at: 136, type: size64le },
  sectorBytes: { at: 144, type: u32le },
  checksumType: { at: 196, type: u16le },
  deviceBytes: { at: 209, type: size64le },
  label: { at: 299, type: utf8Text(256) },
});

/** btrfs. Positions count from the start of each device: a move changes nothing. */
export const btrfs: FilesystemFormat = {
  id: 'btrfs',
  probe: (head) => hasText(head, SUPERBLOCK_AT + MAGIC_AT, MAGIC),
  inspect,
};

async function inspect(volume: Reader): Promise<FilesystemFacts> {
  const bytes = await readInside(volume, SUPERBLOCK_AT, SUPERBLOCK_SIZE, 'the btrfs superblock');
  const superblock = SUPERBLOCK.decode(bytes);
  if (superblock.ownPosition !== SUPERBLOCK_AT) {
    throw broken('its own position', SUPERBLOCK_AT, superblock.ownPosition);
  }
  if (superblock.checksumType === CHECKSUM_TYPE_CRC32C) {
    const actual = crc32c(bytes.subarray(CHECKSUM_COVERS_FROM));
    if (actual !== superblock.checksum) throw broken('checksum', superblock.checksum, actual);
  }
  const { deviceBytes, bytesUsed, deviceCount, sectorBytes } = superblock;
  if (!isPowerOfTwo(sectorBytes) || sectorBytes > SECTOR_BYTES_MAX) {
    throw broken('sector size', `up to ${SECTOR_BYTES_MAX}`, sectorBytes);
  }
  if (deviceBytes > volume.sizeBytes)
    throw broken('larger than its partition', volume.sizeBytes, deviceBytes);
  return volumeFacts({
    kind: 'btrfs',
    label: superblock.label,
    serial: superblock.uuid,
    clusterBytes: sectorBytes,
    totalBytes: deviceBytes,
    // Of several devices the superblock tells only the sum.
    usedBytes: deviceCount === 1 && bytesUsed <= deviceBytes ? bytesUsed : null,
    state: superblock.logRoot === 0 ? 'clean' : 'needs-recovery',
    toleratesLargerPartition: true,
  });
}

function broken(what: string, expected: string | number, actual: string | number) {
  return damaged('btrfs-superblock', `the btrfs superblock makes no sense: ${what}`, {
    offset: SUPERBLOCK_AT,
    expected,
    actual,
    hint: 'run btrfs check in the guest',
  });
}
