import type { ByteRange } from '../core/range.js';
import type { Reader } from '../device/types.js';
import type { MetadataWrite } from './types.js';

/** Bytes that replace as many others in a file. */
export interface FilePatch {
  /** Offset in the file. */
  readonly at: number;
  readonly bytes: Uint8Array;
}

/** One file of a volume: its content, and where that is stored. */
export interface VolumeFile extends Reader {
  /**
   * The bytes of the volume that hold [at, at + length) of the file, in order. Throws Unsupported for what is
   * stored otherwise (compressed, encrypted, inside an inode), Refused for what has no place (a hole).
   */
  places(at: number, length: number): ByteRange[];
  /**
   * Writes that patch the file in place, at offsets of the volume. The patches must lie inside the file and not
   * overlap. Throws like `places`.
   */
  patch(patches: readonly FilePatch[], why: string): MetadataWrite[];
}

/** Finds files of one volume by their path. */
export interface FileFinder {
  /**
   * The file at a path from the root directory, or undefined when a part of the path is missing or a directory
   * is something else. Links and reparse points are not followed: Unsupported.
   */
  find(path: readonly string[]): Promise<VolumeFile | undefined>;
  /** Names of the folders in the root directory; absent for file systems that no Windows starts from. */
  folders?(): Promise<readonly string[]>;
}

/** Writes for patches of a file whose bytes are stored as they are. */
export function patchPlaces(
  file: Pick<VolumeFile, 'places'>,
  patches: readonly FilePatch[],
  why: string,
): MetadataWrite[] {
  return patches.flatMap(({ at, bytes }) => {
    let done = 0;
    return file.places(at, bytes.length).map((place) => {
      const part = bytes.slice(done, done + place.length);
      done += place.length;
      return { at: place.at, bytes: part, why };
    });
  });
}
