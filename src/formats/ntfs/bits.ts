/**
 * Bits of a byte array, least significant first, as NTFS numbers them. Indexes are bits of the array: callers
 * read in chunks, so they stay below 2^31.
 */

/** Bits set in each byte value. */
const SET_IN_BYTE = Uint8Array.from({ length: 256 }, (_, byte) => {
  let count = 0;
  for (let rest = byte; rest > 0; rest >>= 1) count += rest & 1;
  return count;
});

/** True when the bit is set; false behind the end. */
export function bitAt(bytes: Uint8Array, bit: number): boolean {
  return (((bytes[bit >>> 3] ?? 0) >>> (bit & 7)) & 1) === 1;
}

/** Number of set bits among the first `count`. */
export function countSet(bytes: Uint8Array, count: number): number {
  const whole = count >>> 3;
  let set = 0;
  for (let index = 0; index < whole; index++) set += SET_IN_BYTE[bytes[index] ?? 0] ?? 0;
  const tail = (bytes[whole] ?? 0) & ((1 << (count & 7)) - 1);
  return set + (SET_IN_BYTE[tail] ?? 0);
}

/** True when all of [from, from + count) are set. */
export function allSet(bytes: Uint8Array, from: number, count: number): boolean {
  return nextClear(bytes, from, from + count) === from + count;
}

/** Calls back for each longest stretch of set bits inside [from, end). */
export function forEachSetRun(
  bytes: Uint8Array,
  from: number,
  end: number,
  found: (bit: number, count: number) => void,
): void {
  let at = nextSet(bytes, from, end);
  while (at < end) {
    const stop = nextClear(bytes, at, end);
    found(at, stop - at);
    at = nextSet(bytes, stop, end);
  }
}

/** First set bit in [from, end), or end. */
function nextSet(bytes: Uint8Array, from: number, end: number): number {
  return nextOther(bytes, from, end, 0x00);
}

/** First clear bit in [from, end), or end. */
function nextClear(bytes: Uint8Array, from: number, end: number): number {
  return nextOther(bytes, from, end, 0xff);
}

/** First bit that differs from the bits of `uniform` (all zeros or all ones); whole bytes are skipped at once. */
function nextOther(bytes: Uint8Array, from: number, end: number, uniform: 0x00 | 0xff): number {
  let at = from;
  while (at < end) {
    const rest = ((bytes[at >>> 3] ?? 0) ^ uniform) >>> (at & 7);
    if (rest !== 0) return Math.min(end, at + 31 - Math.clz32(rest & -rest));
    at = (at | 7) + 1;
    while (at + 8 <= end && bytes[at >>> 3] === uniform) at += 8;
  }
  return end;
}
