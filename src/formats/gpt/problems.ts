import type { Reason } from '../../core/errors.js';
import type { GptCopyState } from './types.js';

/** A partition as far as its place goes. */
export interface Placed {
  readonly number: number;
  readonly startLba: number;
  readonly sectorCount: number;
}

/** The sectors that partitions may occupy, both inclusive, and the size of the disk. */
export interface Usable {
  readonly first: number;
  readonly last: number;
  readonly diskSectors: number;
}

const REMEDY = 'look at it with `sgdisk --verify` and correct the table first';
const problem = (code: string, message: string): Reason => ({ code, message, hint: REMEDY });

/** Everything about the places of partitions that contradicts the table, the disk, or each other. */
export function placeProblems(partitions: readonly Placed[], usable: Usable): Reason[] {
  return [...partitions.flatMap((partition) => boundsProblems(partition, usable)), ...overlaps(partitions)];
}

function boundsProblems({ number, startLba, sectorCount }: Placed, usable: Usable): Reason[] {
  const last = startLba + sectorCount - 1;
  if (sectorCount === 0) return [problem('partition-bounds', `partition ${number} ends before it begins`)];
  if (last >= usable.diskSectors) {
    const message = `partition ${number} ends at sector ${last}, beyond the disk's last sector ${usable.diskSectors - 1}`;
    const hint = 'the disk may have been cut off: restore its size, or correct the table first';
    return [{ code: 'partition-beyond-disk', message, hint }];
  }
  if (startLba >= usable.first && last <= usable.last) return [];
  const message = `partition ${number} leaves the usable sectors ${usable.first} to ${usable.last}`;
  return [problem('partition-outside-usable', message)];
}

function overlaps(partitions: readonly Placed[]): Reason[] {
  const sorted = partitions.filter(({ sectorCount }) => sectorCount > 0);
  sorted.sort((a, b) => a.startLba - b.startLba);
  const found: Reason[] = [];
  let reaching: Placed | undefined;
  for (const partition of sorted) {
    const end = reaching === undefined ? 0 : reaching.startLba + reaching.sectorCount;
    if (reaching !== undefined && partition.startLba < end) {
      const numbers = `${reaching.number} and ${partition.number}`;
      found.push(problem('partition-overlap', `partitions ${numbers} overlap`));
    }
    if (partition.startLba + partition.sectorCount > end) reaching = partition;
  }
  return found;
}

/**
 * Copies that forbid a change. A lost primary does: the only good copy would have to be overwritten first. A
 * lost or misplaced backup does not: the primary stays whole until a new backup is in place.
 */
export function copyProblems(primary: GptCopyState, backup: GptCopyState): Reason[] {
  if (primary !== 'good') {
    const hint = 'restore it from the backup with gdisk (recovery menu, commands b and w), then try again';
    return [
      { code: 'gpt-primary-lost', message: 'the primary GPT is damaged; only the backup is left', hint },
    ];
  }
  if (backup !== 'disagrees') return [];
  const hint = 'compare them with gdisk (recovery menu) and write the right one, then try again';
  return [{ code: 'gpt-copies-disagree', message: 'the two copies of the GPT tell different things', hint }];
}
