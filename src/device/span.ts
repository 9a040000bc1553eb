import { internalError, unsupported } from '../core/errors.js';
import { type ByteRange, mergeRanges } from '../core/range.js';
import { checkCopy, checkRange, checkSize } from './bounds.js';
import { copyBetween } from './transfer.js';
import type { BlockDevice, DeviceCapabilities } from './types.js';

/** A stretch of the span that lies in one part. */
interface Piece {
  readonly part: BlockDevice;
  /** Offset in the part. */
  readonly at: number;
  readonly length: number;
  /** Offset in the span. */
  readonly spanAt: number;
}

/**
 * Devices one behind the other as one: the flat extent files of a twoGbMaxExtentFlat disk, which may be of
 * different sizes. Accesses across a border are split. A smaller size empties the parts behind the new end and cuts
 * the one that holds it; a larger one enlarges the last part, when none was cut. `resize: false` forbids both. Owns
 * the parts: close() closes all.
 */
export function spanDevice(
  label: string,
  parts: readonly BlockDevice[],
  options: { readonly resize?: boolean } = {},
): BlockDevice {
  if (parts.length === 0) throw internalError('empty-span', `${label} has no parts`);
  return new Span(label, parts, options.resize ?? true);
}

class Span implements BlockDevice {
  readonly capabilities: DeviceCapabilities;
  private readonly starts: readonly number[];
  private readonly lastPart: BlockDevice;
  private readonly lastStart: number;
  private closed = false;

  constructor(
    readonly label: string,
    private readonly parts: readonly BlockDevice[],
    resize: boolean,
  ) {
    const starts: number[] = [];
    let at = 0;
    let last: BlockDevice | undefined;
    for (const part of parts) {
      starts.push(at);
      at += part.sizeBytes;
      last = part;
    }
    if (last === undefined) throw internalError('empty-span', `${label} has no parts`);
    this.starts = starts;
    this.lastPart = last;
    this.lastStart = at - last.sizeBytes;
    this.capabilities = commonCapabilities(parts, resize);
  }

  get sizeBytes(): number {
    return this.parts.reduce((sum, part) => sum + part.sizeBytes, 0);
  }

  async readAt(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array> {
    this.check(offset, length, 'read');
    const bytes = new Uint8Array(length);
    await this.readInto(offset, bytes, signal);
    return bytes;
  }

  async readInto(offset: number, target: Uint8Array, signal?: AbortSignal): Promise<void> {
    this.check(offset, target.length, 'read');
    for (const { part, at, length, spanAt } of this.pieces(offset, target.length)) {
      await part.readInto(at, target.subarray(spanAt - offset, spanAt - offset + length), signal);
    }
  }

  async writeAt(offset: number, bytes: Uint8Array): Promise<void> {
    this.check(offset, bytes.length, 'write');
    for (const { part, at, length, spanAt } of this.pieces(offset, bytes.length)) {
      await part.writeAt(at, bytes.subarray(spanAt - offset, spanAt - offset + length));
    }
  }

  async discard(offset: number, length: number): Promise<void> {
    this.check(offset, length, 'discard');
    for (const piece of this.pieces(offset, length)) await piece.part.discard(piece.at, piece.length);
  }

  async dataRanges(offset: number, length: number): Promise<ByteRange[]> {
    this.check(offset, length, 'data ranges');
    const found: ByteRange[] = [];
    for (const piece of this.pieces(offset, length)) {
      const shift = piece.spanAt - piece.at;
      for (const range of await piece.part.dataRanges(piece.at, piece.length)) {
        found.push({ at: range.at + shift, length: range.length });
      }
    }
    return mergeRanges(found);
  }

  async copyRange(from: number, to: number, length: number): Promise<void> {
    this.check(from, length, 'copy from');
    checkCopy(this, from, to, length);
    for (const source of this.pieces(from, length)) {
      for (const target of this.pieces(source.spanAt + to - from, source.length)) {
        await copyPiece(source, source.at + (target.spanAt - to) - (source.spanAt - from), target);
      }
    }
  }

  async resize(sizeBytes: number): Promise<void> {
    this.check(0, 0, 'resize');
    checkSize(this, sizeBytes);
    if (sizeBytes === this.sizeBytes) return;
    if (!this.capabilities.resizable) {
      throw unsupported('not-resizable', `${this.label} has a fixed size`);
    }
    if (sizeBytes < this.sizeBytes) return this.cut(sizeBytes);
    const isWhole = this.sizeBytes >= this.lastStart;
    if (!isWhole) throw internalError('resize-order', `${this.label} was cut before it is enlarged`);
    await this.lastPart.resize(sizeBytes - this.lastStart);
  }

  /** From the last part on, so that a crash leaves parts that are whole, one that is cut, and empty ones. */
  private async cut(sizeBytes: number): Promise<void> {
    for (let index = this.parts.length - 1; index >= 0; index--) {
      const part = this.parts[index];
      const keep = Math.max(0, sizeBytes - (this.starts[index] ?? 0));
      if (part !== undefined && keep < part.sizeBytes) await part.resize(keep);
    }
  }

  async flush(): Promise<void> {
    this.check(0, 0, 'flush');
    for (const part of this.parts) await part.flush();
  }

  /** Closes every part, also behind one that fails; then throws the first failure. */
  async close(): Promise<void> {
    this.closed = true;
    const results = await Promise.allSettled(this.parts.map((part) => part.close()));
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  private check(offset: number, length: number, doing: string): void {
    if (this.closed) throw internalError('device-closed', `${doing} on ${this.label} after close`);
    checkRange(this, offset, length, doing);
  }

  private *pieces(offset: number, length: number): Generator<Piece> {
    const end = offset + length;
    let at = offset;
    for (let i = this.partAt(offset); at < end; i++) {
      const part = this.parts[i];
      const start = this.starts[i];
      if (part === undefined || start === undefined) return;
      const pieceEnd = Math.min(end, start + part.sizeBytes);
      if (pieceEnd > at) yield { part, at: at - start, length: pieceEnd - at, spanAt: at };
      at = Math.max(at, pieceEnd);
    }
  }

  /** Index of the last part that starts at or before the offset. */
  private partAt(offset: number): number {
    let low = 0;
    let high = this.starts.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((this.starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/** Copies target.length bytes from `sourceAt` of the source's part. */
async function copyPiece(source: Piece, sourceAt: number, target: Piece): Promise<void> {
  if (source.part === target.part) await source.part.copyRange(sourceAt, target.at, target.length);
  else await copyBetween(source.part, sourceAt, target.part, target.at, target.length);
}

/** A span can do what all its parts can. */
function commonCapabilities(parts: readonly BlockDevice[], resize: boolean): DeviceCapabilities {
  const all = (name: keyof DeviceCapabilities): boolean => parts.every((part) => part.capabilities[name]);
  const windows = parts.flatMap(({ capabilities }) => capabilities.windowBytes ?? []);
  return {
    ...(windows.length > 0 ? { windowBytes: Math.min(...windows) } : {}),
    writable: all('writable'),
    durableFlush: all('durableFlush'),
    discard: all('discard'),
    resizable: resize && all('resizable'),
    dataRanges: all('dataRanges'),
    // Between two parts the bytes go through this process.
    rangeCopy: parts.length === 1 && all('rangeCopy'),
  };
}
