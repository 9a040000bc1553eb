import { type ByteRange, rangeEnd } from '../core/range.js';
import { KIB } from '../core/units.js';
import { type Segment, SegmentKind } from './segment-chunk.js';

/** Bytes between two pieces of the device below that are read along: less than what one more read costs. */
const GAP_BYTES = 64 * KIB;

/** Bytes to read from an offset of the device below. */
interface BaseRead extends ByteRange {
  readonly source: number;
}

/** What to read for a range of an overlay: in this order, since what is read along from below is covered by the rest. */
export interface ReadGroups {
  readonly fromBase: readonly BaseRead[];
  readonly zeros: readonly ByteRange[];
  /** Patches whose bytes follow each other where patches are kept. */
  readonly patches: readonly (readonly Segment[])[];
}

/**
 * Joins what can be read together: a file table in which every second record is patched is one read of the device below and
 * one of the patches, and not hundreds. The pieces are sorted, and leave no gap.
 */
export function groupPieces(pieces: readonly Segment[]): ReadGroups {
  const fromBase: BaseRead[] = [];
  const zeros: ByteRange[] = [];
  const patches: Segment[][] = [];
  for (const piece of pieces) {
    if (piece.kind === SegmentKind.zero) zeros.push(piece);
    else if (piece.kind === SegmentKind.base) addBase(fromBase, piece);
    else addPatch(patches, piece);
  }
  return { fromBase, zeros, patches };
}

function addBase(reads: BaseRead[], { at, length, source }: Segment): void {
  const last = reads.at(-1);
  const joins =
    last !== undefined && at - rangeEnd(last) <= GAP_BYTES && source - at === last.source - last.at;
  if (joins) reads[reads.length - 1] = { ...last, length: at + length - last.at };
  else reads.push({ at, length, source });
}

function addPatch(groups: Segment[][], piece: Segment): void {
  const group = groups.at(-1);
  const last = group?.at(-1);
  if (group !== undefined && last !== undefined && last.source + last.length === piece.source)
    group.push(piece);
  else groups.push([piece]);
}
