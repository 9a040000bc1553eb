import { closeSync, ftruncateSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Reader } from '../../../src/device/types.js';
import type { MetadataWrite } from '../../../src/formats/types.js';

/** A sparse file as a disk for table tests: outside tools and the decoders see the same bytes. */
export class DiskFile implements Reader {
  readonly label = 'test disk';
  readonly path: string;
  private readonly folder: string;
  private readonly fd: number;

  constructor(public sizeBytes: number) {
    this.folder = mkdtempSync(join(tmpdir(), 'vmreclaim-table-'));
    this.path = join(this.folder, 'disk.img');
    this.fd = openSync(this.path, 'w+');
    ftruncateSync(this.fd, sizeBytes);
  }

  async readAt(offset: number, length: number): Promise<Uint8Array> {
    if (offset < 0 || length < 0 || offset + length > this.sizeBytes)
      throw new Error('read outside the disk');
    const bytes = new Uint8Array(length);
    readSync(this.fd, bytes, 0, length, offset);
    return bytes;
  }

  apply(writes: readonly MetadataWrite[]): void {
    for (const { at, bytes } of writes) {
      if (at < 0 || at + bytes.length > this.sizeBytes) throw new Error('write outside the disk');
      writeSync(this.fd, bytes, 0, bytes.length, at);
    }
  }

  resize(sizeBytes: number): void {
    ftruncateSync(this.fd, sizeBytes);
    this.sizeBytes = sizeBytes;
  }

  close(): void {
    closeSync(this.fd);
    rmSync(this.folder, { recursive: true });
  }
}

/** Bytes as a disk: for property and fuzz tests. Everything behind `bytes` reads as zeros. */
export class SparseDisk implements Reader {
  readonly label = 'test disk';

  constructor(
    readonly sizeBytes: number,
    private readonly pieces = new Map<number, Uint8Array>(),
  ) {}

  async readAt(offset: number, length: number): Promise<Uint8Array> {
    if (offset < 0 || length < 0 || offset + length > this.sizeBytes)
      throw new Error('read outside the disk');
    const bytes = new Uint8Array(length);
    for (const [at, piece] of this.pieces) {
      const from = Math.max(at, offset);
      const to = Math.min(at + piece.length, offset + length);
      if (from < to) bytes.set(piece.subarray(from - at, to - at), from - offset);
    }
    return bytes;
  }

  /** A disk with these bytes changed; later writes win. */
  with(writes: readonly { at: number; bytes: Uint8Array }[], sizeBytes = this.sizeBytes): SparseDisk {
    const pieces = new Map<number, Uint8Array>([...this.pieces].map(([at, bytes]) => [at, bytes.slice()]));
    for (const { at, bytes } of writes) {
      const whole = pieces.get(at);
      if (whole !== undefined && whole.length > bytes.length) whole.set(bytes);
      else {
        pieces.delete(at);
        pieces.set(at, bytes);
      }
    }
    return new SparseDisk(sizeBytes, pieces);
  }
}
