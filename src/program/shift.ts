import type { ByteRange } from '../core/range.js';
import type { Shift } from '../device/types.js';
import type { PlannedMove } from '../plan/types.js';
import type { Phase } from './types.js';

/** Place and name of a move: bytes of the disk. */
export interface MovePlace extends Shift {
  readonly why: string;
}

export function whereOf(move: PlannedMove, sectorSize: number): MovePlace {
  return {
    why: `move partition ${move.number}`,
    from: move.fromLba * sectorSize,
    to: move.toLba * sectorSize,
    length: move.sectorCount * sectorSize,
  };
}

/** One phase, one operation: the runner follows it by a record of its own. */
export function shiftPhase({ why, from, to, length }: MovePlace): Phase {
  return { stage: 'change', why, operations: [{ op: 'shift', from, to, length }] };
}

/** What a shift leaves behind: the part of the old place that the new one does not cover. */
export function vacatedBy({ from, to, length }: Shift): ByteRange {
  return { at: to + length, length: from - to };
}
