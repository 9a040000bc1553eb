import {
  closeSync,
  fstatSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { VmreclaimError } from '../../../src/core/errors.js';
import type { ByteRange } from '../../../src/core/range.js';
import type { Reader } from '../../../src/device/types.js';
import { run } from '../../support/judges.js';

/** A volume inside a file: [start, start + sizeBytes). Counts what is read. */
export class VolumeFile implements Reader {
  readonly sizeBytes: number;
  readonly reads: ByteRange[] = [];
  private readonly handle: number;

  constructor(
    readonly label: string,
    private readonly start = 0,
    sizeBytes?: number,
  ) {
    this.handle = openSync(label, 'r');
    this.sizeBytes = sizeBytes ?? fstatSync(this.handle).size - start;
  }

  async readAt(offset: number, length: number): Promise<Uint8Array> {
    if (offset < 0 || length < 0 || offset + length > this.sizeBytes) {
      throw new Error(`read of ${length} at ${offset} outside ${this.sizeBytes} bytes`);
    }
    this.reads.push({ at: offset, length });
    const bytes = new Uint8Array(length);
    if (readSync(this.handle, bytes, 0, length, this.start + offset) !== length)
      throw new Error('short read');
    return bytes;
  }

  get bytesRead(): number {
    return this.reads.reduce((sum, { length }) => sum + length, 0);
  }

  close(): void {
    closeSync(this.handle);
  }
}

/** Bytes in memory, changed at will. Reading outside is the error it would be on a real device. */
export class VolumeBytes implements Reader {
  readonly label = 'volume';

  constructor(readonly bytes: Uint8Array) {}

  get sizeBytes(): number {
    return this.bytes.length;
  }

  async readAt(offset: number, length: number): Promise<Uint8Array> {
    if (!Number.isSafeInteger(offset) || offset < 0 || length < 0 || offset + length > this.bytes.length) {
      throw new Error(`read of ${length} at ${offset} outside ${this.bytes.length} bytes`);
    }
    return this.bytes.slice(offset, offset + length);
  }
}

/** A folder that removes itself. */
export class Scratch {
  readonly folder = mkdtempSync(join(tmpdir(), 'vmreclaim-ntfs-'));

  path(name: string): string {
    return join(this.folder, name);
  }

  /** A sparse file of that size. */
  empty(name: string, sizeBytes: number): string {
    const path = this.path(name);
    writeFileSync(path, '');
    truncateSync(path, sizeBytes);
    return path;
  }

  /** A new NTFS volume. */
  format(name: string, sizeBytes: number, ...options: string[]): string {
    const path = this.empty(name, sizeBytes);
    run('mkntfs', ['-F', '-Q', '-q', '-q', ...options, path]);
    return path;
  }

  /** Runs shell commands in a mounted volume; the driver has written everything and ended afterwards. */
  populate(path: string, script: string): void {
    const mount = this.path('mount');
    run('timeout', ['60', 'bash', '-euc', MOUNTED, 'populate', path, mount, script]);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** $1 volume, $2 mount point, $3 script. The driver stays a child, so that its end can be waited for. */
const MOUNTED = `
  mkdir -p "$2"
  ntfs-3g "$1" "$2" -o no_detach,streams_interface=windows,compression,noatime &
  driver=$!
  for round in $(seq 1 100); do mountpoint -q "$2" && break; sleep 0.05; done
  mountpoint -q "$2"
  result=0
  (cd "$2"; bash -euc "$3") || result=$?
  sync -f "$2"
  for round in $(seq 1 100); do umount "$2" && break; sleep 0.05; done
  wait $driver
  exit $result
`;

/** The code of the VmreclaimError that a promise rejects with; `none` when it does not. Other errors pass. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'none';
  } catch (error) {
    if (error instanceof VmreclaimError) return error.code;
    throw error;
  }
}
