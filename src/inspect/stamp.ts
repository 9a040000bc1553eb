import { crc32 } from '../codec/checksum.js';
import { KIB, MIB } from '../core/units.js';
import type { Reader } from '../device/types.js';
import { probeFilesystem } from './registry.js';

/** The superblock of ext, boot sectors, the header of swap: nothing in it is ever free, or cleared with a page file. */
const HEAD_BYTES = 4 * KIB;

/** The map of what is used is asked for in stretches of this length: in crumbs it is thousands of ranges. */
const STRETCH_BYTES = 32 * MIB;

/**
 * A checksum over the beginning of a volume and over the list of what it uses: a guest that was started from it alters one of both,
 * as good as always. Contents that change where they are do not show.
 */
export async function stampOfVolume(volume: Reader, signal?: AbortSignal): Promise<number> {
  let crc = crc32(await volume.readAt(0, Math.min(HEAD_BYTES, volume.sizeBytes), signal));
  const found = await probeFilesystem(volume);
  if (found?.facts.move.copies !== 'used') return crc;
  const used = await found.format.usedMap?.(volume);
  for (let at = 0; used !== undefined && at < volume.sizeBytes; at += STRETCH_BYTES) {
    signal?.throwIfAborted();
    const ranges = await used.ranges(at, Math.min(STRETCH_BYTES, volume.sizeBytes - at));
    const numbers = new Float64Array(2 * ranges.length);
    for (const [index, range] of ranges.entries()) numbers.set([range.at, range.length], 2 * index);
    crc = crc32(new Uint8Array(numbers.buffer), crc);
  }
  return crc;
}
