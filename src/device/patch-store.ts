import { internalError } from '../core/errors.js';
import { alignDown, alignUp, KIB, MIB } from '../core/units.js';
import type { BlockDevice } from './types.js';

const PAGE_BYTES = 64 * KIB;
/** The spill file grows by this much: resizing for every patch would cost more than the patch. */
const SPILL_STEP_BYTES = 16 * MIB;

/**
 * Bytes that are appended and later read back by their offset: the patches of an overlay. The first
 * `memoryBytes` stay in memory, the rest goes to the spill file, which is opened when it is needed first.
 */
export class PatchStore {
  private readonly pages: Uint8Array[] = [];
  private readonly memoryBytes: number;
  private end = 0;
  private spillFile: BlockDevice | undefined;
  /** Growing the spill file is one thing after the other. */
  private growth: Promise<unknown> = Promise.resolve();

  constructor(
    memoryBytes: number,
    private readonly openSpill?: () => Promise<BlockDevice>,
  ) {
    this.memoryBytes =
      openSpill === undefined ? Number.POSITIVE_INFINITY : alignDown(memoryBytes, PAGE_BYTES);
  }

  /** Keeps a copy of the bytes and returns the offset they can be read at. */
  async append(bytes: Uint8Array): Promise<number> {
    const at = this.end;
    this.end += bytes.length;
    await this.write(at, bytes);
    return at;
  }

  /** Overwrites bytes that were appended. */
  async write(at: number, bytes: Uint8Array): Promise<void> {
    const inMemory = this.memoryPart(at, bytes.length);
    this.eachPage(at, inMemory, (page, pageOffset, offset, length) => {
      page.set(bytes.subarray(offset, offset + length), pageOffset);
    });
    if (inMemory === bytes.length) return;
    const rest = bytes.subarray(inMemory);
    const spillAt = at + inMemory - this.memoryBytes;
    const file = await this.spillWithRoom(spillAt + rest.length);
    await file.writeAt(spillAt, rest);
  }

  async readInto(at: number, target: Uint8Array): Promise<void> {
    const inMemory = this.memoryPart(at, target.length);
    this.eachPage(at, inMemory, (page, pageOffset, offset, length) => {
      target.set(page.subarray(pageOffset, pageOffset + length), offset);
    });
    if (inMemory === target.length) return;
    if (this.spillFile === undefined) throw internalError('patch-store', 'read of patches never spilled');
    await this.spillFile.readInto(at + inMemory - this.memoryBytes, target.subarray(inMemory));
  }

  /** Forgets everything and closes the spill file; removing it is up to who opened it. */
  async close(): Promise<void> {
    this.pages.length = 0;
    await this.growth.catch(() => undefined);
    await this.spillFile?.close();
  }

  private memoryPart(at: number, length: number): number {
    return Math.min(length, Math.max(0, this.memoryBytes - at));
  }

  private eachPage(
    at: number,
    length: number,
    visit: (page: Uint8Array, pageOffset: number, offset: number, length: number) => void,
  ): void {
    for (let offset = 0; offset < length; ) {
      const pageOffset = (at + offset) % PAGE_BYTES;
      const part = Math.min(PAGE_BYTES - pageOffset, length - offset);
      visit(this.page((at + offset - pageOffset) / PAGE_BYTES), pageOffset, offset, part);
      offset += part;
    }
  }

  private page(index: number): Uint8Array {
    const page = this.pages[index] ?? new Uint8Array(PAGE_BYTES);
    this.pages[index] = page;
    return page;
  }

  private async spillWithRoom(sizeBytes: number): Promise<BlockDevice> {
    const grown = this.growth.then(() => this.growSpill(sizeBytes));
    this.growth = grown;
    return grown;
  }

  private async growSpill(sizeBytes: number): Promise<BlockDevice> {
    if (this.openSpill === undefined) throw internalError('patch-store', 'no place to spill patches to');
    this.spillFile ??= await this.openSpill();
    if (this.spillFile.sizeBytes < sizeBytes) {
      await this.spillFile.resize(alignUp(sizeBytes, SPILL_STEP_BYTES));
    }
    return this.spillFile;
  }
}
