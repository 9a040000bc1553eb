import { damaged } from '../core/errors.js';
import type { StoreFile } from '../device/store.js';

const READ_BYTES = 256 * 1024;
/** A phase of 4096 operations takes some 200 KiB. Longer means that this is no journal. */
export const MAX_RECORD_BYTES = 64 * 1024 * 1024;

/** Reads records one after the other from a buffer that refills. */
export class RecordReader {
  private buffer = new Uint8Array(0);
  private bufferAt: number;

  constructor(
    private readonly file: StoreFile,
    public offset: number,
  ) {
    this.bufferAt = offset;
  }

  /** The next record without its newline. Damaged at the end of the file. */
  async next(): Promise<Uint8Array> {
    for (;;) {
      const start = this.offset - this.bufferAt;
      const end = this.buffer.indexOf(0x0a, start);
      if (end >= 0) {
        this.offset = this.bufferAt + end + 1;
        return this.buffer.subarray(start, end);
      }
      await this.refill(this.buffer.subarray(start));
    }
  }

  private async refill(rest: Uint8Array): Promise<void> {
    const at = this.offset + rest.length;
    const length = Math.min(Math.max(READ_BYTES, rest.length), this.file.sizeBytes - at);
    if (length <= 0 || rest.length > MAX_RECORD_BYTES) {
      throw damaged('journal', 'the program in the run journal ends too early', { offset: this.offset });
    }
    const buffer = new Uint8Array(rest.length + length);
    buffer.set(rest);
    buffer.set(await this.file.readAt(at, length), rest.length);
    this.buffer = buffer;
    this.bufferAt = this.offset;
  }
}
