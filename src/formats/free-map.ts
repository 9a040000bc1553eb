import { complement } from '../core/range.js';
import type { FreeMap, UsedMap } from './types.js';

/**
 * What an exact used map leaves of [0, endBytes) of the volume. `endBytes` is where the file system ends: what lies
 * behind it belongs to nobody, and is not free.
 */
export function freeMapOf(used: UsedMap, endBytes: number): FreeMap {
  return {
    async ranges(at, length) {
      const inside = { at, length: Math.max(0, Math.min(length, endBytes - at)) };
      return complement(await used.ranges(at, inside.length), inside);
    },
  };
}
