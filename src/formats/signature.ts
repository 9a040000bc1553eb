/** True when `bytes` holds the signature at `at`; false when it ends before. */
export function hasBytes(bytes: Uint8Array, at: number, signature: ArrayLike<number>): boolean {
  if (at < 0 || at + signature.length > bytes.length) return false;
  for (let i = 0; i < signature.length; i++) {
    if (bytes[at + i] !== signature[i]) return false;
  }
  return true;
}

/** True when `bytes` holds the word (one byte a character) at `at`; false when it ends before. */
export function hasText(bytes: Uint8Array, at: number, word: string): boolean {
  return hasBytes(
    bytes,
    at,
    Array.from(word, (character) => character.charCodeAt(0)),
  );
}
