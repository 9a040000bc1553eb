import type { ByteRange } from '../../src/core/range.js';
import type { BlockDevice, DeviceCapabilities } from '../../src/device/types.js';

/** One access; `at` is the target of a copy and the new size of a resize. */
export interface TraceEntry {
  readonly op: 'read' | 'write' | 'discard' | 'copy' | 'resize' | 'flush' | 'data-ranges';
  readonly at: number;
  readonly length: number;
  readonly from?: number;
}

/** Passes everything on and remembers it. Accesses are logged before they happen. */
export class TraceDevice implements BlockDevice {
  readonly label: string;
  readonly log: TraceEntry[] = [];

  constructor(private readonly inner: BlockDevice) {
    this.label = `traced ${inner.label}`;
  }

  get sizeBytes(): number {
    return this.inner.sizeBytes;
  }

  get capabilities(): DeviceCapabilities {
    return this.inner.capabilities;
  }

  /** Bytes of all accesses of a kind. */
  bytesOf(op: TraceEntry['op']): number {
    return this.entries(op).reduce((sum, entry) => sum + entry.length, 0);
  }

  entries(op: TraceEntry['op']): TraceEntry[] {
    return this.log.filter((entry) => entry.op === op);
  }

  /** True when nothing could have changed: no write, discard, copy, resize. */
  get untouched(): boolean {
    return this.log.every(({ op }) => op === 'read' || op === 'data-ranges' || op === 'flush');
  }

  async readAt(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array> {
    this.log.push({ op: 'read', at: offset, length });
    return this.inner.readAt(offset, length, signal);
  }

  async readInto(offset: number, target: Uint8Array, signal?: AbortSignal): Promise<void> {
    this.log.push({ op: 'read', at: offset, length: target.length });
    await this.inner.readInto(offset, target, signal);
  }

  async writeAt(offset: number, bytes: Uint8Array): Promise<void> {
    this.log.push({ op: 'write', at: offset, length: bytes.length });
    await this.inner.writeAt(offset, bytes);
  }

  async discard(offset: number, length: number): Promise<void> {
    this.log.push({ op: 'discard', at: offset, length });
    await this.inner.discard(offset, length);
  }

  async dataRanges(offset: number, length: number): Promise<ByteRange[]> {
    this.log.push({ op: 'data-ranges', at: offset, length });
    return this.inner.dataRanges(offset, length);
  }

  async copyRange(from: number, to: number, length: number): Promise<void> {
    this.log.push({ op: 'copy', at: to, length, from });
    await this.inner.copyRange(from, to, length);
  }

  async resize(sizeBytes: number): Promise<void> {
    this.log.push({ op: 'resize', at: sizeBytes, length: 0 });
    await this.inner.resize(sizeBytes);
  }

  async flush(): Promise<void> {
    this.log.push({ op: 'flush', at: 0, length: 0 });
    await this.inner.flush();
  }

  async close(): Promise<void> {
    await this.inner.close();
  }
}
