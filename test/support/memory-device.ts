import { internalError } from '../../src/core/errors.js';
import { type ByteRange, mergeRanges } from '../../src/core/range.js';
import { checkRange, checkSize } from '../../src/device/bounds.js';
import { copyInside } from '../../src/device/transfer.js';
import type { BlockDevice, DeviceCapabilities } from '../../src/device/types.js';
import { isZero } from '../../src/device/zeros.js';

const PAGE_BYTES = 4096;
const EMPTY_PAGE = new Uint8Array(PAGE_BYTES);

/** Calls visit for each page of the range: page number, offset in the page, offset in the range, length. */
function eachPage(
  offset: number,
  length: number,
  visit: (page: number, inPage: number, inRange: number, length: number) => void,
): void {
  for (let done = 0; done < length; ) {
    const inPage = (offset + done) % PAGE_BYTES;
    const part = Math.min(PAGE_BYTES - inPage, length - done);
    visit((offset + done - inPage) / PAGE_BYTES, inPage, done, part);
    done += part;
  }
}

/** A disk in memory that keeps only pages that were written: one of 4 TiB costs nothing. */
export class MemoryDevice implements BlockDevice {
  readonly capabilities: DeviceCapabilities;
  private pages = new Map<number, Uint8Array>();
  private size: number;
  private closed = false;

  constructor(
    sizeBytes: number,
    readonly label = 'memory',
    /** True: the executor leaves copies to it, as to a server; false: it reads and writes itself. */
    private readonly rangeCopy = true,
  ) {
    this.size = sizeBytes;
    this.capabilities = {
      writable: true,
      durableFlush: true,
      discard: true,
      resizable: true,
      dataRanges: true,
      rangeCopy,
      smallestCopy: 1,
    };
  }

  /** A device with this content. */
  static of(bytes: Uint8Array, label?: string): MemoryDevice {
    const device = new MemoryDevice(bytes.length, label);
    device.poke(0, bytes);
    return device;
  }

  get sizeBytes(): number {
    return this.size;
  }

  /** A copy with a life of its own; works on a closed device too. */
  snapshot(label = this.label): MemoryDevice {
    const copy = new MemoryDevice(this.size, label, this.rangeCopy);
    for (const [page, bytes] of this.pages) copy.pages.set(page, bytes.slice());
    return copy;
  }

  /** The whole content, or a part; for small devices. Synchronous, and works on a closed device. */
  bytes(offset = 0, length = this.size - offset): Uint8Array {
    checkRange(this, offset, length, 'bytes');
    const bytes = new Uint8Array(length);
    this.get(offset, bytes);
    return bytes;
  }

  /** writeAt, synchronous. */
  poke(offset: number, bytes: Uint8Array): void {
    checkRange(this, offset, bytes.length, 'poke');
    eachPage(offset, bytes.length, (page, inPage, inRange, length) => {
      const holder = this.pages.get(page) ?? new Uint8Array(PAGE_BYTES);
      holder.set(bytes.subarray(inRange, inRange + length), inPage);
      this.pages.set(page, holder);
    });
  }

  /** resize, synchronous. */
  setSize(sizeBytes: number): void {
    checkSize(this, sizeBytes);
    if (sizeBytes < this.size) this.zero(sizeBytes, this.size - sizeBytes);
    this.size = sizeBytes;
  }

  /** Offset of the first byte that differs from the other device; undefined when they are equal. */
  firstDifference(other: MemoryDevice): number | undefined {
    const pages = [...new Set([...this.pages.keys(), ...other.pages.keys()])].sort((a, b) => a - b);
    for (const page of pages) {
      const mine = this.pages.get(page) ?? EMPTY_PAGE;
      const theirs = other.pages.get(page) ?? EMPTY_PAGE;
      const at = mine.findIndex((byte, i) => byte !== theirs[i]);
      if (at >= 0) return page * PAGE_BYTES + at;
    }
    return this.size === other.size ? undefined : Math.min(this.size, other.size);
  }

  /** True when size and content are the same. */
  equals(other: MemoryDevice): boolean {
    return this.firstDifference(other) === undefined;
  }

  async readAt(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array> {
    this.check(offset, length, 'read');
    const bytes = new Uint8Array(length);
    await this.readInto(offset, bytes, signal);
    return bytes;
  }

  async readInto(offset: number, target: Uint8Array, signal?: AbortSignal): Promise<void> {
    this.check(offset, target.length, 'read');
    signal?.throwIfAborted();
    this.get(offset, target);
  }

  async writeAt(offset: number, bytes: Uint8Array): Promise<void> {
    this.check(offset, bytes.length, 'write');
    this.poke(offset, bytes);
  }

  async discard(offset: number, length: number): Promise<void> {
    this.check(offset, length, 'discard');
    this.zero(offset, length);
  }

  async dataRanges(offset: number, length: number): Promise<ByteRange[]> {
    this.check(offset, length, 'data ranges');
    const end = offset + length;
    const found: ByteRange[] = [];
    for (const page of [...this.pages.keys()].sort((a, b) => a - b)) {
      const at = Math.max(page * PAGE_BYTES, offset);
      const pageEnd = Math.min((page + 1) * PAGE_BYTES, end);
      if (pageEnd > at) found.push({ at, length: pageEnd - at });
    }
    return mergeRanges(found);
  }

  async copyRange(from: number, to: number, length: number): Promise<void> {
    this.check(from, length, 'copy from');
    await copyInside(this, from, to, length);
  }

  async resize(sizeBytes: number): Promise<void> {
    this.check(0, 0, 'resize');
    this.setSize(sizeBytes);
  }

  async flush(): Promise<void> {
    this.check(0, 0, 'flush');
  }

  async close(): Promise<void> {
    this.closed = true;
  }

  private check(offset: number, length: number, doing: string): void {
    if (this.closed) throw internalError('device-closed', `${doing} on ${this.label} after close`);
    checkRange(this, offset, length, doing);
  }

  private get(offset: number, target: Uint8Array): void {
    eachPage(offset, target.length, (page, inPage, inRange, length) => {
      const bytes = this.pages.get(page) ?? EMPTY_PAGE;
      target.set(bytes.subarray(inPage, inPage + length), inRange);
    });
  }

  /** Goes through the pages that are there, not through the range, which may be terabytes. */
  private zero(offset: number, length: number): void {
    const end = offset + length;
    for (const [page, bytes] of this.pages) {
      const from = Math.max(offset - page * PAGE_BYTES, 0);
      const to = Math.min(end - page * PAGE_BYTES, PAGE_BYTES);
      if (to <= from) continue;
      bytes.fill(0, from, to);
      if (isZero(bytes)) this.pages.delete(page);
    }
  }
}
