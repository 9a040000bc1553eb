import { deviceError } from '../core/errors.js';
import type { StoreFile } from './store.js';

/** The bytes of a file that was opened for this, and closes it. Device (file-too-large) above `maxBytes`. */
export async function readWhole(file: StoreFile, path: string, maxBytes: number): Promise<Uint8Array> {
  try {
    if (file.sizeBytes <= maxBytes) return await file.readAt(0, file.sizeBytes);
    throw deviceError('file-too-large', `${path} is too large to be what it should be`, {
      path,
      expected: `at most ${maxBytes} bytes`,
      actual: file.sizeBytes,
    });
  } finally {
    await file.close();
  }
}
