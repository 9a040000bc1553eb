import type { Reason } from '../../core/errors.js';
import { PROTECTIVE_TYPE } from './decode.js';
import type { MbrPartition } from './types.js';

/** A layout as a table describes it: what was read, or what an edit would write. */
export interface MbrLayout {
  readonly partitions: readonly MbrPartition[];
  /** LBA of every EBR, in chain order. */
  readonly ebrLbas: readonly number[];
  readonly diskSectors: number;
}

const end = (partition: MbrPartition): number => partition.startLba + partition.sectorCount;
const REMEDY = 'look at it with `sfdisk --verify` and correct the table first';

/**
 * Everything about a layout that contradicts itself or the disk. Entries of type EE are left out: they
 * span the partitions of a GPT on purpose.
 */
export function findProblems(layout: MbrLayout): Reason[] {
  const partitions = layout.partitions.filter(({ type }) => type !== PROTECTIVE_TYPE);
  const outer = partitions.filter(({ kind }) => kind !== 'logical');
  const logicals = partitions.filter(({ kind }) => kind === 'logical');
  return [
    ...partitions.flatMap((partition) => placeProblems(partition, layout.diskSectors)),
    ...containerProblems(outer, logicals),
    ...overlaps(outer),
    ...overlaps(logicals),
    ...ebrProblems(logicals, layout.ebrLbas),
  ];
}

function placeProblems(partition: MbrPartition, diskSectors: number): Reason[] {
  const { number, startLba } = partition;
  if (startLba === 0) {
    return [problem('partition-covers-table', `partition ${number} begins at sector 0, where the table is`)];
  }
  if (end(partition) <= diskSectors) return [];
  const hint = 'the disk may have been cut off: restore its size, or correct the table first';
  const message = `partition ${number} ends at sector ${end(partition) - 1}, beyond the disk's last sector ${diskSectors - 1}`;
  return [{ code: 'partition-beyond-disk', message, hint }];
}

function containerProblems(outer: readonly MbrPartition[], logicals: readonly MbrPartition[]): Reason[] {
  const [container, second] = outer.filter(({ kind }) => kind === 'extended');
  if (container === undefined) return [];
  const outside = logicals.filter(
    (logical) => logical.startLba < container.startLba || end(logical) > end(container),
  );
  const found = outside.map(({ number }) =>
    problem('logical-outside-extended', `partition ${number} lies outside the extended partition`),
  );
  if (second === undefined) return found;
  const numbers = `${container.number} and ${second.number}`;
  const message = `partitions ${numbers} are both extended; only the first one was followed`;
  return [...found, problem('two-extended', message)];
}

function overlaps(partitions: readonly MbrPartition[]): Reason[] {
  const sorted = [...partitions].sort((a, b) => a.startLba - b.startLba);
  const found: Reason[] = [];
  let reaching: MbrPartition | undefined;
  for (const partition of sorted) {
    if (reaching !== undefined && partition.startLba < end(reaching)) {
      const numbers = `${reaching.number} and ${partition.number}`;
      found.push(problem('partition-overlap', `partitions ${numbers} overlap`));
    }
    if (reaching === undefined || end(partition) > end(reaching)) reaching = partition;
  }
  return found;
}

function ebrProblems(logicals: readonly MbrPartition[], ebrLbas: readonly number[]): Reason[] {
  return ebrLbas.flatMap((lba) =>
    logicals
      .filter((logical) => lba >= logical.startLba && lba < end(logical))
      .map(({ number }) =>
        problem('ebr-overlap', `the extended boot record at sector ${lba} lies inside partition ${number}`),
      ),
  );
}

const problem = (code: string, message: string): Reason => ({ code, message, hint: REMEDY });
