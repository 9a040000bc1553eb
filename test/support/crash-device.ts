import { deviceError } from '../../src/core/errors.js';
import { type ByteRange, mergeRanges } from '../../src/core/range.js';
import { alignDown } from '../../src/core/units.js';
import type { BlockDevice, DeviceCapabilities } from '../../src/device/types.js';
import { MemoryDevice } from './memory-device.js';
import { seededRandom } from './random.js';

const SECTOR_BYTES = 512;

/**
 * A disk with a volatile write cache. Reads show every write; a power cut keeps what was flushed, and of what
 * was written since, any sectors in any order: each sector comes back as one of the contents it had since the
 * last flush, the flushed one included. Changes of size are cached in the same way.
 *
 *     const disk = new CrashDevice(image);   // a size, or a MemoryDevice whose content is durable
 *     await run(disk);                       // stopped somewhere, for instance by a FaultyDevice around it
 *     const after = disk.crash(seed);        // one of the images that a power cut may leave
 *
 * crash() kills the device, every later access fails; crash() itself can be asked again with other seeds.
 */
export class CrashDevice implements BlockDevice {
  readonly label = 'crash device';
  private readonly durable: MemoryDevice;
  private readonly current: MemoryDevice;
  /** By offset of the sector: its contents since the last flush, oldest first. */
  private readonly unflushed = new Map<number, Uint8Array[]>();
  /** Sizes since the last flush, the flushed one first. */
  private sizes: number[];
  private dead = false;

  constructor(content: number | MemoryDevice) {
    this.current = typeof content === 'number' ? new MemoryDevice(content) : content.snapshot();
    this.durable = this.current.snapshot();
    this.sizes = [this.current.sizeBytes];
  }

  get sizeBytes(): number {
    return this.current.sizeBytes;
  }

  get capabilities(): DeviceCapabilities {
    return this.current.capabilities;
  }

  /** What reads show now: the image that a proper shutdown would leave. */
  image(): MemoryDevice {
    return this.current.snapshot();
  }

  /** Cuts the power and returns one of the images that may be left; equal seeds give equal images. */
  crash(seed: number): MemoryDevice {
    this.dead = true;
    const random = seededRandom(seed);
    const pick = <T>(choices: readonly T[]): T | undefined => choices[Math.floor(random() * choices.length)];
    const image = this.durable.snapshot('after the crash');
    const sizeBytes = pick(this.sizes) ?? image.sizeBytes;
    image.setSize(Math.max(...this.sizes));
    for (const [at, contents] of this.unflushed) {
      const content = pick([undefined, ...contents]);
      if (content !== undefined) image.poke(at, content.subarray(0, image.sizeBytes - at));
    }
    image.setSize(sizeBytes);
    return image;
  }

  async readAt(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array> {
    this.checkAlive();
    return this.current.readAt(offset, length, signal);
  }

  async readInto(offset: number, target: Uint8Array, signal?: AbortSignal): Promise<void> {
    this.checkAlive();
    await this.current.readInto(offset, target, signal);
  }

  async dataRanges(offset: number, length: number): Promise<ByteRange[]> {
    this.checkAlive();
    return this.current.dataRanges(offset, length);
  }

  async writeAt(offset: number, bytes: Uint8Array): Promise<void> {
    await this.change(offset, bytes.length, () => this.current.writeAt(offset, bytes));
  }

  async discard(offset: number, length: number): Promise<void> {
    await this.change(offset, length, () => this.current.discard(offset, length));
  }

  async copyRange(from: number, to: number, length: number): Promise<void> {
    await this.change(to, length, () => this.current.copyRange(from, to, length));
  }

  async resize(sizeBytes: number): Promise<void> {
    const cut = Math.max(0, this.sizeBytes - sizeBytes);
    await this.change(this.sizeBytes - cut, cut, () => this.current.resize(sizeBytes));
    this.sizes.push(sizeBytes);
  }

  async flush(): Promise<void> {
    this.checkAlive();
    await this.current.flush();
    this.durable.setSize(this.sizeBytes);
    for (const at of this.unflushed.keys()) {
      if (at < this.sizeBytes) this.durable.poke(at, this.sector(at).subarray(0, this.sizeBytes - at));
    }
    this.unflushed.clear();
    this.sizes = [this.sizeBytes];
  }

  async close(): Promise<void> {
    await this.current.close();
  }

  /** Does the change and remembers the new content of the sectors it touched. */
  private async change(offset: number, length: number, step: () => Promise<void>): Promise<void> {
    this.checkAlive();
    const before = await this.dataSectors(offset, length);
    await step();
    const after = await this.dataSectors(offset, length);
    // A sector that was and stays zero has no other version, and there may be billions of them.
    for (const at of new Set([...before, ...after])) {
      const contents = this.unflushed.get(at);
      if (contents === undefined) this.unflushed.set(at, [this.sector(at)]);
      else contents.push(this.sector(at));
    }
  }

  private async dataSectors(offset: number, length: number): Promise<number[]> {
    const start = Math.min(alignDown(offset, SECTOR_BYTES), this.sizeBytes);
    const end = Math.min(offset + length, this.sizeBytes);
    const data = length > 0 && end > start ? await this.current.dataRanges(start, end - start) : [];
    const sectors: number[] = [];
    for (const range of mergeRanges(data)) {
      const from = alignDown(range.at, SECTOR_BYTES);
      for (let at = from; at < range.at + range.length; at += SECTOR_BYTES) sectors.push(at);
    }
    return sectors;
  }

  /** The sector as it is now; what lies behind the end is zeros. */
  private sector(at: number): Uint8Array {
    const sector = new Uint8Array(SECTOR_BYTES);
    const length = Math.min(SECTOR_BYTES, this.sizeBytes - at);
    if (length > 0) sector.set(this.current.bytes(at, length));
    return sector;
  }

  private checkAlive(): void {
    if (this.dead) throw deviceError('power-cut', `${this.label} has no power`);
  }
}
