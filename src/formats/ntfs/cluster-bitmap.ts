import { type ByteRange, mergeRanges } from '../../core/range.js';
import { KIB } from '../../core/units.js';
import type { UsedMap } from '../types.js';
import { countSet, forEachSetRun } from './bits.js';
import { BOOT_FILE_BYTES } from './layout.js';
import { damagedNtfs } from './remedies.js';
import type { AttributeStream } from './stream.js';

/** Bytes of $Bitmap read at a time: 2 million clusters. */
const CHUNK_BYTES = 256 * KIB;

/** $Bitmap: one bit a cluster, 1 is used. Bits behind the last cluster mean nothing. */
export class ClusterBitmap {
  /** Throws Damaged unless the stream has a stored bit for every cluster. */
  constructor(
    private readonly stream: AttributeStream,
    readonly clusterCount: number,
  ) {
    const needed = Math.ceil(clusterCount / 8);
    if (stream.initializedBytes < needed || !stream.isPlain) {
      throw damagedNtfs('ntfs-bitmap', '$Bitmap does not cover the volume', {
        expected: `${needed} bytes`,
        actual: `${stream.initializedBytes} bytes`,
      });
    }
    stream.requireDense();
  }

  /** Used clusters of the whole volume. */
  async countUsed(signal?: AbortSignal): Promise<number> {
    let used = 0;
    for (let from = 0; from < this.clusterCount; from += CHUNK_BYTES * 8) {
      const count = Math.min(CHUNK_BYTES * 8, this.clusterCount - from);
      used += countSet(await this.read(from, count, signal), count);
    }
    return used;
  }

  /** Calls back for each stretch of used clusters in [from, end), in order; stretches may touch each other. */
  async forEachUsed(from: number, end: number, found: (lcn: number, length: number) => void): Promise<void> {
    let at = from;
    while (at < end) {
      // Chunks begin at whole bytes, so the first bits of the first one may not be asked for.
      const base = at - (at % 8);
      const count = Math.min(CHUNK_BYTES * 8, end - base);
      const bytes = await this.read(base, count);
      forEachSetRun(bytes, at - base, count, (bit, length) => found(base + bit, length));
      at = base + count;
    }
  }

  /** The bytes that hold `count` bits from cluster `from` on, a multiple of 8. */
  read(from: number, count: number, signal?: AbortSignal): Promise<Uint8Array> {
    return this.stream.readAt(from / 8, Math.ceil(count / 8), signal);
  }
}

/** What a move copies: used clusters, and always $Boot with the boot code and the shadow copy header. */
export class NtfsUsedMap implements UsedMap {
  constructor(
    private readonly bitmap: ClusterBitmap,
    private readonly clusterBytes: number,
  ) {}

  async ranges(at: number, length: number): Promise<ByteRange[]> {
    const { clusterBytes } = this;
    const volumeEnd = this.bitmap.clusterCount * clusterBytes;
    const from = Math.max(at, 0);
    const end = Math.min(at + length, volumeEnd);
    if (from >= end) return [];
    const used: ByteRange[] = [];
    if (from < BOOT_FILE_BYTES) used.push({ at: from, length: Math.min(BOOT_FILE_BYTES, end) - from });
    const firstCluster = Math.floor(from / clusterBytes);
    await this.bitmap.forEachUsed(firstCluster, Math.ceil(end / clusterBytes), (lcn, count) => {
      const start = Math.max(lcn * clusterBytes, from);
      used.push({ at: start, length: Math.min((lcn + count) * clusterBytes, end) - start });
    });
    return mergeRanges(used);
  }
}
