import { internalError } from '../../../core/errors.js';
import type { ByteRange } from '../../../core/range.js';
import type { MetadataWrite } from '../../types.js';
import type { PlacedRun } from './encode-pairs.js';

/** Where the bytes of a stream without holes lie on the volume. */
export class PlacedStream {
  private readonly starts: number[] = [];
  readonly sizeBytes: number;

  constructor(
    readonly runs: readonly PlacedRun[],
    private readonly clusterBytes: number,
  ) {
    let at = 0;
    for (const { length } of runs) {
      this.starts.push(at);
      at += length * clusterBytes;
    }
    this.sizeBytes = at;
  }

  /** The pieces of the volume that hold [offset, offset + length) of the stream, in order. */
  ranges(offset: number, length: number): ByteRange[] {
    if (offset + length > this.sizeBytes) throw internalError('out-of-bounds', 'place behind a stream');
    const found: ByteRange[] = [];
    let index = this.indexOf(offset);
    for (let at = offset; at < offset + length; index++) {
      const run = this.runs[index];
      const start = this.starts[index];
      if (run === undefined || start === undefined) throw internalError('out-of-bounds', 'no such run');
      const part = Math.min(offset + length, start + run.length * this.clusterBytes) - at;
      found.push({ at: run.lcn * this.clusterBytes + at - start, length: part });
      at += part;
    }
    return found;
  }

  /** The writes that put `bytes` at `offset` of the stream. */
  writes(offset: number, bytes: Uint8Array, why: string): MetadataWrite[] {
    let done = 0;
    return this.ranges(offset, bytes.length).map(({ at, length }) => {
      const part = bytes.subarray(done, done + length);
      done += length;
      return { at, bytes: part, why };
    });
  }

  private indexOf(offset: number): number {
    let low = 0;
    let high = this.starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
