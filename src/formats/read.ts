import { damaged } from '../core/errors.js';
import type { Reader } from '../device/types.js';

/**
 * Reads [at, at + length) of a volume; Damaged when it lies outside. For positions that came from the disk:
 * the device itself calls an outside range Internal, because a caller should have checked.
 */
export async function readInside(
  volume: Reader,
  at: number,
  length: number,
  what: string,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  if (!isInside(volume, at, length)) {
    throw damaged('truncated', `${what} lies outside its volume`, {
      offset: at,
      expected: `at most ${volume.sizeBytes}`,
      actual: at + length,
    });
  }
  return volume.readAt(at, length, signal);
}

/** Like readInside, but undefined for what lies outside: for probes, which never throw for strange bytes. */
export async function tryRead(volume: Reader, at: number, length: number): Promise<Uint8Array | undefined> {
  return isInside(volume, at, length) ? volume.readAt(at, length) : undefined;
}

function isInside(volume: Reader, at: number, length: number): boolean {
  return at >= 0 && length >= 0 && at + length <= volume.sizeBytes;
}
