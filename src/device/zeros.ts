import type { ByteRange } from '../core/range.js';

const WORD = Uint32Array.BYTES_PER_ELEMENT;

/** True when every byte is 0. Compares words where the alignment allows: discards look at whole disks. */
export function isZero(bytes: Uint8Array): boolean {
  const head = Math.min((WORD - (bytes.byteOffset % WORD)) % WORD, bytes.length);
  const wordCount = Math.floor((bytes.length - head) / WORD);
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset + head, wordCount);
  for (let i = 0; i < head; i++) if (bytes[i] !== 0) return false;
  for (let i = 0; i < wordCount; i++) if (words[i] !== 0) return false;
  for (let i = head + wordCount * WORD; i < bytes.length; i++) if (bytes[i] !== 0) return false;
  return true;
}

/** The stretches of whole grains that hold something else than zeros; neighbours joined. Offsets in `bytes`. */
export function nonZeroRuns(bytes: Uint8Array, grain: number): ByteRange[] {
  const runs: { at: number; length: number }[] = [];
  for (let at = 0; at < bytes.length; at += grain) {
    const part = bytes.subarray(at, at + grain);
    if (isZero(part)) continue;
    const last = runs.at(-1);
    if (last !== undefined && last.at + last.length === at) last.length += part.length;
    else runs.push({ at, length: part.length });
  }
  return runs;
}
