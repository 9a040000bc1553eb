import { type ByteRange, rangeEnd } from '../core/range.js';
import { alignDown, KIB, MIB } from '../core/units.js';
import type { BlockDevice } from '../device/types.js';
import { isZero } from '../device/zeros.js';

/** Bytes of one access: enough to keep a disk busy, with two of them under way or being looked at. */
const BATCH_BYTES = MIB;
/** Stretches with no more than this between them are read by one access. */
const READ_GAP_BYTES = 64 * KIB;
/** What is looked at as one: a smaller unit would make many short stretches, a larger one clear more than needed. */
const WINDOW_BYTES = 64 * KIB;

/** Stretches that one access reads, with the bytes between them. */
interface Batch {
  readonly at: number;
  readonly length: number;
  readonly parts: readonly ByteRange[];
}

/**
 * The windows of the stretches that hold something else than zeros, cut to them and joined. Every byte is read once;
 * the next batch is read while one is looked at. `onRead` is told how many bytes were looked at.
 */
export async function* nonZeroIn(
  device: Pick<BlockDevice, 'readInto'>,
  stretches: AsyncIterable<ByteRange>,
  onRead: (bytes: number) => void,
  signal?: AbortSignal,
): AsyncGenerator<ByteRange> {
  const joiner = new Joiner();
  for await (const { batch, bytes } of readAhead(device, batches(stretches), signal)) {
    for (const part of batch.parts) {
      onRead(part.length);
      for (const window of windowsOf(part)) {
        const from = window.at - batch.at;
        if (isZero(bytes.subarray(from, from + window.length))) continue;
        const done = joiner.add(window);
        if (done !== undefined) yield done;
      }
    }
  }
  const last = joiner.finish();
  if (last !== undefined) yield last;
}

/** Joins stretches that follow each other. */
class Joiner {
  private open: { at: number; length: number } | undefined;

  /** The stretch that is complete because this one does not continue it. */
  add({ at, length }: ByteRange): ByteRange | undefined {
    if (this.open !== undefined && rangeEnd(this.open) === at) {
      this.open.length += length;
      return undefined;
    }
    const done = this.open;
    this.open = { at, length };
    return done;
  }

  finish(): ByteRange | undefined {
    return this.open;
  }
}

function* windowsOf({ at, length }: ByteRange): Generator<ByteRange> {
  const end = at + length;
  for (let from = at; from < end; ) {
    const to = Math.min(end, alignDown(from, WINDOW_BYTES) + WINDOW_BYTES);
    yield { at: from, length: to - from };
    from = to;
  }
}

/** Packs stretches into accesses. Batches end on multiples of a window, so that windows stay whole. */
async function* batches(stretches: AsyncIterable<ByteRange>): AsyncGenerator<Batch> {
  let parts: ByteRange[] = [];
  let start = 0;
  let end = 0;
  let limit = 0;
  const take = (): Batch => {
    const batch = { at: start, length: end - start, parts };
    parts = [];
    return batch;
  };
  for await (const stretch of stretches) {
    for (let at = stretch.at; at < rangeEnd(stretch); ) {
      const isFar = at < end || at - end > READ_GAP_BYTES || at >= limit;
      if (parts.length > 0 && isFar) yield take();
      if (parts.length === 0) {
        start = at;
        limit = alignDown(at, WINDOW_BYTES) + BATCH_BYTES;
      }
      end = Math.min(rangeEnd(stretch), limit);
      parts.push({ at, length: end - at });
      at = end;
    }
  }
  if (parts.length > 0) yield take();
}

/** Reads a batch while the one before is in use; two buffers take turns. */
async function* readAhead(
  device: Pick<BlockDevice, 'readInto'>,
  source: AsyncGenerator<Batch>,
  signal?: AbortSignal,
): AsyncGenerator<{ batch: Batch; bytes: Uint8Array }> {
  const buffers = [new Uint8Array(BATCH_BYTES), new Uint8Array(BATCH_BYTES)] as const;
  let turn = 0;
  const readNext = async (): Promise<{ batch: Batch; bytes: Uint8Array } | undefined> => {
    const next = await source.next();
    if (next.done === true) return undefined;
    const bytes = buffers[turn++ % 2 === 0 ? 0 : 1].subarray(0, next.value.length);
    await device.readInto(next.value.at, bytes, signal);
    return { batch: next.value, bytes };
  };
  const read = () => {
    const reading = readNext();
    // It may fail while nobody waits for it yet.
    reading.catch(() => undefined);
    return reading;
  };
  let coming = read();
  try {
    for (;;) {
      const loaded = await coming;
      if (loaded === undefined) return;
      coming = read();
      yield loaded;
    }
  } finally {
    // Whoever stops early does not care for its failure, but waits for its end.
    await coming.catch(() => undefined);
  }
}
