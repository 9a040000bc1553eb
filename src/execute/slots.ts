import { crc32 } from '../codec/checksum.js';
import { internalError } from '../core/errors.js';
import { KIB, MIB } from '../core/units.js';
import type { StoreFile } from '../device/store.js';
import { decodeSlot, encodeSlot } from './record.js';
import type { Checkpoint, Counters } from './types.js';

/** A slot has a block of the file system to itself: tearing one write cannot reach the other slot. */
const SLOT_BYTES = 4 * KIB;

/** Bytes of a whole checkpoint file. */
export const CHECKPOINT_FILE_BYTES = 2 * SLOT_BYTES;

/** Bytes of a whole spill file for phases that spill at most `capacity` bytes. */
export const spillFileBytes = (capacity: number): number => (capacity > 0 ? 2 * (SLOT_BYTES + capacity) : 0);

/** Two alternating slots; the whole one with the higher sequence number counts. */
export class CheckpointFile {
  constructor(private readonly file: StoreFile) {}

  static async allocate(file: StoreFile): Promise<void> {
    await writeZeros(file, CHECKPOINT_FILE_BYTES);
    const first: Checkpoint = {
      sequence: 0,
      phase: 0,
      offset: 0,
      started: false,
      verified: false,
      ...NOTHING_DONE,
    };
    await file.writeAt(0, encodeSlot(first, SLOT_BYTES));
    await file.flush();
    await file.close();
  }

  /** The newest whole checkpoint; undefined when both slots are unreadable. */
  async read(): Promise<Checkpoint | undefined> {
    let newest: Checkpoint | undefined;
    for (const slot of [0, 1]) {
      const found = decodeSlot(await this.file.readAt(slot * SLOT_BYTES, SLOT_BYTES)) as
        | Checkpoint
        | undefined;
      if (found !== undefined && (newest === undefined || found.sequence > newest.sequence)) newest = found;
    }
    return newest;
  }

  /** Durable when it returns. */
  async write(checkpoint: Checkpoint): Promise<void> {
    await this.file.writeAt((checkpoint.sequence % 2) * SLOT_BYTES, encodeSlot(checkpoint, SLOT_BYTES));
    await this.file.flush();
  }

  close(): Promise<void> {
    return this.file.close();
  }
}

export const NOTHING_DONE: Counters = { bytesCopied: 0, bytesWritten: 0, bytesDiscarded: 0 };

/** The record before spilled bytes: it says how far the run was, like a checkpoint. */
export interface SpillRecord extends Counters {
  readonly phase: number;
  readonly offset: number;
  readonly length: number;
  readonly crc: number;
}

/**
 * Two alternating areas for the source bytes of phases that spill: while the targets of one phase are written, the
 * next one is saved in the other area. An area is only used again when its phase is flushed to the disk.
 */
export class SpillFile {
  constructor(
    private readonly file: StoreFile,
    private readonly capacity: number,
  ) {}

  /** Writes zeros rather than a hole: the room must be there before the run begins. */
  static async allocate(file: StoreFile, capacity: number): Promise<void> {
    await writeZeros(file, spillFileBytes(capacity));
    await file.flush();
    await file.close();
  }

  /** Saves the bytes; durable when it returns. */
  async save(record: Omit<SpillRecord, 'length' | 'crc'>, bytes: Uint8Array): Promise<void> {
    if (bytes.length > this.capacity) throw internalError('journal', 'a spill is larger than its area');
    const at = this.areaAt(record.phase);
    const whole: SpillRecord = { ...record, length: bytes.length, crc: crc32(bytes) };
    await this.file.writeAt(at + SLOT_BYTES, bytes);
    await this.file.writeAt(at, encodeSlot(whole, SLOT_BYTES));
    await this.file.flush();
  }

  /** The record of a phase, its bytes in `buffer`; undefined when its area holds another phase or is torn. */
  async load(phase: number, buffer: Uint8Array): Promise<SpillRecord | undefined> {
    const record = await this.recordIn(this.areaAt(phase));
    if (record?.phase !== phase || record.length > this.capacity) return undefined;
    const bytes = buffer.subarray(0, record.length);
    await this.file.readInto(this.areaAt(phase) + SLOT_BYTES, bytes);
    return crc32(bytes) === record.crc ? record : undefined;
  }

  /** The phases that the areas claim to hold, the later one first; their bytes may still be torn. */
  async phases(): Promise<number[]> {
    if (this.capacity === 0) return [];
    const records = [await this.recordIn(this.areaAt(0)), await this.recordIn(this.areaAt(1))];
    return records
      .filter((record) => record !== undefined)
      .map(({ phase }) => phase)
      .sort((a, b) => b - a);
  }

  private async recordIn(at: number): Promise<SpillRecord | undefined> {
    return decodeSlot(await this.file.readAt(at, SLOT_BYTES)) as SpillRecord | undefined;
  }

  close(): Promise<void> {
    return this.file.close();
  }

  private areaAt(phase: number): number {
    return (phase % 2) * (SLOT_BYTES + this.capacity);
  }
}

async function writeZeros(file: StoreFile, length: number): Promise<void> {
  await file.resize(length);
  const zeros = new Uint8Array(Math.min(length, MIB));
  for (let at = 0; at < length; at += zeros.length) {
    await file.writeAt(at, zeros.subarray(0, Math.min(zeros.length, length - at)));
  }
}
