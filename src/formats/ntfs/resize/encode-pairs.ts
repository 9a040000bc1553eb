import { HOLE } from '../mapping-pairs.js';

/** A run in order of VCN; HOLE (-1) as LCN has no clusters. Counts in clusters. */
export interface PlacedRun {
  readonly lcn: number;
  readonly length: number;
}

/**
 * Runs as mapping pairs, ended by a zero byte: signed little-endian in as few bytes as hold the sign, LCNs as the
 * distance from the previous run that has clusters. Source: the format as MappingPairs decodes it.
 */
export function encodeMappingPairs(runs: readonly PlacedRun[]): Uint8Array {
  const bytes: number[] = [];
  let previous = 0;
  for (const { lcn, length } of runs) {
    const headerAt = bytes.push(0) - 1;
    const lengthBytes = pushSigned(bytes, length);
    let lcnBytes = 0;
    if (lcn !== HOLE) {
      lcnBytes = pushSigned(bytes, lcn - previous);
      previous = lcn;
    }
    bytes[headerAt] = lengthBytes + lcnBytes * 16;
  }
  bytes.push(0);
  return Uint8Array.from(bytes);
}

/** Appends the value; returns the count of bytes. Exact for all integers that a number holds exactly. */
function pushSigned(bytes: number[], value: number): number {
  let rest = value;
  for (let count = 1; ; count++) {
    const low = ((rest % 256) + 256) % 256;
    bytes.push(low);
    rest = (rest - low) / 256;
    const isNegative = low >= 128;
    if ((rest === 0 && !isNegative) || (rest === -1 && isNegative)) return count;
  }
}

/** Bytes of a value as a mapping pair holds it: as few as hold its sign. */
export function signedBytes(value: number): number {
  let count = 1;
  for (let limit = 128; value >= limit || value < -limit; limit *= 256) count++;
  return count;
}
