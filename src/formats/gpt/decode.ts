import { crc32 } from '../../codec/checksum.js';
import { damaged, unsupported } from '../../core/errors.js';
import { alignUp, isPowerOfTwo, lba } from '../../core/units.js';
import {
  entryLayout,
  GPT_SIGNATURE,
  HEADER_SIZE,
  type Header,
  headerGuardLayout,
  headerLayout,
  MAX_ENTRY_COUNT,
  MAX_ENTRY_SIZE,
  MIN_ENTRY_SIZE,
} from './layout.js';
import type { GptPartition } from './types.js';

/** A header that is sound in itself, or why there is none. */
export type HeaderResult = Header | 'bad-crc' | 'missing';

/** Reads the header in the sector at `at`: signature, checksum, and that it believes to be there. */
export function decodeHeader(sector: Uint8Array, at: number): HeaderResult {
  const guard = headerGuardLayout.decode(sector);
  if (guard.signature !== GPT_SIGNATURE) return 'missing';
  if (guard.headerSize < HEADER_SIZE || guard.headerSize > sector.length) return 'bad-crc';
  if (headerChecksum(sector, guard.headerSize) !== guard.headerCrc) return 'bad-crc';
  const header = headerLayout.decode(sector);
  return header.myLba === at ? header : 'bad-crc';
}

/** CRC-32 of the header with the checksum field taken as zero. */
export function headerChecksum(sector: Uint8Array, headerSize: number): number {
  const header = sector.slice(0, headerSize);
  headerGuardLayout.patch(header, 0, { headerCrc: 0 });
  return crc32(header);
}

/**
 * Whole sectors that the entries take. Throws Unsupported for a size or number that nobody writes: the
 * header's checksum is right, so it is meant.
 */
export function entrySectorCount({ entryCount, entrySize }: Header, sectorSize: number): number {
  const isUsual =
    isPowerOfTwo(entrySize) &&
    entrySize >= MIN_ENTRY_SIZE &&
    entrySize <= MAX_ENTRY_SIZE &&
    entryCount > 0 &&
    entryCount <= MAX_ENTRY_COUNT;
  if (isUsual) return alignUp(entryCount * entrySize, sectorSize) / sectorSize;
  throw unsupported('gpt-entries', `the GPT has ${entryCount} entries of ${entrySize} bytes`, {
    hint: `this program knows up to ${MAX_ENTRY_COUNT} entries of ${MIN_ENTRY_SIZE} to ${MAX_ENTRY_SIZE} bytes`,
  });
}

/** CRC-32 of the entries, without what fills their last sector. */
export function entriesChecksum(entrySectors: Uint8Array, { entryCount, entrySize }: Counts): number {
  return crc32(entrySectors.subarray(0, entryCount * entrySize));
}

interface Counts {
  readonly entryCount: number;
  readonly entrySize: number;
}

/** The used entries. A partition that ends before it begins gets a count of 0; the problems say so. */
export function decodeEntries(entrySectors: Uint8Array, { entryCount, entrySize }: Counts): GptPartition[] {
  const partitions: GptPartition[] = [];
  for (let index = 0; index < entryCount; index++) {
    const at = index * entrySize;
    if (isUnused(entrySectors, at)) continue;
    const entry = entryLayout.decode(entrySectors, at);
    partitions.push({
      number: index + 1,
      typeGuid: entry.typeGuid,
      uniqueGuid: entry.uniqueGuid,
      startLba: lba(entry.firstLba),
      lastLba: lba(entry.lastLba),
      sectorCount: Math.max(0, entry.lastLba - entry.firstLba + 1),
      attributes: entry.attributes,
      name: entry.name,
    });
  }
  return partitions;
}

const TYPE_GUID_SIZE = 16;

/** By the type alone: the rest of an unused entry may hold anything. */
function isUnused(entrySectors: Uint8Array, at: number): boolean {
  return entrySectors.subarray(at, at + TYPE_GUID_SIZE).every((byte) => byte === 0);
}

/** Both copies are lost. */
export function bothDamaged(): Error {
  return damaged('gpt', 'both copies of the GPT are damaged', {
    hint: 'look at the disk with gdisk or testdisk; a backup of the table may be needed',
  });
}
