import { conflict, deviceError, internalError } from '../../src/core/errors.js';
import type { ByteRange } from '../../src/core/range.js';
import type { FileStat, FolderEntry, Store, StoreFile } from '../../src/device/store.js';
import type { BlockDevice, DeviceCapabilities } from '../../src/device/types.js';
import { CrashDevice } from './crash-device.js';
import { MemoryDevice } from './memory-device.js';

/** The power supply of a disk and its journal: after so many changes and flushes it is cut, in the middle of one. */
export class Power {
  used = 0;

  constructor(
    /** Steps until the cut; Infinity: never. */
    private readonly steps = Number.POSITIVE_INFINITY,
    /** How much of the change under way still gets through, 0 to 1. */
    private readonly torn = 0,
  ) {}

  get isOn(): boolean {
    return this.used <= this.steps;
  }

  /** One step: true when it happens completely, false when the power fails in it. */
  step(): boolean {
    this.check();
    this.used++;
    return this.isOn;
  }

  check(): void {
    if (!this.isOn) throw deviceError('power-cut', 'the power is gone');
  }

  kept(length: number): number {
    return Math.floor(length * this.torn);
  }

  fail(): never {
    throw deviceError('power-cut', 'the power was cut');
  }
}

/** A file on a crash device. Several handles may be open; closing one leaves the content. */
export class PoweredFile implements StoreFile {
  constructor(
    readonly label: string,
    private readonly device: CrashDevice,
    private readonly power: Power,
  ) {}

  get sizeBytes(): number {
    return this.device.sizeBytes;
  }

  get capabilities(): DeviceCapabilities {
    return this.device.capabilities;
  }

  async readAt(offset: number, length: number): Promise<Uint8Array> {
    this.power.check();
    return this.device.readAt(offset, length);
  }

  async readInto(offset: number, target: Uint8Array): Promise<void> {
    this.power.check();
    await this.device.readInto(offset, target);
  }

  async dataRanges(offset: number, length: number): Promise<ByteRange[]> {
    this.power.check();
    return this.device.dataRanges(offset, length);
  }

  async writeAt(offset: number, bytes: Uint8Array): Promise<void> {
    if (this.power.step()) return this.device.writeAt(offset, bytes);
    await this.device.writeAt(offset, bytes.subarray(0, this.power.kept(bytes.length)));
    return this.power.fail();
  }

  async discard(offset: number, length: number): Promise<void> {
    if (this.power.step()) return this.device.discard(offset, length);
    await this.device.discard(offset, this.power.kept(length));
    return this.power.fail();
  }

  async copyRange(from: number, to: number, length: number): Promise<void> {
    if (!this.power.step()) this.power.fail();
    await this.device.copyRange(from, to, length);
  }

  /** As durable as any write: not before a flush. Where the device does not copy by itself it does not share either. */
  async cloneInto(target: BlockDevice, { at, length }: ByteRange): Promise<boolean> {
    if (!this.capabilities.rangeCopy) return false;
    await target.resize(length);
    await target.writeAt(0, await this.readAt(at, length));
    return true;
  }

  async resize(sizeBytes: number): Promise<void> {
    if (!this.power.step()) this.power.fail();
    await this.device.resize(sizeBytes);
  }

  async flush(): Promise<void> {
    if (!this.power.step()) this.power.fail();
    await this.device.flush();
  }

  async lock(): Promise<void> {}
  async close(): Promise<void> {}
}

/** A store whose files lose what was not flushed when the power is cut. Renames and removals are atomic and durable. */
export class CrashStore implements Store {
  readonly label = 'crash store';

  constructor(
    private readonly files: Map<string, CrashDevice> = new Map(),
    private readonly folders: Set<string> = new Set(['/']),
    readonly power = new Power(),
  ) {}

  /** The store as a power cut may leave it, with a power supply of its own. */
  crash(seed: number, power = new Power()): CrashStore {
    const files = [...this.files].map(
      ([path, device], index) => [path, new CrashDevice(device.crash(seed * 31 + index))] as const,
    );
    return new CrashStore(new Map(files), new Set(this.folders), power);
  }

  /** The store after the process was killed, not the power: what was not flushed is still in the cache, and only there. */
  killed(power: Power): CrashStore {
    return new CrashStore(this.files, this.folders, power);
  }

  /** The same files, durable, with another power supply. */
  withPower(power: Power): CrashStore {
    const files = [...this.files].map(([path, device]) => [path, new CrashDevice(device.image())] as const);
    return new CrashStore(new Map(files), new Set(this.folders), power);
  }

  put(path: string, content: MemoryDevice): void {
    this.files.set(path, new CrashDevice(content));
  }

  image(path: string): MemoryDevice {
    return this.device(path).image();
  }

  get paths(): string[] {
    return [...this.files.keys(), ...this.folders].sort();
  }

  join = (folder: string, ...names: string[]): string => [folder === '/' ? '' : folder, ...names].join('/');
  folderOf = (path: string): string => path.slice(0, path.lastIndexOf('/')) || '/';
  nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);
  isAbsolute = (path: string): boolean => path.startsWith('/');
  resolve = (path: string): string => path;

  async stat(path: string): Promise<FileStat | undefined> {
    this.power.check();
    const sizeBytes = this.files.get(path)?.sizeBytes;
    if (sizeBytes === undefined && !this.folders.has(path)) return undefined;
    const kind = sizeBytes === undefined ? 'folder' : 'file';
    return {
      kind,
      sizeBytes: sizeBytes ?? 0,
      allocatedBytes: null,
      inode: path,
      linkCount: null,
      modifiedMs: 0,
    };
  }

  async realPath(path: string): Promise<string> {
    return path;
  }

  async list(folder: string): Promise<FolderEntry[]> {
    this.power.check();
    return this.paths
      .filter((path) => path !== folder && this.folderOf(path) === folder)
      .map((path) => ({ name: this.nameOf(path), kind: this.folders.has(path) ? 'folder' : 'file' }));
  }

  async readFile(path: string, maxBytes: number): Promise<Uint8Array> {
    this.power.check();
    const image = this.image(path);
    if (image.sizeBytes > maxBytes) throw deviceError('file-too-large', path);
    return image.bytes(0, image.sizeBytes);
  }

  async replaceFile(path: string, bytes: Uint8Array): Promise<void> {
    if (!this.power.step()) this.power.fail();
    this.put(path, MemoryDevice.of(bytes));
  }

  async createFolder(path: string): Promise<void> {
    if (!this.power.step()) this.power.fail();
    if (this.folders.has(path)) throw conflict('exists', path);
    this.folders.add(path);
  }

  async rename(from: string, to: string): Promise<void> {
    if (!this.power.step()) this.power.fail();
    if (this.files.has(to)) throw conflict('exists', to);
    this.files.set(to, this.device(from));
    this.files.delete(from);
  }

  async remove(path: string): Promise<void> {
    if (!this.power.step()) this.power.fail();
    this.files.delete(path);
    this.folders.delete(path);
  }

  async removeAll(folder: string, names: readonly string[]): Promise<void> {
    for (const name of names) await this.remove(this.join(folder, name));
  }

  async open(path: string, mode: 'read' | 'write' | 'create'): Promise<StoreFile> {
    this.power.check();
    if (mode === 'create') this.files.set(path, new CrashDevice(0));
    return new PoweredFile(path, this.device(path), this.power);
  }

  async freeBytes(): Promise<number | null> {
    return null;
  }

  async volumeOf(): Promise<null> {
    return null;
  }

  private device(path: string): CrashDevice {
    const device = this.files.get(path);
    if (device === undefined) throw internalError('not-found', path);
    return device;
  }
}
