import { hintOf, internalError, refused } from '../../core/errors.js';
import { lba } from '../../core/units.js';
import { entryLayout, entryOffset } from './layout.js';
import { findProblems } from './problems.js';
import type { ExtendedBootRecord, MbrChange, MbrPartition, MbrTable } from './types.js';

/** A stretch of sectors an entry stands for, absolute. */
export interface Span {
  readonly startLba: number;
  readonly sectorCount: number;
}

/** An entry before and after. */
export interface SpanChange {
  readonly before: Span;
  readonly after: Span;
}

/** Where partitions and EBRs are afterwards: a wish that was found to be possible. */
export interface Places {
  /** What links count from; 0 without an extended partition, when there are none. */
  readonly containerStart: number;
  /** By partition number. */
  readonly partitions: ReadonlyMap<number, SpanChange>;
  /** In chain order. */
  readonly ebrs: readonly EbrPlace[];
}

/** An EBR and its place afterwards. */
export interface EbrPlace {
  readonly record: ExtendedBootRecord;
  readonly at: number;
  /** What its link stands for; null in the last EBR. */
  readonly link: SpanChange | null;
}

/** An entry holds 32-bit values, and Windows and Linux count the end in 32 bits too. */
const SECTOR_LIMIT = 2 ** 32;

/**
 * Checks a wish and turns it into places. Null when it leaves everything where it is. See editMbr for the
 * errors.
 */
export function placesAfter(table: MbrTable, change: MbrChange): Places | null {
  if (change.partitions.size !== table.partitions.length) {
    throw internalError('mbr-change', 'the change does not name exactly the partitions of the table');
  }
  const moved = table.partitions.map((partition) => movedPartition(partition, change));
  if (moved.every((partition, index) => isSame(partition, table.partitions[index]))) return null;
  refuseUnsound(table);
  for (const partition of moved) refuseBeyondLimit(partition);
  const container = moved.find(({ kind }) => kind === 'extended');
  const ebrLbas = table.ebrs.map((record, index) => ebrAfter(record, index, moved, container));
  checkResult(table, moved, ebrLbas, change.diskSectors);
  const partitions = table.partitions.map((before, index): [number, SpanChange] => [
    before.number,
    { before, after: moved[index] ?? before },
  ]);
  return {
    containerStart: container?.startLba ?? 0,
    partitions: new Map(partitions),
    ebrs: ebrPlaces(table, moved, ebrLbas),
  };
}

function movedPartition(partition: MbrPartition, change: MbrChange): MbrPartition {
  const place = change.partitions.get(partition.number);
  const ebr = partition.kind === 'logical' ? change.ebrs.get(partition.number) : null;
  const values = [place?.startLba, place?.sectorCount, ebr ?? 0];
  const isWhole = values.every((value) => Number.isSafeInteger(value) && (value ?? -1) >= 0);
  if (place === undefined || ebr === undefined || !isWhole || place.sectorCount === 0) {
    throw internalError('mbr-change', `the change has no usable place for partition ${partition.number}`);
  }
  const ebrLba = ebr === null ? null : lba(ebr);
  return { ...partition, startLba: lba(place.startLba), sectorCount: place.sectorCount, ebrLba };
}

const isSame = (a: MbrPartition, b: MbrPartition | undefined): boolean =>
  a.startLba === b?.startLba && a.sectorCount === b.sectorCount && a.ebrLba === b.ebrLba;

function refuseUnsound({ problems, hybridOrProtective }: MbrTable): void {
  const [first] = problems;
  if (first !== undefined) {
    const detail = hintOf(first);
    throw refused('mbr-problems', `the partition table is not sound: ${first.message}`, detail);
  }
  if (!hybridOrProtective) return;
  throw refused('hybrid-mbr', 'this MBR belongs to a GPT and cannot be changed alone', {
    hint: 'remove the hybrid MBR (gdisk: recovery menu, "make a fresh protective MBR") first',
  });
}

function refuseBeyondLimit({ number, startLba, sectorCount }: MbrPartition): void {
  if (startLba + sectorCount <= SECTOR_LIMIT) return;
  throw refused('mbr-limit', `partition ${number} would end beyond what an MBR can describe`, {
    expected: SECTOR_LIMIT,
    actual: startLba + sectorCount,
    hint: 'keep it within the first 2^32 sectors (2 TiB at 512 bytes a sector), or convert the disk to GPT',
  });
}

