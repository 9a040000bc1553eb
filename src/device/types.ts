import type { ByteRange } from '../core/range.js';

/** What a device can do beyond reading. Wrappers pass on or restrict what lies below them. */
export interface DeviceCapabilities {
  readonly writable: boolean;
  /** flush() returns only when the bytes would survive a power cut. */
  readonly durableFlush: boolean;
  /** discard() gives the blocks back to the store instead of writing zeros. */
  readonly discard: boolean;
  readonly resizable: boolean;
  /** dataRanges() knows holes. */
  readonly dataRanges: boolean;
  /** copyRange() works without moving the bytes through this process. */
  readonly rangeCopy: boolean;
  /** Bytes from which on a copyRange is better than reading and writing; absent: it is for large copies. */
  readonly smallestCopy?: number;
  /** Journaled moves should not use longer windows: what is on its way needs memory too. Absent: as the planner likes. */
  readonly windowBytes?: number;
  /** `shifter` can be used for ranges that are multiples of this; absent: it cannot. Bytes. */
  readonly shiftBlockBytes?: number;
  /** cloneInto() lets another file share blocks; absent: it copies. */
  readonly sharesBlocks?: boolean;
}

/** A stretch of a device that moves to the left by less than its own length. Bytes. */
export interface Shift {
  readonly from: number;
  readonly to: number;
  readonly length: number;
}

/** Where the blocks of a file are: what tells later how far a shift has come. Bytes. */
export interface ShiftMap {
  readonly sizeBytes: number;
  /** Sorted: place in the file, place on the medium, length. */
  readonly extents: readonly (readonly [number, number, number])[];
}

/**
 * Moves a stretch to the left without copying it: the file system takes the range in front of it out of the file, and puts
 * a hole in behind it. What was in front is lost, what is behind stays where it is. Neither call is atomic in a power cut,
 * so the map of the file has to be durable, elsewhere, before the first is made.
 */
export interface Shifter {
  /**
   * Gives back what is in front of the stretch and returns the map of the file; nothing else has changed. Undefined where
   * the file is not one whose shift could be followed by its map.
   */
  prepare(shift: Shift): Promise<ShiftMap | undefined>;
  /**
   * Brings the shift to its end, durably, from wherever an earlier attempt left it. False: the file system refuses it, and
   * nothing has changed. Conflict (shift-state) when the file is in no state that a shift passes through.
   */
  carryOut(shift: Shift, map: ShiftMap): Promise<boolean>;
}

/** What a decoder needs: the size and the bytes. Every BlockDevice is one. */
export interface Reader {
  readonly label: string;
  readonly sizeBytes: number;
  /** All the bytes or an error: a short read never happens. */
  readAt(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array>;
  /** The same into a buffer of the caller's, where a reader can: nothing is left behind. */
  readInto?(offset: number, target: Uint8Array, signal?: AbortSignal): Promise<void>;
}

/**
 * A disk, a part of one, or something that behaves like one. Offsets and lengths are bytes, any alignment.
 * Every method takes all bytes or throws: a range outside [0, sizeBytes) is Internal (code out-of-bounds),
 * a failure of the store is Device.
 */
export interface BlockDevice extends Reader {
  readonly capabilities: DeviceCapabilities;
  /** Fills the whole target. The mover's way: no garbage, bounded memory. */
  readInto(offset: number, target: Uint8Array, signal?: AbortSignal): Promise<void>;
  writeAt(offset: number, bytes: Uint8Array): Promise<void>;
  /**
   * Makes the range read as zeros: punched where the store can, else written, but never where it already
   * reads as zeros, so that a thin disk does not grow.
   */
  discard(offset: number, length: number): Promise<void>;
  /**
   * The parts of [offset, offset + length) that may hold something else than zeros, sorted. Without the
   * capability: the whole range.
   */
  dataRanges(offset: number, length: number): Promise<ByteRange[]>;
  /** Copies inside the device; the ranges must not overlap. */
  copyRange(from: number, to: number, length: number): Promise<void>;
  /**
   * Makes the target, an empty file of the same store, as long as the range, and lets it share the blocks that hold the range:
   * instantly, and without room of its own until either is changed. Start and end of the range are multiples of 64 KiB, but for
   * the end of the device. Not durable before the target is flushed. False: it cannot be done with these two files.
   */
  cloneInto?(target: BlockDevice, range: ByteRange): Promise<boolean>;
  /** There when the device can be changed and its store can shift, whether or not a new shift could begin as it is now. */
  readonly shifter?: Shifter | undefined;
  /** New bytes read as zeros. */
  resize(sizeBytes: number): Promise<void>;
  /** Durable, or throws. */
  flush(): Promise<void>;
  close(): Promise<void>;
}
