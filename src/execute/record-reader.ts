import { damaged } from '../core/errors.js';
import type { StoreFile } from '../device/store.js';

const FIRST_BYTES = 256 * 1024;
/** A phase of 4096 operations takes some 200 KiB. Longer means that this is no journal. */
export const MAX_RECORD_BYTES = 64 * 1024 * 1024;

/** Reads records one after the other, through a buffer as large as the longest one. */
export class RecordReader {
  private buffer = new Uint8Array(0);
  /** What was read and not given out yet: [start, end) of the buffer. */
  private start = 0;
  private end = 0;

  constructor(
    private readonly file: StoreFile,
    public offset: number,
  ) {}

  /** The next record without its newline, until the next call. Damaged at the end of the file. */
  async next(): Promise<Uint8Array> {
    for (let searched = this.start; ; ) {
      const newline = this.buffer.subarray(0, this.end).indexOf(0x0a, searched);
      if (newline >= 0) {
        const record = this.buffer.subarray(this.start, newline);
        this.offset += record.length + 1;
        this.start = newline + 1;
        return record;
      }
      searched = await this.refill();
    }
  }

  /** Moves what is left to the beginning and fills the room behind it; returns how much was left. */
  private async refill(): Promise<number> {
    const held = this.end - this.start;
    const at = this.offset + held;
    if (at >= this.file.sizeBytes || held > MAX_RECORD_BYTES) {
      throw damaged('journal', 'the program in the run journal ends too early', { offset: this.offset });
    }
    const isFull = held === this.buffer.length;
    const buffer = isFull ? new Uint8Array(Math.max(FIRST_BYTES, 2 * held)) : this.buffer;
    buffer.set(this.buffer.subarray(this.start, this.end));
    this.buffer = buffer;
    const length = Math.min(buffer.length - held, this.file.sizeBytes - at);
    await this.file.readInto(at, buffer.subarray(held, held + length));
    [this.start, this.end] = [0, held + length];
    return held;
  }
}
