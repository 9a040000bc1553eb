import { damaged, unsupported } from '../../core/errors.js';
import { BASE_BLOCK, BASE_BLOCK_BYTES, CHECKED_DWORDS, HIVE_MAGIC } from './layout.js';

/** Versions that Windows NT 4.0 to 11 write. */
const MAJOR_VERSION = 1;
const MINOR_VERSIONS = { min: 2, max: 6 } as const;

/** The header of a hive, as far as it is needed. */
export interface BaseBlock {
  readonly minorVersion: number;
  /** Cell of the root key. */
  readonly rootCell: number;
  /** Bytes of all hive bins; they begin behind the base block. */
  readonly binsBytes: number;
  /**
   * Why the hive counts as dirty: changes may stand only in its transaction logs, and Windows replays those over
   * whatever the file holds. Null for a clean hive, whose logs are ignored.
   */
  readonly dirty: string | null;
}

/** Decodes the first 4 KiB of a hive. Throws Damaged, and Unsupported for versions that are not known. */
export function decodeBaseBlock(bytes: Uint8Array, fileBytes: number): BaseBlock {
  const raw = BASE_BLOCK.decode(bytes);
  if (raw.magic !== HIVE_MAGIC || raw.fileType !== 0) {
    throw damaged('regf-base-block', 'the file is no registry hive', { offset: 0, expected: HIVE_MAGIC });
  }
  const { majorVersion, minorVersion, rootCell, binsBytes } = raw;
  const isKnown = minorVersion >= MINOR_VERSIONS.min && minorVersion <= MINOR_VERSIONS.max;
  if (majorVersion !== MAJOR_VERSION || !isKnown) {
    throw unsupported(
      'regf-version',
      `registry hives of version ${majorVersion}.${minorVersion} are not known`,
      {
        offset: 0x14,
      },
    );
  }
  if (binsBytes === 0 || binsBytes % BASE_BLOCK_BYTES !== 0 || BASE_BLOCK_BYTES + binsBytes > fileBytes) {
    throw damaged('regf-base-block', 'the registry hive is cut off', {
      offset: 0x28,
      expected: `whole pages within ${fileBytes} bytes`,
      actual: BASE_BLOCK_BYTES + binsBytes,
    });
  }
  return { minorVersion, rootCell, binsBytes, dirty: whyDirty(raw, bytes) };
}

function whyDirty(
  { primarySequence, secondarySequence, checksum }: ReturnType<typeof BASE_BLOCK.decode>,
  bytes: Uint8Array,
): string | null {
  if (checksum !== checksumOf(bytes)) return 'its header has a wrong checksum';
  if (primarySequence === secondarySequence) return null;
  return `it was being written (sequence numbers ${primarySequence} and ${secondarySequence})`;
}

/** Exclusive or of the words before the checksum; 0 and -1 are never used. */
function checksumOf(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let sum = 0;
  for (let index = 0; index < CHECKED_DWORDS; index++) sum ^= view.getUint32(index * 4, true);
  if (sum === -1) sum = -2;
  return (sum === 0 ? 1 : sum) >>> 0;
}
