import type { Reason } from '../core/errors.js';
import type { VolumeMove } from './types.js';

/** What a boot sector must say about the sectors before its volume once the volume has moved. */
export interface HiddenSectorsEdit {
  /** The value to write; null when the old one must stay. */
  readonly value: number | null;
  /** What the old value was counted from; null when it was neither. */
  readonly countedFrom: 'disk' | 'ebr' | null;
  /** Why the old value stays although the volume moves; null when nothing is to be said. */
  readonly warning: Reason | null;
}

/** The field is 32 bits wide in every BPB that knows it. */
const HIDDEN_SECTORS_MAX = 0xffff_ffff;

/**
 * The one rule for hidden sectors (BPB offset 0x1C, exFAT PartitionOffset). Two conventions exist for logical
 * volumes: classic NT and DOS formatters count from the EBR, everything that wants to boot counts from the
 * start of the disk. The convention found is kept; a value that fits neither is somebody else's and stays.
 * `largest` is what the field can hold.
 */
export function newHiddenSectors(
  old: number,
  move: VolumeMove,
  largest: number = HIDDEN_SECTORS_MAX,
): HiddenSectorsEdit {
  if (old === move.oldStart) return within(move.newStart, 'disk', largest);
  const { oldEbr, newEbr } = move;
  if (oldEbr !== null && newEbr !== null && old === move.oldStart - oldEbr) {
    return within(move.newStart - newEbr, 'ebr', largest);
  }
  if (move.newStart === move.oldStart) return { value: null, countedFrom: null, warning: null };
  return {
    value: null,
    countedFrom: null,
    warning: {
      code: 'hidden-sectors-unknown',
      message: `the boot sector counts ${old} hidden sectors, which is neither the start of its partition (${move.oldStart}) nor its distance from an EBR: left as it is`,
      hint: 'if the guest boots from this partition and fails to, set the value to the new start with the tools of the guest',
    },
  };
}

function within(value: number, countedFrom: 'disk' | 'ebr', largest: number): HiddenSectorsEdit {
  if (value <= largest) return { value, countedFrom, warning: null };
  return {
    value: null,
    countedFrom,
    warning: {
      code: 'hidden-sectors-too-large',
      message: `the new start ${value} does not fit the 32-bit hidden sectors field: left as it is`,
      hint: 'the volume can be used as a data volume but cannot boot from there',
    },
  };
}