/** Where an EBR is afterwards: the first at the start of its container, the others where their logicals say. */
function ebrAfter(
  record: ExtendedBootRecord,
  index: number,
  moved: readonly MbrPartition[],
  container: MbrPartition | undefined,
): number {
  const numbers = new Set(record.data.map(({ number }) => number));
  const wishes = new Set(moved.filter(({ number }) => numbers.has(number)).map(({ ebrLba }) => ebrLba));
  if (wishes.size > 1) throw layoutError(`partitions ${[...numbers].join(' and ')} share one boot record`);
  const [wish] = wishes;
  if (index > 0) return wish ?? record.lba; // one without data has no number to be moved by
  const start = container?.startLba ?? 0;
  if (wish === undefined || wish === null || wish === start) return start;
  throw layoutError(`the first boot record (partition ${[...numbers].join(', ')}) must begin the container`);
}

/** The result must be as sound as a table that is read. */
function checkResult(
  table: MbrTable,
  moved: readonly MbrPartition[],
  ebrLbas: readonly number[],
  diskSectors: number,
): void {
  const container = moved.find(({ kind }) => kind === 'extended');
  for (const [index, at] of ebrLbas.entries()) {
    const isInside =
      container !== undefined && at >= container.startLba && at < container.startLba + container.sectorCount;
    const isCovered = moved.some(
      ({ kind, startLba, sectorCount }) =>
        kind === 'logical' && at >= startLba && at < startLba + sectorCount,
    );
    if (isInside && !isCovered && ebrLbas.indexOf(at) === index) continue;
    if (table.ebrs[index]?.data.length === 0)
      throw layoutError(`an empty boot record is in the way at ${at}`);
    throw internalError('mbr-change', `the boot record for sector ${at} has no room there`);
  }
  const isBehindEbr = ({ ebrLba, startLba }: MbrPartition): boolean => ebrLba === null || ebrLba < startLba;
  const [problem] = findProblems({ partitions: moved, ebrLbas, diskSectors });
  if (problem !== undefined)
    throw internalError('mbr-change', `the change is impossible: ${problem.message}`);
  if (!moved.every(isBehindEbr)) throw internalError('mbr-change', 'a logical would begin before its EBR');
}

function layoutError(what: string): Error {
  return refused('ebr-layout', `the chain of extended boot records cannot express the change: ${what}`, {
    hint: 'leave these partitions where they are, or rewrite the chain with parted first (not sfdisk: it drops entries)',
  });
}

function ebrPlaces(table: MbrTable, moved: readonly MbrPartition[], ebrLbas: readonly number[]): EbrPlace[] {
  return table.ebrs.map((record, index) => {
    const at = ebrLbas[index] ?? record.lba;
    const next = table.ebrs[index + 1];
    if (record.linkSlot === null || next === undefined) return { record, at, link: null };
    const sectorCount = entryLayout.decode(record.sector, entryOffset(record.linkSlot)).count;
    const before = { startLba: next.lba, sectorCount };
    const startLba = ebrLbas[index + 1] ?? next.lba;
    return { record, at, link: { before, after: linkAfter(table, moved, next, before, startLba) } };
  });
}

/**
 * A link spans the next EBR through the end of its logical. One whose target did not change keeps the count
 * it has: some tools count differently, and nobody reads it.
 */
function linkAfter(
  table: MbrTable,
  moved: readonly MbrPartition[],
  next: ExtendedBootRecord,
  before: Span,
  startLba: number,
): Span {
  const oldEnd = dataEnd(table.partitions, next);
  const newEnd = dataEnd(moved, next);
  if (newEnd === null || (oldEnd === newEnd && startLba === before.startLba)) return { ...before, startLba };
  return { startLba, sectorCount: newEnd - startLba };
}

/** First sector behind the logicals of an EBR; null when it has none. */
function dataEnd(partitions: readonly MbrPartition[], { data }: ExtendedBootRecord): number | null {
  const ends = partitions
    .filter(({ number }) => data.some((entry) => entry.number === number))
    .map(({ startLba, sectorCount }) => startLba + sectorCount);
  return ends.length === 0 ? null : Math.max(...ends);
}
