import type { Stats } from 'ssh2';
import { deviceError, internalError } from '../../core/errors.js';
import type { ByteRange } from '../../core/range.js';
import { KIB, MIB } from '../../core/units.js';
import { checkCopy, checkRange, checkSize } from '../../device/bounds.js';
import type { StoreFile } from '../../device/store.js';
import { copyInside, zeroInPlace } from '../../device/transfer.js';
import type { DeviceCapabilities } from '../../device/types.js';
import type { InPlace } from './copier.js';
import { asOwnError, badAnswer, isEof, isLinkLost } from './errors.js';
import { afterTransfer } from './garbage.js';
import { asVoid, type Session, SLOW_REQUEST_MS } from './session.js';

/** OpenSSH takes at most 255 KiB a request (PROTOCOL, limits@openssh.com); the library splits what is too long. */
const REQUEST_BYTES = 255 * KIB;

/** Half of what a local disk gets: a window is in memory some three times while it is decrypted, held and encrypted. */
const WINDOW_BYTES = 4 * MIB;

export interface SftpFileOptions {
  /** The URL, for messages. */
  readonly path: string;
  readonly handle: Buffer;
  readonly sizeBytes: number;
  readonly writable: boolean;
  /** False: the server cannot, and the user knows. */
  readonly durableFlush: boolean;
  /** Takes the lock of the file; what it returns gives it back, and knows a way to copy on the server. */
  readonly lock: (file: SftpFile) => Promise<FileLock>;
}

/** A lock that is held. */
export interface FileLock {
  readonly inPlace: InPlace | undefined;
  release(): Promise<void>;
}

/** An open file of an SFTP server. It dies with its connection: whoever goes on afterwards opens it again. */
export class SftpFile implements StoreFile {
  readonly label: string;
  private size: number;
  private closed = false;
  private held: FileLock | undefined;

  constructor(
    private readonly session: Session,
    private readonly options: SftpFileOptions,
  ) {
    this.label = options.path;
    this.size = options.sizeBytes;
  }

  get sizeBytes(): number {
    return this.size;
  }

  get capabilities(): DeviceCapabilities {
    const { writable, durableFlush } = this.options;
    const inPlace = this.held?.inPlace;
    return {
      writable,
      durableFlush,
      discard: writable && inPlace?.canPunch === true,
      resizable: writable,
      dataRanges: inPlace?.dataRanges !== undefined,
      rangeCopy: writable && inPlace !== undefined,
      windowBytes: WINDOW_BYTES,
      ...(inPlace === undefined ? {} : { smallestCopy: inPlace.smallestCopy }),
    };
  }

  async readAt(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array> {
    this.check(offset, length, 'read');
    const bytes = new Uint8Array(length);
    await this.readInto(offset, bytes, signal);
    return bytes;
  }

  async readInto(offset: number, target: Uint8Array, signal?: AbortSignal): Promise<void> {
    this.check(offset, target.length, 'read');
    const buffer = Buffer.from(target.buffer, target.byteOffset, target.length);
    await this.pieces(target.length, async (at, length) => {
      signal?.throwIfAborted();
      const got = await this.readPiece(offset + at, buffer.subarray(at, at + length));
      if (got < length) throw this.short(offset, target.length, at + got);
    });
  }

  async writeAt(offset: number, bytes: Uint8Array): Promise<void> {
    this.checkWritable(offset, bytes.length, 'write');
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    // A short write is a failure of the request (sftp-server.c).
    await this.pieces(bytes.length, (at, length) =>
      this.call('write', (sftp, done) =>
        sftp.write(this.options.handle, buffer, at, length, offset + at, asVoid(done)),
      ),
    );
  }

  async discard(offset: number, length: number): Promise<void> {
    this.checkWritable(offset, length, 'discard');
    const zero = this.held?.inPlace?.zero;
    if (zero === undefined) await zeroInPlace(this, offset, length);
    else await zero(offset, length);
  }

  async dataRanges(offset: number, length: number): Promise<ByteRange[]> {
    this.check(offset, length, 'data ranges');
    if (length === 0) return [];
    const known = await this.held?.inPlace?.dataRanges?.(offset, length);
    return known ?? [{ at: offset, length }];
  }

  async copyRange(from: number, to: number, length: number): Promise<void> {
    this.checkWritable(from, length, 'copy from');
    checkCopy(this, from, to, length);
    const inPlace = this.held?.inPlace;
    if (inPlace === undefined) await copyInside(this, from, to, length);
    else if (length > 0) await inPlace.copy(from, to, length);
  }

  async resize(sizeBytes: number): Promise<void> {
    this.checkWritable(0, 0, 'resize');
    checkSize(this, sizeBytes);
    await this.call('resize', (sftp, done) =>
      sftp.fsetstat(this.options.handle, { size: sizeBytes }, asVoid(done)),
    );
    const stats = await this.call<Stats>('measure', (sftp, done) => sftp.fstat(this.options.handle, done));
    // Attributes that a server does not know it may leave out without a word.
    if (Number(stats.size) !== sizeBytes) throw badAnswer(this.label, 'a resize that did nothing');
    this.size = sizeBytes;
  }

  async flush(): Promise<void> {
    this.check(0, 0, 'flush');
    const { writable, durableFlush, handle } = this.options;
    if (!writable || !durableFlush) return;
    await this.call('flush', (sftp, done) => sftp.ext_openssh_fsync(handle, asVoid(done)), SLOW_REQUEST_MS);
  }

  /** What fails because the connection is gone is closed all the same. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    const ignoreLoss = (error: unknown): void => {
      if (!isLinkLost(error)) throw error;
    };
    await this.held?.release().catch(ignoreLoss);
    await this.call('close', (sftp, done) => sftp.close(this.options.handle, asVoid(done))).catch(ignoreLoss);
  }

  async lock(): Promise<void> {
    this.checkWritable(0, 0, 'lock');
    this.held ??= await this.options.lock(this);
  }

  /** One request after the other until the piece is full or the file ends; returns how much came. */
  private async readPiece(offset: number, target: Buffer): Promise<number> {
    let done = 0;
    while (done < target.length) {
      const length = target.length - done;
      const count = await this.call<number>('read', (sftp, answer) =>
        sftp.read(this.options.handle, target, done, length, offset + done, (error, bytesRead) =>
          isEof(error) ? answer(null, 0) : answer(error, bytesRead),
        ),
      );
      if (!Number.isSafeInteger(count) || count < 0 || count > length)
        throw badAnswer(this.label, 'length of a read');
      if (count === 0) break;
      done += count;
    }
    return done;
  }

  /** Splits a transfer into requests that are under way together. All have ended when it throws. */
  private async pieces(
    length: number,
    work: (at: number, length: number) => Promise<unknown>,
  ): Promise<void> {
    const under: Promise<unknown>[] = [];
    for (let at = 0; at < length; at += REQUEST_BYTES) {
      const piece = Math.min(REQUEST_BYTES, length - at);
      under.push(this.session.data.use(() => work(at, piece)).then(() => afterTransfer(piece)));
    }
    const results = await Promise.allSettled(under);
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }

  private async call<T>(
    doing: string,
    start: Parameters<Session['request']>[0],
    milliseconds?: number,
  ): Promise<T> {
    try {
      return (await this.session.request(start, milliseconds)) as T;
    } catch (error) {
      throw asOwnError(error, doing, this.label);
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

  private short(offset: number, expected: number, actual: number): Error {
    return deviceError('short-read', `read of ${this.label} ended early: did its size change?`, {
      path: this.label,
      offset,
      expected,
      actual,
    });
  }
}
