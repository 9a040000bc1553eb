import { internalError, unsupported } from '../core/errors.js';
import type { ByteRange } from '../core/range.js';
import { checkCopy, checkRange } from './bounds.js';
import type { BlockDevice, DeviceCapabilities, Reader } from './types.js';

/**
 * [at, at + length) of a reader as a reader of its own, offsets from 0. Throws Internal (out-of-bounds) when
 * that is not inside the reader.
 */
export function windowReader(reader: Reader, at: number, length: number, label: string): Reader {
  checkRange(reader, at, length, `window ${label}`);
  const self: Reader = {
    label,
    sizeBytes: length,
    readAt: async (offset, count, signal) => {
      checkRange(self, offset, count, 'read');
      return reader.readAt(at + offset, count, signal);
    },
    readInto: async (offset, target, signal) => {
      checkRange(self, offset, target.length, 'read');
      await readIntoFrom(reader, at + offset, target, signal);
    },
  };
  return self;
}

/** Fills a buffer from any reader: directly where it can, else by a copy. */
async function readIntoFrom(
  reader: Reader,
  offset: number,
  target: Uint8Array,
  signal?: AbortSignal,
): Promise<void> {
  if (reader.readInto !== undefined) await reader.readInto(offset, target, signal);
  else target.set(await reader.readAt(offset, target.length, signal));
}

/**
 * [at, at + length) of a device as a device of its own: a partition. It cannot be resized, and close() ends
 * only the window: the disk below has other windows and an owner.
 */
export function windowDevice(device: BlockDevice, at: number, length: number, label?: string): BlockDevice {
  const name = label ?? `${device.label}[${at}+${length}]`;
  checkRange(device, at, length, `window ${name}`);
  return new DeviceWindow(device, at, length, name);
}

class DeviceWindow implements BlockDevice {
  readonly capabilities: DeviceCapabilities;
  private closed = false;

  constructor(
    private readonly device: BlockDevice,
    private readonly start: number,
    readonly sizeBytes: number,
    readonly label: string,
  ) {
    this.capabilities = { ...device.capabilities, resizable: false };
  }

  async readAt(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array> {
    return this.device.readAt(this.locate(offset, length, 'read'), length, signal);
  }

  async readInto(offset: number, target: Uint8Array, signal?: AbortSignal): Promise<void> {
    await this.device.readInto(this.locate(offset, target.length, 'read'), target, signal);
  }

  async writeAt(offset: number, bytes: Uint8Array): Promise<void> {
    await this.device.writeAt(this.locate(offset, bytes.length, 'write'), bytes);
  }

  async discard(offset: number, length: number): Promise<void> {
    await this.device.discard(this.locate(offset, length, 'discard'), length);
  }

  async dataRanges(offset: number, length: number): Promise<ByteRange[]> {
    const ranges = await this.device.dataRanges(this.locate(offset, length, 'data ranges'), length);
    return ranges.map((range) => ({ at: range.at - this.start, length: range.length }));
  }

  async copyRange(from: number, to: number, length: number): Promise<void> {
    checkCopy(this, from, to, length);
    const source = this.locate(from, length, 'copy from');
    await this.device.copyRange(source, this.locate(to, length, 'copy to'), length);
  }

  async resize(): Promise<void> {
    throw unsupported('not-resizable', `${this.label} is a part of a disk and has a fixed size`);
  }

  async flush(): Promise<void> {
    this.locate(0, 0, 'flush');
    await this.device.flush();
  }

  async close(): Promise<void> {
    this.closed = true;
  }

  private locate(offset: number, length: number, doing: string): number {
    if (this.closed) throw internalError('device-closed', `${doing} on ${this.label} after close`);
    checkRange(this, offset, length, doing);
    return this.start + offset;
  }
}
