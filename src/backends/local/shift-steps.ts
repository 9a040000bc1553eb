import { conflict } from '../../core/errors.js';
import type { Shift, ShiftMap } from '../../device/types.js';

/** What a shift needs next. Positions and lengths are bytes of the file; the distance is that of the shift. */
export type ShiftStep =
  | { readonly do: 'collapse' | 'insert'; readonly at: number; readonly length: number }
  | { readonly do: 'resize'; readonly to: number }
  | { readonly do: 'nothing' };

/** A run of blocks: where it was when the map was saved, and where it is. Bytes. */
interface Piece {
  readonly was: number;
  readonly is: number;
  readonly length: number;
}

/**
 * What to do next to a file in any state in which the calls of a shift, or a power cut inside them, can leave it. Both file
 * systems move extents one after the other, collapsing from the first on, inserting from the last: so behind the range
 * that goes there are always extents that are shifted, then a hole as long as the distance, then extents that are not. Collapsing
 * that hole finishes a collapse that was cut, and takes back an insert that was. `isUntouched`: nothing has moved yet. Conflict
 * (shift-state) where the blocks of the file are in another order, are fewer or more: somebody else has changed it.
 */
export function nextShiftStep(
  saved: ShiftMap,
  now: ShiftMap,
  { from, to, length }: Shift,
): { readonly step: ShiftStep; readonly isUntouched: boolean } {
  const distance = from - to;
  if (now.sizeBytes !== saved.sizeBytes && now.sizeBytes !== saved.sizeBytes - distance) {
    throw unknownState(now, 'it has another size');
  }
  const behind = movablePieces(piecesOf(cutAt(saved, from + length), now), from, distance, now);
  const border = behind.find(({ was, is }) => was === is);
  const isUntouched = behind.every(({ was, is }) => was === is) && now.sizeBytes === saved.sizeBytes;
  const step = (): ShiftStep => {
    const tail = behind.filter(({ was }) => was >= from + length);
    const isPlaced = behind.every(({ was, is }) => was >= from + length || is !== was);
    const isTailPlaced = tail.every(({ was, is }) => was === is);
    if (!isPlaced || (border !== undefined && !isTailPlaced)) {
      return { do: 'collapse', at: (border?.was ?? from) - distance, length: distance };
    }
    if (isTailPlaced) {
      return now.sizeBytes === saved.sizeBytes ? { do: 'nothing' } : { do: 'resize', to: saved.sizeBytes };
    }
    // Collapsed as a whole, but the new size was lost.
    if (now.sizeBytes !== saved.sizeBytes - distance) return { do: 'resize', to: saved.sizeBytes - distance };
    return { do: 'insert', at: to + length, length: distance };
  };
  return { step: step(), isUntouched };
}

/** Those behind the range that goes, in their order, each shifted or not; all before it must be where they were. */
function movablePieces(pieces: readonly Piece[], from: number, distance: number, now: ShiftMap): Piece[] {
  const behind = pieces.filter(({ was }) => was >= from);
  let isShifted = true;
  for (const { was, is } of pieces) {
    if (was < from) {
      if (was !== is) throw unknownState(now, `${was} is at ${is}`);
      continue;
    }
    if (was !== is && was - is !== distance) throw unknownState(now, `${was} is at ${is}`);
    if (was !== is && !isShifted) throw unknownState(now, `${was} is shifted and a block before it is not`);
    isShifted = was !== is;
  }
  return behind;
}

/** What moves and what comes back may be one extent. */
function cutAt({ sizeBytes, extents }: ShiftMap, border: number): ShiftMap {
  const cut = extents.flatMap(([at, medium, length]): (readonly [number, number, number])[] => {
    const head = border - at;
    if (head <= 0 || head >= length) return [[at, medium, length]];
    return [
      [at, medium, head],
      [border, medium + head, length - head],
    ];
  });
  return { sizeBytes, extents: cut };
}

/** Follows every block from the saved map to the present one by its place on the medium. */
function piecesOf(saved: ShiftMap, now: ShiftMap): Piece[] {
  const byMedium = (map: ShiftMap) => [...map.extents].sort((a, b) => a[1] - b[1]);
  const [before, after] = [byMedium(saved), byMedium(now)];
  const pieces: Piece[] = [];
  let index = 0;
  for (const [was, medium, length] of before) {
    for (let done = 0; done < length; ) {
      const found = after[index];
      const skip = found === undefined ? -1 : medium + done - found[1];
      if (found === undefined || skip < 0 || skip >= found[2]) {
        throw unknownState(now, `the block that was at ${was + done} is gone`);
      }
      const count = Math.min(length - done, found[2] - skip);
      pieces.push({ was: was + done, is: found[0] + skip, length: count });
      done += count;
      if (skip + count === found[2]) index++;
    }
  }
  if (total(saved) !== total(now)) throw unknownState(now, 'it has other blocks than before');
  return pieces.sort((a, b) => a.was - b.was);
}

const total = ({ extents }: ShiftMap): number => extents.reduce((sum, [, , length]) => sum + length, 0);

function unknownState({ sizeBytes }: ShiftMap, actual: string): Error {
  return conflict('shift-state', 'the blocks of the disk file are not where a shift would leave them', {
    expected: 'each at its old place or at its new one',
    actual: `${actual}, size ${sizeBytes}`,
    hint: 'nothing is done any more: the record "shift" in the run folder tells where each block was; keep both and report this',
  });
}
