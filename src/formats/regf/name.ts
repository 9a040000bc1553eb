import { decodeUtf16 } from '../../codec/text.js';

/** A name as the hive stores it: one byte a letter, or UTF-16. */
export function decodeName(bytes: Uint8Array, compressed: boolean): string {
  return compressed ? Array.from(bytes, (byte) => String.fromCharCode(byte)).join('') : decodeUtf16(bytes);
}
