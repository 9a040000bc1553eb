/** A small seeded generator (xorshift32): numbers in [0, 1), the same for the same seed. */
export function seededRandom(seed: number): () => number {
  // The state must not be 0, and neighbouring seeds should not start alike.
  let state = Math.imul(seed | 0, 0x9e3779b1) ^ 0x5bd1e995 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** Bytes for tests: never zero, so that a hole shows. */
export function randomBytes(length: number, seed: number): Uint8Array {
  const random = seededRandom(seed);
  return Uint8Array.from({ length }, () => 1 + Math.floor(random() * 255));
}
