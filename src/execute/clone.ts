import { damaged } from '../core/errors.js';
import { type ByteRange, rangeEnd } from '../core/range.js';
import { alignDown, alignUp, KIB } from '../core/units.js';
import type { Store, StoreFile } from '../device/store.js';
import { copyBytes } from '../device/transfer.js';
import type { BlockDevice } from '../device/types.js';
import { sourceOf } from '../program/laws.js';
import type { Phase } from '../program/types.js';

/** A multiple of the blocks of all file systems that share them. */
const GRAIN_BYTES = 64 * KIB;

/**
 * Bytes of the blocks that the targets of a phase with a shared spill lie in: as much is written to new ones while the old ones
 * are shared, or is copied where they cannot be. 0 for other phases.
 */
export function sharedBytesOf({ operations, spill }: Phase): number {
  if (spill !== 'shared') return 0;
  return operations.reduce((sum, each) => sum + (each.op === 'copy' ? each.length + 2 * GRAIN_BYTES : 0), 0);
}

/** What the phase reads, as one range of whole grains. */
function clonedRange({ operations }: Phase, sizeBytes: number): ByteRange {
  const sources = operations.map(sourceOf).filter((range) => range !== undefined);
  const starts = sources.map(({ at }) => at);
  const at = alignDown(
    starts.reduce((least, each) => Math.min(least, each), sizeBytes),
    GRAIN_BYTES,
  );
  const end = sources.reduce((most, range) => Math.max(most, rangeEnd(range)), at);
  return { at, length: Math.min(alignUp(end, GRAIN_BYTES), sizeBytes) - at };
}

/**
 * The file of the run folder that holds what the phase under way reads, sharing the blocks of the disk where the store can. It
 * counts while the checkpoint says so (`cloned`), and nobody writes to it meanwhile.
 */
export class CloneFile {
  private file: StoreFile | undefined;

  constructor(
    private readonly store: Store,
    private readonly path: string,
  ) {}

  /** Saves the sources of the phase; durable when it returns. What the store cannot share is copied. */
  async save(device: BlockDevice, phase: Phase): Promise<void> {
    const file = await this.open('create');
    const range = clonedRange(phase, device.sizeBytes);
    await file.resize(0);
    if ((await device.cloneInto?.(file, range)) !== true) {
      await file.resize(range.length);
      for (const source of phase.operations.map(sourceOf)) {
        if (source === undefined) continue;
        await copyBytes(device, source.at, file, source.at - range.at, source.length);
      }
    }
    await file.flush();
  }

  /** The saved sources, read by their places on the disk. Damaged (journal) when the file is not as long as it was made. */
  async sources(phase: Phase, sizeBytes: number): Promise<Pick<BlockDevice, 'readInto'>> {
    const { at, length } = clonedRange(phase, sizeBytes);
    const file = await this.open('write');
    if (file.sizeBytes === length) {
      return { readInto: (offset, target, signal) => file.readInto(offset - at, target, signal) };
    }
    throw damaged('journal', 'a file of the run journal was cut off', {
      path: this.path,
      expected: length,
      actual: file.sizeBytes,
    });
  }

  /** Gives the blocks back: its phase is over, and the checkpoint says so. */
  async release(): Promise<void> {
    await this.file?.resize(0);
  }

  async close(): Promise<void> {
    await this.file?.close();
    this.file = undefined;
  }

  private async open(mode: 'create' | 'write'): Promise<StoreFile> {
    if (this.file !== undefined) return this.file;
    const isThere = mode === 'write' || (await this.store.stat(this.path)) !== undefined;
    this.file = await this.store.open(this.path, isThere ? 'write' : 'create');
    return this.file;
  }
}
