import { readSync, writeSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { deviceError, internalError, unsupported } from '../../core/errors.js';
import type { ByteRange } from '../../core/range.js';
import { GIB, MIB } from '../../core/units.js';
import { checkCopy, checkRange, checkSize } from '../../device/bounds.js';
import type { StoreFile } from '../../device/store.js';
import { copyBytes, copyInside, zeroInPlace } from '../../device/transfer.js';
import type { BlockDevice, DeviceCapabilities, Shifter } from '../../device/types.js';
import type { FileAbilities } from './abilities.js';
import { attempt, storeError } from './errors.js';
import { lockFile } from './lock.js';
import { isErrno, type NativeCalls } from './native.js';
import { refuseOtherUsers } from './open-elsewhere.js';
import { shareRange } from './share-file.js';
import { fileShifter } from './shift-file.js';
import { inTurn } from './turns.js';

/** Bytes of one system call: Linux cuts longer ones (0x7ffff000), and a signal is noticed between two. */
const CALL_BYTES = GIB;

/** Bytes that the kernel copies before others get their turn. */
const COPY_CALL_BYTES = 16 * MIB;
/** How file systems, and kernels, say that they cannot copy inside a file. */
const CANNOT_COPY = ['EOPNOTSUPP', 'ENOSYS', 'EINVAL', 'EXDEV', 'EPERM', 'EBADF', 'EISDIR'] as const;

export interface LocalFileOptions extends FileAbilities {
  readonly path: string;
  readonly sizeBytes: number;
  readonly writable: boolean;
  /** False for block devices. */
  readonly resizable: boolean;
  readonly native: NativeCalls | undefined;
}

/** An open file of the local file system. Owns the handle. */
export class LocalFile implements StoreFile {
  readonly label: string;
  private size: number;
  private closed = false;
  /** Off after the file system said that it cannot. */
  private canPunch: boolean;
  private canCopy: boolean;

  constructor(
    private readonly handle: FileHandle,
    private readonly options: LocalFileOptions,
  ) {
    this.label = options.path;
    this.size = options.sizeBytes;
    this.canPunch = options.native !== undefined && options.writable;
    this.canCopy = options.native !== undefined;
  }

  get sizeBytes(): number {
    return this.size;
  }

  get capabilities(): DeviceCapabilities {
    const { shifts } = this.options;
    return {
      writable: this.options.writable,
      durableFlush: true,
      discard: this.canPunch,
      resizable: this.options.writable && this.options.resizable,
      dataRanges: this.options.native !== undefined,
      rangeCopy: this.canCopy,
      ...(this.options.sharesBlocks === true ? { sharesBlocks: true } : {}),
      ...(shifts?.canBegin === true ? { shiftBlockBytes: shifts.blockBytes } : {}),
    };
  }

  /** There too while a shift is under way, when no new one could begin. */
  get shifter(): Shifter | undefined {
    const { native, path, writable, shifts } = this.options;
    if (native === undefined || !writable || shifts === undefined) return undefined;
    return fileShifter({ path, handle: this.handle, native });
  }

  async readAt(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array> {
    this.check(offset, length, 'read');
    const bytes = new Uint8Array(length);
    await this.readInto(offset, bytes, signal);
    return bytes;
  }

  async readInto(offset: number, target: Uint8Array, signal?: AbortSignal): Promise<void> {
    this.check(offset, target.length, 'read');
    for (let done = 0; done < target.length; ) {
      signal?.throwIfAborted();
      const count = Math.min(target.length - done, CALL_BYTES);
      const bytesRead = await this.call('read', offset + done, () =>
        inTurn(
          count,
          () => readSync(this.handle.fd, target, done, count, offset + done),
          async () => (await this.handle.read(target, done, count, offset + done)).bytesRead,
        ),
      );
      if (bytesRead === 0) throw this.short('read', offset, target.length, done);
      done += bytesRead;
    }
  }

  async writeAt(offset: number, bytes: Uint8Array): Promise<void> {
    this.checkWritable(offset, bytes.length, 'write');
    for (let done = 0; done < bytes.length; ) {
      const count = Math.min(bytes.length - done, CALL_BYTES);
      const bytesWritten = await this.call('write', offset + done, () =>
        inTurn(
          count,
          () => writeSync(this.handle.fd, bytes, done, count, offset + done),
          async () => (await this.handle.write(bytes, done, count, offset + done)).bytesWritten,
        ),
      );
      if (bytesWritten === 0) throw this.short('write', offset, bytes.length, done);
      done += bytesWritten;
    }
  }

  async discard(offset: number, length: number): Promise<void> {
    this.checkWritable(offset, length, 'discard');
    for (const range of await this.dataRanges(offset, length)) {
      const punched = await this.punch(range);
      await zeroInPlace(this, range.at + punched, range.length - punched);
    }
  }

  async dataRanges(offset: number, length: number): Promise<ByteRange[]> {
    this.check(offset, length, 'data ranges');
    if (length === 0) return [];
    const { native } = this.options;
    if (native === undefined) return [{ at: offset, length }];
    try {
      return seekDataRanges(native, this.handle.fd, offset, length);
    } catch (error) {
      // Block devices and some file systems know no holes.
      if (isErrno(error, 'EINVAL', 'EOPNOTSUPP', 'ENOSYS')) return [{ at: offset, length }];
      throw storeError(error, 'find the holes of', this.label, offset);
    }
  }

  async copyRange(from: number, to: number, length: number): Promise<void> {
    this.checkWritable(from, length, 'copy from');
    checkCopy(this, from, to, length);
    await copyInside(this, from, to, length, (at, target, count) => this.copyData(at, target, count));
  }

  async cloneInto(target: BlockDevice, range: ByteRange): Promise<boolean> {
    this.check(range.at, range.length, 'clone');
    const { native } = this.options;
    if (native === undefined || !(target instanceof LocalFile)) return false;
    await target.resize(range.length);
    return shareRange(native, this.handle, target.handle, range, this.label);
  }

  async resize(sizeBytes: number): Promise<void> {
    this.checkWritable(0, 0, 'resize');
    checkSize(this, sizeBytes);
    if (!this.options.resizable) throw unsupported('not-resizable', `${this.label} has a fixed size`);
    await attempt('resize', this.label, () => this.handle.truncate(sizeBytes));
    this.size = sizeBytes;
  }

  async flush(): Promise<void> {
    this.check(0, 0, 'flush');
    // fdatasync: the size is covered, times of access and change need not be.
    if (this.options.writable) await attempt('flush', this.label, () => this.handle.datasync());
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    await attempt('close', this.label, () => this.handle.close());
  }

  async lock(): Promise<void> {
    this.checkWritable(0, 0, 'lock');
    await lockFile(this.handle, this.label, this.options.native);
    const { dev: device, ino: inode } = await this.handle.stat({ bigint: true });
    await refuseOtherUsers({ path: this.label, device, inode });
  }

  /** Punches from the start of the range and returns how far it came: to its end, or to where it is not possible. */
  private async punch(range: ByteRange): Promise<number> {
    const { native } = this.options;
    for (let done = 0; done < range.length; ) {
      if (native === undefined || !this.canPunch) return done;
      const length = Math.min(range.length - done, CALL_BYTES);
      try {
        native.punchHole(this.handle.fd, range.at + done, length);
        done += length;
      } catch (error) {
        if (!isErrno(error, 'EOPNOTSUPP', 'ENOSYS', 'EINVAL')) {
          throw storeError(error, `punch a hole into`, this.label, range.at + done);
        }
        this.canPunch = false;
      }
    }
    return range.length;
  }

  /** Inside the file system as far as it can, the rest through this process. */
  private async copyData(from: number, to: number, length: number): Promise<void> {
    const { native } = this.options;
    let done = 0;
    while (native !== undefined && this.canCopy && done < length) {
      const count = Math.min(length - done, COPY_CALL_BYTES);
      try {
        const copied = native.copyRange(this.handle.fd, from + done, to + done, count);
        // Nothing without an error: the other way finds out why.
        if (copied === 0) break;
        done += copied;
      } catch (error) {
        if (!isErrno(error, ...CANNOT_COPY)) throw storeError(error, 'copy inside', this.label, to + done);
        this.canCopy = false;
      }
      // The call does not give way to others, who may want to stop or to show how far it came.
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (done < length) await copyBytes(this, from + done, this, to + done, length - done);
  }

  private async call<T>(doing: string, offset: number, step: () => Promise<T>): Promise<T> {
    try {
      return await step();
    } catch (error) {
      throw storeError(error, doing, this.label, offset);
    }
  }

  private check(offset: number, length: number, doing: string): void {
    if (this.closed) throw internalError('device-closed', `${doing} on ${this.label} after close`);
    checkRange(this, offset, length, doing);
  }

  private checkWritable(offset: number, length: number, doing: string): void {
    this.check(offset, length, doing);
    if (this.options.writable) return;
    throw internalError('read-only', `${doing} on ${this.label}, which is open for reading only`);
  }

  private short(doing: string, offset: number, expected: number, actual: number): Error {
    return deviceError(`short-${doing}`, `${doing} of ${this.label} ended early: did its size change?`, {
      path: this.label,
      offset,
      expected,
      actual,
    });
  }
}

function seekDataRanges(native: NativeCalls, fd: number, offset: number, length: number): ByteRange[] {
  const end = offset + length;
  const ranges: ByteRange[] = [];
  for (let at = offset; at < end; ) {
    const data = native.nextData(fd, at);
    if (data === undefined || data >= end) break;
    const hole = Math.min(native.nextHole(fd, data), end);
    // A file that changes meanwhile could answer with the same place again.
    if (hole <= at) return [{ at: offset, length }];
    ranges.push({ at: data, length: hole - data });
    at = hole;
  }
  return ranges;
}
