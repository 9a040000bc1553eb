import { damaged, type Reason } from '../../core/errors.js';
import { lba } from '../../core/units.js';
import type { Reader } from '../../device/types.js';
import { hasBootSignature, isActive, isExtended, type SlotEntry, usedEntries } from './decode.js';
import { BOOT_RECORD_SIZE } from './layout.js';
import type { ExtendedBootRecord, MbrPartition } from './types.js';

/** First number of a logical partition, whatever slots are used. */
const FIRST_LOGICAL = 5;
/** Linux gives up after 100 EBRs without data, libfdisk after 60 partitions: no real chain is longer. */
const MAX_EBRS = 128;

/** A partition with the entry that describes it. */
export interface Described {
  readonly partition: MbrPartition;
  readonly entry: SlotEntry;
}

/** The logical partitions of a disk and the records that describe them, in chain order. */
export interface Chain {
  readonly ebrs: readonly ExtendedBootRecord[];
  readonly logicals: readonly Described[];
  readonly problems: readonly Reason[];
}

/** No extended partition, or an empty one. */
export const NO_CHAIN: Chain = { ebrs: [], logicals: [], problems: [] };

/** What is being walked: sectors are read with this size and never beyond this end. */
export interface Sectors {
  readonly disk: Reader;
  readonly sectorSize: number;
  readonly count: number;
}

/** The sectors of the next EBR: where it is and how much its link says it spans. */
interface Link {
  readonly at: number;
  readonly span: number;
}

/** The 512 bytes of a boot record. Damaged when it lies beyond the disk. */
export async function readBootRecord(sectors: Sectors, at: number): Promise<Uint8Array> {
  if (at >= sectors.count) throw chainError('leaves the disk at', at, sectors);
  return sectors.disk.readAt(at * sectors.sectorSize, BOOT_RECORD_SIZE);
}

/**
 * Follows the EBRs of the container. Numbers go to logicals in chain order, as Linux gives them.
 *
 *     container          next EBR
 *     |<-- link.start -->|                     links count from the start of the container
 *                        |<-- data.start -->|  data counts from its own EBR
 *
 * Throws Damaged (`ebr-chain`) when a link loops, leaves the container or the disk, or leads to no EBR.
 */
export async function walkChain(sectors: Sectors, container: MbrPartition): Promise<Chain> {
  if (container.startLba >= sectors.count) return NO_CHAIN; // findProblems reports it
  const ebrs: ExtendedBootRecord[] = [];
  const logicals: Described[] = [];
  const visited = new Set<number>();
  let next: Link | null = { at: container.startLba, span: container.sectorCount };
  while (next !== null) {
    const { at, span }: Link = next;
    if (visited.has(at)) throw chainError('comes back to', at, sectors);
    if (visited.size === MAX_EBRS) throw chainError(`goes on after ${MAX_EBRS} records at`, at, sectors);
    visited.add(at);
    const sector = await readBootRecord(sectors, at);
    if (!hasBootSignature(sector)) return chainWithoutSignature(sectors, sector, at, ebrs.length);
    const entries = usedEntries(sector);
    const firstNumber = FIRST_LOGICAL + logicals.length;
    const described = dataEntries(entries, { at, span }, container).map((entry, index) =>
      logicalOf(entry, firstNumber + index, at),
    );
    logicals.push(...described);
    const link = entries.find(isExtended);
    const data = described.map(({ entry, partition }) => ({ slot: entry.slot, number: partition.number }));
    ebrs.push({ lba: lba(at), sector, data, linkSlot: link?.slot ?? null });
    next = link === undefined ? null : follow(link, container, sectors);
  }
  return { ebrs, logicals, problems: [] };
}

function follow(link: SlotEntry, container: MbrPartition, sectors: Sectors): Link {
  const at = container.startLba + link.start;
  if (link.start >= container.sectorCount) throw chainError('leaves the extended partition at', at, sectors);
  return { at, span: link.count };
}

/**
 * The entries that describe partitions. The third and fourth are taken only when they stay inside: some hold
 * garbage, while OS/2 used them (Linux, parse_extended).
 */
function dataEntries(
  entries: readonly SlotEntry[],
  { at, span }: Link,
  container: MbrPartition,
): SlotEntry[] {
  const containerEnd = container.startLba + container.sectorCount;
  return entries.filter((entry) => {
    if (isExtended(entry)) return false;
    const end = entry.start + entry.count;
    return entry.slot <= 2 || (end <= span && at + end <= containerEnd);
  });
}

function logicalOf(entry: SlotEntry, number: number, ebrLba: number): Described {
  const partition: MbrPartition = {
    number,
    kind: 'logical',
    type: entry.type,
    active: isActive(entry),
    startLba: lba(ebrLba + entry.start),
    sectorCount: entry.count,
    ebrLba: lba(ebrLba),
  };
  return { entry, partition };
}

/**
 * An EBR without 55 AA. When it is the first and empty, nobody has written one yet; anything else means that
 * partitions may be lost.
 */
function chainWithoutSignature(sectors: Sectors, sector: Uint8Array, at: number, before: number): Chain {
  if (before > 0) throw chainError('leads to no boot record at', at, sectors);
  if (sector.every((byte) => byte === 0)) return NO_CHAIN;
  const message = `the extended partition does not begin with a boot record (sector ${at})`;
  const hint = 'logical partitions may be lost: look for them with testdisk first';
  return { ...NO_CHAIN, problems: [{ code: 'ebr-missing', message, hint }] };
}

function chainError(what: string, at: number, { sectorSize }: Sectors): Error {
  return damaged('ebr-chain', `the chain of extended boot records ${what} sector ${at}`, {
    offset: at * sectorSize,
    hint: 'correct the table first: fdisk shows it, testdisk looks for lost partitions',
  });
}
