import type { ByteRange } from '../core/range.js';
import { KIB } from '../core/units.js';
import { type Segment, SegmentKind, segmentEnd } from './segment-chunk.js';

/** Bytes between two pieces of the device below that are read along: less than what one more read costs. */
const GAP_BYTES = 64 * KIB;

/** What to read for a range of an overlay: in this order, since what is read along from below is covered by the rest. */
export interface ReadGroups {
  /** `source` is an offset of the device below. */
  readonly fromBase: readonly { readonly at: number; readonly length: number; readonly source: number }[];
  readonly zeros: readonly ByteRange[];
  /** Patches whose bytes follow each other where patches are kept. */
  readonly patches: readonly (readonly Segment[])[];
}

/**
 * Joins what can be read together: a file table in which every second record is patched is one read of the device below and
 * one of the patches, and not hundreds. The pieces are sorted, and leave no gap.
 */
export function groupPieces(pieces: readonly Segment[]): ReadGroups {
  const fromBase: { at: number; length: number; source: number }[] = [];
  const zeros: ByteRange[] = [];
  const patches: Segment[][] = [];
  for (const piece of pieces) {
    if (piece.kind === SegmentKind.zero) zeros.push(piece);
    else if (piece.kind === SegmentKind.base) addBase(fromBase, piece);
    else addPatch(patches, piece);
  }
  return { fromBase, zeros, patches };
}

function addBase(groups: { at: number; length: number; source: number }[], piece: Segment): void {
  const last = groups.at(-1);
  const gap = last === undefined ? Number.POSITIVE_INFINITY : piece.at - (last.at + last.length);
  if (last !== undefined && gap <= GAP_BYTES && piece.source - piece.at === last.source - last.at) {
    last.length = segmentEnd(piece) - last.at;
  } else {
    groups.push({ at: piece.at, length: piece.length, source: piece.source });
  }
}

function addPatch(groups: Segment[][], piece: Segment): void {
  const group = groups.at(-1);
  const last = group?.at(-1);
  if (group !== undefined && last !== undefined && last.source + last.length === piece.source)
    group.push(piece);
  else groups.push([piece]);
}
