import { KIB } from '../../../core/units.js';
import type { AttributeStream } from '../stream.js';
import type { PlacedRun } from './encode-pairs.js';
import type { Geometry } from './geometry.js';
import type { Moves } from './relocation.js';

/** Bytes of $Bitmap worked on at a time. */
const CHUNK_BYTES = 256 * KIB;
/** Bytes compared and written together. */
const PAGE_BYTES = 4 * KIB;

/** What changes in the map of used clusters. */
export interface BitmapChange {
  readonly old: AttributeStream;
  readonly oldClusterCount: number;
  readonly geometry: Geometry;
  /** Targets become used, sources free. */
  readonly moves: Moves;
  /** Clusters that $Bitmap itself gives up or takes. */
  readonly freed: readonly PlacedRun[];
  readonly taken: readonly PlacedRun[];
  /** Bytes of $Bitmap from here on were zeroed before; between the old content and here lies anything. */
  readonly zeroedFrom: number;
}

export interface BitmapPage {
  /** Byte offset in $Bitmap. */
  readonly at: number;
  readonly bytes: Uint8Array;
}

/**
 * The pages of the new $Bitmap that differ from what its clusters hold. Bits behind the last cluster are 1, as
 * Windows and mkntfs leave them.
 */
export async function* changedPages(change: BitmapChange, signal?: AbortSignal): AsyncGenerator<BitmapPage> {
  const { old, geometry } = change;
  const { bitmapBytes } = geometry;
  for (let at = 0; at < bitmapBytes; at += CHUNK_BYTES) {
    const length = Math.min(CHUNK_BYTES, bitmapBytes - at);
    const before = new Uint8Array(length);
    const known = Math.max(0, Math.min(length, old.initializedBytes - at));
    if (known > 0) before.set(await old.readAt(at, known, signal));
    const after = before.slice();
    applyChange(after, at * 8, change);
    for (let page = 0; page < length; page += PAGE_BYTES) {
      const bytes = after.subarray(page, page + PAGE_BYTES);
      const isUnknown = at + page + bytes.length > old.initializedBytes && at + page < change.zeroedFrom;
      if (isUnknown || !isSame(bytes, before.subarray(page, page + PAGE_BYTES)))
        yield { at: at + page, bytes };
    }
  }
}

function applyChange(bits: Uint8Array, base: number, change: BitmapChange): void {
  const { geometry, moves, oldClusterCount } = change;
  const end = base + bits.length * 8;
  fillBits(bits, base, oldClusterCount, end, false);
  for (const { lcn, length } of change.freed) fillBits(bits, base, lcn, lcn + length, false);
  for (let index = 0; index < moves.count; index++) {
    const { from, to, length } = moves.at(index);
    fillBits(bits, base, from, from + length, false);
    fillBits(bits, base, to, to + length, true);
  }
  for (const { lcn, length } of change.taken) fillBits(bits, base, lcn, lcn + length, true);
  fillBits(bits, base, geometry.clusterCount, end, true);
}

/** Sets or clears the bits of clusters [from, end) that lie in the chunk whose first bit is cluster `base`. */
function fillBits(bits: Uint8Array, base: number, from: number, end: number, value: boolean): void {
  const stop = Math.min(end - base, bits.length * 8);
  for (let at = Math.max(0, from - base); at < stop; ) {
    const index = at >>> 3;
    if ((at & 7) === 0 && stop - at >= 8) {
      const wholeEnd = stop >>> 3;
      bits.fill(value ? 0xff : 0, index, wholeEnd);
      at = wholeEnd * 8;
      continue;
    }
    const bit = 1 << (at & 7);
    bits[index] = value ? (bits[index] ?? 0) | bit : (bits[index] ?? 0) & ~bit;
    at++;
  }
}

const isSame = (a: Uint8Array, b: Uint8Array): boolean => a.every((byte, index) => byte === b[index]);
