import { KIB } from '../core/units.js';
import type { Reader } from '../device/types.js';
import { PROBE_BYTES } from '../formats/types.js';

/** Reaches back to where md 0.90 is found: two steps of 64 KiB before the end, at the most. */
const TAIL_BYTES = 128 * KIB;

/** A volume whose first and last bytes are in memory. */
export interface EdgeCache extends Reader {
  /** What probes see. */
  readonly head: Uint8Array;
}

interface Edge {
  readonly at: number;
  readonly bytes: Uint8Array;
}

/** Two dozen probes look at the same few bytes: over a network each look would be a round trip. */
export async function cacheEdges(volume: Reader): Promise<EdgeCache> {
  const head: Edge = { at: 0, bytes: await volume.readAt(0, Math.min(PROBE_BYTES, volume.sizeBytes)) };
  const tailAt = Math.max(0, volume.sizeBytes - TAIL_BYTES);
  const tail: Edge = { at: tailAt, bytes: await volume.readAt(tailAt, volume.sizeBytes - tailAt) };
  return {
    label: volume.label,
    sizeBytes: volume.sizeBytes,
    head: head.bytes,
    async readAt(offset, length, signal) {
      for (const { at, bytes } of [head, tail]) {
        // A copy: callers own what they get.
        if (offset >= at && offset + length <= at + bytes.length) {
          return Uint8Array.from(bytes.subarray(offset - at, offset - at + length));
        }
      }
      return volume.readAt(offset, length, signal);
    },
  };
}
