import type { FieldType } from './layout.js';

const utf8 = new TextDecoder();
const utf16 = new TextDecoder('utf-16le');
const encoder = new TextEncoder();

/** Text up to the first NUL. Bytes that are no UTF-8 become replacement characters. */
export function decodeUtf8(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return utf8.decode(end < 0 ? bytes : bytes.subarray(0, end));
}

/** UTF-16, little-endian, exactly as long as the bytes. */
export function decodeUtf16(bytes: Uint8Array): string {
  return utf16.decode(bytes);
}

/** A name of at most `size` bytes in UTF-8, ended by NUL or by the end of the field. */
export const utf8Text = (size: number): FieldType<string> => ({
  size,
  read: (view, at) => decodeUtf8(new Uint8Array(view.buffer, view.byteOffset + at, size)),
  write: (view, at, value) => {
    const target = new Uint8Array(view.buffer, view.byteOffset + at, size).fill(0);
    encoder.encodeInto(value, target);
  },
});
