import { crc32c } from '../../codec/checksum.js';
import { u32le } from '../../codec/fields.js';
import { defineLayout } from '../../codec/layout.js';
import { decodeUtf8 } from '../../codec/text.js';
import { damaged } from '../../core/errors.js';
import { volumeFacts } from '../facts.js';
import { readInside } from '../read.js';
import { hasBytes } from '../signature.js';
import type { FilesystemFormat } from '../types.js';

const SECTOR = 512;
/** Two copies, in sectors 1 and 9 (Stratis software design, "Static header"). */
const COPIES = [SECTOR, 9 * SECTOR] as const;
const AREA = 16 * SECTOR;
const MAGIC_AT = 4;
/** `!Stra0tis`, 86 FF 02, `^Arh`. */
const MAGIC = [
  0x21, 0x53, 0x74, 0x72, 0x61, 0x30, 0x74, 0x69, 0x73, 0x86, 0xff, 0x02, 0x5e, 0x41, 0x72, 0x68,
];
const HEADER = defineLayout('Stratis header', SECTOR, { checksum: { at: 0, type: u32le } });
const DEVICE_UUID_AT = 64;
const UUID_DIGITS = 32;

/** Stratis pool members. Positions count from the start; the size is in the metadata. */
export const stratis: FilesystemFormat = {
  id: 'stratis',
  probe: (head) => COPIES.some((at) => hasBytes(head, at + MAGIC_AT, MAGIC)),
  inspect: async (volume) => {
    const area = await readInside(volume, 0, AREA, 'the Stratis headers');
    const header = COPIES.map((at) => area.subarray(at, at + SECTOR)).find(isValid);
    if (header === undefined) {
      throw damaged('stratis-header', 'both Stratis headers have a wrong checksum', { offset: SECTOR });
    }
    const digits = decodeUtf8(header.subarray(DEVICE_UUID_AT, DEVICE_UUID_AT + UUID_DIGITS));
    return volumeFacts({ kind: 'stratis', serial: withDashes(digits), toleratesLargerPartition: false });
  },
};

/** The checksum covers the sector behind itself. */
function isValid(sector: Uint8Array): boolean {
  return hasBytes(sector, MAGIC_AT, MAGIC) && HEADER.decode(sector).checksum === crc32c(sector.subarray(4));
}

/** Stratis stores the digits of a UUID without dashes. */
function withDashes(digits: string): string {
  const cuts = [0, 8, 12, 16, 20, UUID_DIGITS];
  return cuts
    .slice(1)
    .map((end, i) => digits.slice(cuts[i], end))
    .join('-');
}
