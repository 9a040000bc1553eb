import { crc32 } from '../../codec/checksum.js';
import { ascii, size64le, u32le } from '../../codec/fields.js';
import { defineLayout } from '../../codec/layout.js';
import { damaged } from '../../core/errors.js';
import type { Reader } from '../../device/types.js';
import { volumeFacts } from '../facts.js';
import { readInside } from '../read.js';
import { hasText } from '../signature.js';
import type { FilesystemFacts, FilesystemFormat } from '../types.js';

/** The label is in one of the first four sectors, whatever the sector size of the disk (LVM2 lib/label/label.c). */
const SECTOR = 512;
const SECTORS_SCANNED = 4;
const LABEL = 'LABELONE';
const TYPE = 'LVM2 001';
const TYPE_AT = 24;
const CHECKSUM_COVERS_FROM = 20;
/** INITIAL_CRC of LVM2; its crc32 does not invert at either end. */
const CHECKSUM_SEED = 0xf597a6cf;
/** Dashes stand before these characters of the 32 of an LVM identifier. */
const DASH_BEFORE = new Set([6, 10, 14, 18, 22, 26]);

const LABEL_HEADER = defineLayout('LVM label', 32, {
  sector: { at: 8, type: size64le },
  checksum: { at: 16, type: u32le },
  contentAt: { at: 20, type: u32le },
});
const PV_HEADER = defineLayout('LVM physical volume header', 40, {
  identifier: { at: 0, type: ascii(32) },
  deviceBytes: { at: 32, type: size64le },
});

/** Physical volume of LVM2. Extents count from its start: a move changes nothing. */
export const lvm: FilesystemFormat = { id: 'lvm2-pv', probe: (head) => labelAt(head) !== undefined, inspect };

function labelAt(head: Uint8Array): number | undefined {
  for (let at = 0; at < SECTORS_SCANNED * SECTOR; at += SECTOR) {
    if (hasText(head, at, LABEL) && hasText(head, at + TYPE_AT, TYPE)) return at;
  }
  return undefined;
}

async function inspect(volume: Reader): Promise<FilesystemFacts> {
  const head = await readInside(volume, 0, SECTORS_SCANNED * SECTOR, 'the LVM label');
  const at = labelAt(head) ?? 0;
  const sector = head.subarray(at, at + SECTOR);
  const label = LABEL_HEADER.decode(sector);
  requireChecksum(sector, label.checksum, at);
  const { identifier, deviceBytes } = PV_HEADER.decode(sector, label.contentAt);
  if (deviceBytes > volume.sizeBytes) {
    throw damaged('lvm-larger-than-volume', 'the LVM physical volume is larger than its partition', {
      offset: at + label.contentAt,
      expected: `at most ${volume.sizeBytes} bytes`,
      actual: deviceBytes,
      hint: 'the partition was cut, or its table is wrong: restore the old size of the partition before anything else',
    });
  }
  return volumeFacts({
    kind: 'lvm2-pv',
    serial: withDashes(identifier),
    totalBytes: deviceBytes,
    toleratesLargerPartition: true,
  });
}

function requireChecksum(sector: Uint8Array, expected: number, at: number): void {
  // zlib inverts at both ends; inverting again leaves the bare register that LVM uses.
  const actual = ~crc32(sector.subarray(CHECKSUM_COVERS_FROM), ~CHECKSUM_SEED >>> 0) >>> 0;
  if (actual === expected) return;
  throw damaged('lvm-label', 'the LVM label has a wrong checksum', {
    offset: at,
    expected,
    actual,
    hint: 'run pvck in the guest',
  });
}

function withDashes(identifier: string): string {
  return Array.from(identifier, (character, i) => (DASH_BEFORE.has(i) ? `-${character}` : character)).join(
    '',
  );
}
