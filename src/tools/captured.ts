import type { ByteRange } from '../core/range.js';
import { KIB, MIB } from '../core/units.js';
import type { Overlay } from '../device/overlay.js';
import type { BlockDevice } from '../device/types.js';
import { isZero } from '../device/zeros.js';
import type { MetadataWrite, VolumeStep } from '../formats/types.js';

/** What is compared, and written or left out: the block of most file systems. */
const GRAIN_BYTES = 4 * KIB;
/** Read at once. */
const PIECE_BYTES = 256 * KIB;
/** Zeros are discarded from this length on; shorter ones are not worth a hole. */
const DISCARD_BYTES = 64 * KIB;
/** Looked at in stretches, so that the list of changes stays short whatever the size. */
const STRETCH_BYTES = 64 * MIB;
/** Bounds of a step: what the journal holds in memory at once. */
const STEP_BYTES = MIB / 2;
const STEP_RANGES = 2048;

/**
 * What outside programs wrote to an overlay, as steps that can be repeated: the bytes themselves, nothing is read from the
 * device any more. Left out: what is written as it was, and what lies outside `range`. `below` is the device under the
 * overlay; offsets are theirs.
 */
export async function* capturedSteps(
  overlay: Overlay,
  below: BlockDevice,
  range: ByteRange,
  why: string,
  signal?: AbortSignal,
): AsyncGenerator<VolumeStep> {
  const step = new Step(why);
  for (const stretch of stretches(range)) {
    for (const change of overlay.changes(stretch.at, stretch.length)) {
      for (let done = 0; done < change.length; done += PIECE_BYTES) {
        signal?.throwIfAborted();
        const piece = { at: change.at + done, length: Math.min(PIECE_BYTES, change.length - done) };
        const bytes = await overlay.readAt(piece.at, piece.length);
        step.add(piece.at, bytes, await unchangedGrains(below, piece, bytes));
        if (step.isFull) yield step.take();
      }
    }
  }
  if (!step.isEmpty) yield step.take();
}

/** Segments, 25 bytes each, that an overlay may have while programs write to it. */
export const MAX_CAPTURED_SEGMENTS = 600_000;
/** Bytes in the journal are base64 in JSON. */
const JOURNAL_GROWTH = 1.4;

/** Room that the journal needs for so many captured bytes. */
export const journalBytesFor = (bytes: number): number => Math.ceil(bytes * JOURNAL_GROWTH);

/** Bytes that were changed, an upper bound: rewritten ones count. */
export function changedBytes(overlay: Overlay, range: ByteRange): number {
  let sum = 0;
  for (const { at, length } of stretches(range)) {
    for (const change of overlay.changes(at, length)) sum += change.length;
  }
  return sum;
}

function* stretches(range: ByteRange): Generator<ByteRange> {
  for (let done = 0; done < range.length; done += STRETCH_BYTES) {
    yield { at: range.at + done, length: Math.min(STRETCH_BYTES, range.length - done) };
  }
}

/** Which grains of a piece are below already. Behind its end nothing is: the room may hold anything. */
async function unchangedGrains(
  below: BlockDevice,
  { at, length }: ByteRange,
  bytes: Uint8Array,
): Promise<(from: number, to: number) => boolean> {
  const known = Math.max(0, Math.min(length, below.sizeBytes - at));
  const before = known === 0 ? new Uint8Array(0) : await below.readAt(at, known);
  return (from, to) =>
    to <= known && Buffer.compare(bytes.subarray(from, to), before.subarray(from, to)) === 0;
}

/** Collects one step. */
class Step {
  private writes: MetadataWrite[] = [];
  private discards: ByteRange[] = [];
  private bytes = 0;

  constructor(private readonly why: string) {}

  get isFull(): boolean {
    return this.bytes >= STEP_BYTES || this.writes.length + this.discards.length >= STEP_RANGES;
  }

  get isEmpty(): boolean {
    return this.writes.length + this.discards.length === 0;
  }

  take(): VolumeStep {
    const { why, writes, discards } = this;
    this.writes = [];
    this.discards = [];
    this.bytes = 0;
    return { stage: 'change', why, copies: [], writes, discards };
  }

  add(at: number, bytes: Uint8Array, isUnchanged: (from: number, to: number) => boolean): void {
    let from = 0;
    for (let to = 0; to < bytes.length; ) {
      const end = Math.min(to + GRAIN_BYTES, bytes.length);
      if (isUnchanged(to, end)) {
        this.push(at + from, bytes.subarray(from, to));
        from = end;
      }
      to = end;
    }
    this.push(at + from, bytes.subarray(from));
  }

  private push(at: number, bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    if (bytes.length >= DISCARD_BYTES && isZero(bytes)) {
      this.discards.push({ at, length: bytes.length });
      return;
    }
    this.writes.push({ at, bytes, why: this.why });
    this.bytes += bytes.length;
  }
}
