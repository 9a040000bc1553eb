import { KIB } from '../../../core/units.js';
import { bitAt } from '../bits.js';
import { FILE_RECORD, RECORD_IN_USE } from '../layout.js';
import { FileRecord, hasFileMagic } from '../record.js';
import { damagedNtfs } from '../remedies.js';
import type { NtfsVolume } from '../volume.js';

/** Bytes of $MFT read at a time. Larger reads are not faster, and what they leave behind fragments the heap. */
const CHUNK_BYTES = 256 * KIB;

/**
 * Every FILE record in use, in order, in chunks: base and extension records alike. A chunk can be walked once, and its records
 * are the caller's to change, until it asks for the next one: all chunks share one buffer. Records are made one after the other,
 * so that the garbage collector meets few of them alive. Throws Damaged for a record that says it is in use and cannot be read, or whose bit in the
 * bitmap of $MFT says it is free: guessing would lose its clusters. Reads $MFT once, 256 KiB at a time.
 */
export async function* walkRecords(
  volume: NtfsVolume,
  signal?: AbortSignal,
): AsyncGenerator<Iterable<FileRecord>> {
  const { recordBytes } = volume.boot;
  const bits = await volume.recordBitmap();
  const perChunk = CHUNK_BYTES / recordBytes;
  const buffer = new Uint8Array(CHUNK_BYTES);
  for (let first = 0; first < volume.recordCount; first += perChunk) {
    const count = Math.min(perChunk, volume.recordCount - first);
    const bytes = buffer.subarray(0, count * recordBytes);
    await volume.mft.readInto(first * recordBytes, bytes, signal);
    const inUse = await bits.readAt(first / 8, Math.ceil(count / 8), signal);
    yield recordsIn(volume, bytes, first, inUse);
  }
}

function* recordsIn(
  volume: NtfsVolume,
  bytes: Uint8Array,
  first: number,
  inUse: Uint8Array,
): Generator<FileRecord> {
  const { recordBytes } = volume.boot;
  for (let index = 0; index * recordBytes < bytes.length; index++) {
    const raw = bytes.subarray(index * recordBytes, (index + 1) * recordBytes);
    const record = decodeUsed(volume, raw, first + index, bitAt(inUse, index));
    if (record !== undefined) yield record;
  }
}

/** Undefined for a free record; tails of $MFT often were never formatted. */
function decodeUsed(
  volume: NtfsVolume,
  bytes: Uint8Array,
  number: number,
  hasBit: boolean,
): FileRecord | undefined {
  const isRecord = hasFileMagic(bytes);
  if (!hasBit && !isRecord) return undefined;
  if (isRecord && ((bytes[FILE_RECORD.flags] ?? 0) & RECORD_IN_USE) === 0) return undefined;
  const offset = volume.mft.locate(number * volume.boot.recordBytes);
  if (!hasBit) {
    throw damagedNtfs(
      'ntfs-mft-bitmap',
      `FILE record ${number} is in use, but the bitmap of $MFT says free`,
      {
        offset,
      },
    );
  }
  return FileRecord.decode(bytes, number, offset);
}

/** Number of the file that a record belongs to: its own, or that of the record it extends. */
export const fileNumber = (record: FileRecord): number =>
  record.isExtension ? record.baseReference.record : record.number;
