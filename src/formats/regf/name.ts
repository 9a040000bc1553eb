import { toByteString } from '../../codec/lines.js';
import { decodeUtf16 } from '../../codec/text.js';

/** A name as the hive stores it: one byte a letter, or UTF-16. */
export function decodeName(bytes: Uint8Array, compressed: boolean): string {
  return compressed ? toByteString(bytes) : decodeUtf16(bytes);
}
