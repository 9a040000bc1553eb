import { internalError, refused, unsupported } from '../../core/errors.js';
import type { ByteRange } from '../../core/range.js';
import type { Reader } from '../../device/types.js';
import { COMPRESSED_MASK, ENCRYPTED } from './layout.js';
import { HOLE } from './mapping-pairs.js';
import type { Attribute } from './record.js';
import { CHKDSK_HINT, damagedNtfs } from './remedies.js';
import { Runlist } from './runlist.js';

/** What a stream is read from. */
export interface ClusterSource {
  readonly reader: Reader;
  readonly clusterBytes: number;
  /** Clusters of the volume. */
  readonly clusterCount: number;
}

/**
 * The content of one attribute as something to read. Holes and what lies behind the initialized size read as
 * zeros, as they do on a running Windows. Compressed and encrypted content is Unsupported: nothing that this
 * program has to understand is stored so.
 */
export class AttributeStream implements Reader {
  private constructor(
    readonly label: string,
    readonly sizeBytes: number,
    /** Bytes from here on read as zeros. */
    readonly initializedBytes: number,
    /** Empty for resident attributes. */
    readonly runs: Runlist,
    /** Attribute flags of the first piece. */
    readonly flags: number,
    private readonly source: ClusterSource,
    private readonly resident: Uint8Array | undefined,
  ) {}

  static resident(attribute: Attribute, source: ClusterSource): AttributeStream {
    const value = attribute.value();
    const { label, flags } = attribute;
    return new AttributeStream(label, value.length, value.length, new Runlist(), flags, source, value);
  }

  /** `first` is the piece with VCN 0, which alone has valid sizes; `runs` may still grow. Throws Damaged. */
  static nonResident(first: Attribute, runs: Runlist, source: ClusterSource): AttributeStream {
    const { label, flags, dataSize, initializedSize } = first;
    const sane = Number.isSafeInteger(dataSize) && initializedSize >= 0 && initializedSize <= dataSize;
    if (!sane)
      throw first.record.error(`impossible sizes (${initializedSize} of ${dataSize} bytes)`, first.at);
    return new AttributeStream(label, dataSize, initializedSize, runs, flags, source, undefined);
  }

  get isResident(): boolean {
    return this.resident !== undefined;
  }

  /** True when the clusters hold the content byte for byte. */
  get isPlain(): boolean {
    return (this.flags & (COMPRESSED_MASK | ENCRYPTED)) === 0;
  }

  /**
   * Throws Damaged unless clusters stand behind every byte, and no more than the volume has: for $MFT and
   * $Bitmap, which have no holes and are read from end to end.
   */
  requireDense(): void {
    if (this.isResident) return;
    const { clusterBytes, clusterCount } = this.source;
    const allocated = this.runs.endVcn * clusterBytes;
    if (allocated < this.sizeBytes || this.runs.endVcn > clusterCount || this.runs.hasHoles) {
      throw damagedNtfs('ntfs-runlist', `${this.label}: its clusters do not fit its size`, {
        expected: this.sizeBytes,
        actual: allocated,
      });
    }
  }

  /** The whole content, for what is known to be small. Throws Damaged above `maxBytes`. */
  readAll(maxBytes: number): Promise<Uint8Array> {
    if (this.sizeBytes > maxBytes) {
      throw damagedNtfs('ntfs-stream', `${this.label} is too long`, {
        expected: maxBytes,
        actual: this.sizeBytes,
      });
    }
    return this.readAt(0, this.sizeBytes);
  }

  async readAt(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array> {
    this.checkBounds(offset, length);
    const target = new Uint8Array(length);
    await this.readInto(offset, target, signal);
    return target;
  }

  /** The same into a buffer of the caller's: whoever walks a stream of a gigabyte leaves nothing behind. */
  async readInto(offset: number, target: Uint8Array, signal?: AbortSignal): Promise<void> {
    this.checkBounds(offset, target.length);
    if (this.resident !== undefined) {
      target.set(this.resident.subarray(offset, offset + target.length));
      return;
    }
    if (!this.isPlain) {
      throw unsupported('ntfs-stream', `${this.label} is compressed or encrypted`, { hint: CHKDSK_HINT });
    }
    const end = Math.max(offset, Math.min(offset + target.length, this.initializedBytes));
    target.fill(0, end - offset);
    for (let at = offset; at < end; ) at += await this.readPiece(at, end, target, at - offset, signal);
  }

  private checkBounds(offset: number, length: number): void {
    if (offset >= 0 && length >= 0 && offset + length <= this.sizeBytes) return;
    throw internalError('out-of-bounds', `read outside ${this.label}`, { offset, actual: length });
  }

  /** Reads what one run holds of [at, end); returns the count of bytes. */
  private async readPiece(
    at: number,
    end: number,
    target: Uint8Array,
    targetAt: number,
    signal: AbortSignal | undefined,
  ): Promise<number> {
    const { reader, clusterBytes } = this.source;
    const run = this.runs.at(this.runs.indexOf(Math.floor(at / clusterBytes)));
    const skip = at - run.vcn * clusterBytes;
    const length = Math.min(run.length * clusterBytes - skip, end - at);
    const part = target.subarray(targetAt, targetAt + length);
    const place = run.lcn * clusterBytes + skip;
    if (run.lcn === HOLE) part.fill(0);
    else if (reader.readInto !== undefined) await reader.readInto(place, part, signal);
    else part.set(await reader.readAt(place, length, signal));
    return length;
  }

  /**
   * The bytes of the volume that hold [at, at + length), in order. Unsupported when they are stored otherwise
   * (resident, compressed, encrypted), Refused for holes and what lies behind the initialized size.
   */
  places(at: number, length: number): ByteRange[] {
    if (this.isResident || !this.isPlain) {
      throw unsupported('ntfs-stream', `${this.label} is not stored as plain clusters`);
    }
    if (at < 0 || at + length > this.initializedBytes) throw this.noPlace(at);
    const { clusterBytes } = this.source;
    const found: ByteRange[] = [];
    for (let done = 0; done < length; ) {
      const run = this.runs.at(this.runs.indexOf(Math.floor((at + done) / clusterBytes)));
      if (run.lcn === HOLE) throw this.noPlace(at + done);
      const skip = at + done - run.vcn * clusterBytes;
      const piece = Math.min(run.length * clusterBytes - skip, length - done);
      found.push({ at: run.lcn * clusterBytes + skip, length: piece });
      done += piece;
    }
    return found;
  }

  private noPlace(at: number) {
    return refused('ntfs-stream', `${this.label} has no clusters at byte ${at}`, {
      hint: 'copy the file to a new one inside the guest and put that in its place',
    });
  }

  /** Where a byte of the stream is on the volume; 0 where it has no place. For messages. */
  locate(offset: number): number {
    if (this.resident !== undefined) return 0;
    const { clusterBytes } = this.source;
    const run = this.runs.at(this.runs.indexOf(Math.floor(offset / clusterBytes)));
    return run.lcn === HOLE ? 0 : (run.lcn - run.vcn) * clusterBytes + offset;
  }
}
