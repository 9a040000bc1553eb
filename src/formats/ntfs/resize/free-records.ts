import { refused } from '../../../core/errors.js';
import { KIB } from '../../../core/units.js';
import { bitAt } from '../bits.js';
import { FILE_RECORD, RECORD_IN_USE } from '../layout.js';
import { hasFileMagic } from '../record.js';
import { damagedNtfs } from '../remedies.js';
import type { AttributeStream } from '../stream.js';
import type { NtfsVolume } from '../volume.js';

/** Records below are kept for the file system itself. Source: Windows puts no file there. */
const FIRST_RECORD = 24;
/** Bytes of the bitmap of $MFT read at a time. */
const CHUNK_BYTES = 64 * KIB;

/** A record that nothing uses, and what its next user continues. */
export interface FreeRecord {
  readonly number: number;
  /** Of the new user: one more than the old one's, never 0. */
  readonly sequence: number;
  /** Update sequence number of the bytes that are there. */
  readonly updateSequence: number;
}

/** Hands out free FILE records inside the present $MFT, from the first on. */
export class FreeRecords {
  private next = FIRST_RECORD;
  private chunkAt = -1;
  private chunk: Uint8Array = new Uint8Array(0);

  private constructor(
    private readonly volume: NtfsVolume,
    private readonly bits: AttributeStream,
  ) {}

  /** Throws Damaged when $MFT has no bitmap. */
  static async open(volume: NtfsVolume): Promise<FreeRecords> {
    return new FreeRecords(volume, await volume.recordBitmap());
  }

  /** The next one. Throws Refused (ntfs-mft-full). */
  async take(): Promise<FreeRecord> {
    const end = Math.min(this.volume.recordCount, this.bits.initializedBytes * 8);
    for (; this.next < end; this.next++) {
      if (await this.isUsed(this.next)) continue;
      return this.describe(this.next++);
    }
    throw refused('ntfs-mft-full', 'the NTFS volume has too few free FILE records for its fragmented files', {
      hint: 'delete some files in the guest, defragment the volume, or choose a larger size',
    });
  }

  private async isUsed(number: number): Promise<boolean> {
    const byte = Math.floor(number / 8);
    const at = byte - (byte % CHUNK_BYTES);
    if (at !== this.chunkAt) {
      this.chunk = await this.bits.readAt(at, Math.min(CHUNK_BYTES, this.bits.sizeBytes - at));
      this.chunkAt = at;
    }
    return bitAt(this.chunk, number - at * 8);
  }

  /** Only the header counts: what else a free record holds, torn or never formatted, is written over. */
  private async describe(number: number): Promise<FreeRecord> {
    const { mft, boot } = this.volume;
    const bytes = await mft.readAt(number * boot.recordBytes, boot.recordBytes);
    if (!hasFileMagic(bytes)) return { number, sequence: 1, updateSequence: 0 };
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    if ((view.getUint16(FILE_RECORD.flags, true) & RECORD_IN_USE) !== 0) {
      throw damagedNtfs(
        'ntfs-mft-bitmap',
        `FILE record ${number} is in use, but the bitmap of $MFT says free`,
        {},
      );
    }
    const usaAt = view.getUint16(FILE_RECORD.usaOffset, true);
    const updateSequence = usaAt + 2 <= bytes.length ? view.getUint16(usaAt, true) : 0;
    const old = view.getUint16(FILE_RECORD.sequence, true);
    return { number, sequence: old === 0xffff ? 1 : old + 1, updateSequence };
  }
}
