import { type FileHandle, open } from 'node:fs/promises';
import { internalError } from '../../src/core/errors.js';
import type { Reader } from '../../src/device/types.js';

function requireInside(sizeBytes: number, offset: number, length: number): void {
  if (offset >= 0 && length >= 0 && offset + length <= sizeBytes) return;
  throw internalError('out-of-bounds', `read of ${length} at ${offset} of ${sizeBytes}`);
}

/** Bytes in memory as a volume. */
export function bytesReader(bytes: Uint8Array): Reader {
  return {
    label: 'memory',
    sizeBytes: bytes.length,
    async readAt(offset, length) {
      requireInside(bytes.length, offset, length);
      return Uint8Array.from(bytes.subarray(offset, offset + length));
    },
  };
}

/** A volume over another one with some bytes changed: for damage in images too large to hold. */
export function patchedReader(volume: Reader, at: number, patch: Uint8Array): Reader {
  return {
    label: volume.label,
    sizeBytes: volume.sizeBytes,
    async readAt(offset, length) {
      const bytes = await volume.readAt(offset, length);
      for (let i = 0; i < patch.length; i++) {
        const place = at + i - offset;
        if (place >= 0 && place < length) bytes[place] = patch[i] ?? 0;
      }
      return bytes;
    },
  };
}

/** The first `sizeBytes` of a volume. */
export function truncatedReader(volume: Reader, sizeBytes: number): Reader {
  return {
    label: volume.label,
    sizeBytes,
    async readAt(offset, length) {
      requireInside(sizeBytes, offset, length);
      return volume.readAt(offset, length);
    },
  };
}

/** A file as a volume; hand it to `body` and close it afterwards. */
export async function withFile<T>(path: string, body: (volume: Reader) => Promise<T>): Promise<T> {
  const handle: FileHandle = await open(path, 'r');
  try {
    const { size } = await handle.stat();
    return await body({
      label: path,
      sizeBytes: size,
      async readAt(offset, length) {
        requireInside(size, offset, length);
        const bytes = new Uint8Array(length);
        let done = 0;
        while (done < length) {
          const { bytesRead } = await handle.read(bytes, done, length - done, offset + done);
          if (bytesRead === 0) throw new Error(`${path} ended early`);
          done += bytesRead;
        }
        return bytes;
      },
    });
  } finally {
    await handle.close();
  }
}
