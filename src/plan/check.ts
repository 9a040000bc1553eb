import { damaged, hintOf, interrupted, type Reason, refused } from '../core/errors.js';
import { formatSize } from '../core/size.js';
import type { DiskFacts, PartitionFacts } from '../inspect/types.js';
import { byStart, currentPlaces, type Place, type Places, placeEnd } from './place.js';
import type { LayoutRequest, PlannedResize } from './types.js';

/** Where an MBR entry ends: start and count are 32-bit sector numbers. */
const MBR_LIMIT = 2 ** 32;

/** Everything that stands against the wanted places, each with a remedy. Throws Refused with the first. */
export function checkPlaces(
  facts: DiskFacts,
  places: Places,
  resizes: readonly PlannedResize[],
  command: LayoutRequest['command'],
): void {
  const resized = new Set(resizes.map(({ number }) => number));
  for (const partition of facts.partitions) checkEnd(facts, partition, placeOf(places, partition), command);
  const changed = facts.partitions.filter((partition) => isChanged(facts, places, partition));
  if (changed.length === 0) return;
  for (const partition of changed) {
    checkBounds(facts, partition, placeOf(places, partition));
    checkMayMove(partition, placeOf(places, partition));
    if (!resized.has(partition.number)) checkKeepsFilesystem(partition, placeOf(places, partition));
    checkNotHybrid(facts, partition);
  }
  checkOverlaps(facts, places);
  checkLogicals(facts, places);
}

/** True when the partition, or its EBR, is to be somewhere else or of another size. */
export function isChanged(facts: DiskFacts, places: Places, partition: PartitionFacts): boolean {
  const before = currentPlaces(facts).get(partition.number);
  const after = places.get(partition.number);
  if (before === undefined || after === undefined) return false;
  return (
    before.startLba !== after.startLba ||
    before.sectorCount !== after.sectorCount ||
    before.ebrLba !== after.ebrLba
  );
}

/** What each state of a disk comes to when something is to change. */
const STOPS = { refused, damaged, interrupted } as const;

/** Throws Refused, Damaged or Interrupted when the disk as a whole must not be changed. */
export function checkDiskState({ state, reasons }: DiskFacts): void {
  const reason = reasons.find(({ code }) => code === state) ?? reasons[0];
  if (state === 'ready' || reason === undefined) return;
  throw STOPS[state](reason.code, reason.message, hintOf(reason));
}

export function placeOf(places: Places, partition: PartitionFacts): Place {
  const { startLba, sectorCount, ebrLba } = partition;
  return places.get(partition.number) ?? { startLba, sectorCount, ebrLba };
}

function checkMayMove(partition: PartitionFacts, place: Place): void {
  const moves = place.startLba !== partition.startLba;
  const blocker: Reason | undefined = partition.filesystem?.move.blockers[0];
  if (partition.kind !== 'extended' && moves && blocker !== undefined) {
    const stop = partition.filesystem?.state === 'damaged' ? damaged : refused;
    throw stop(
      blocker.code,
      `partition ${partition.number} cannot be moved: ${blocker.message}`,
      hintOf(blocker),
    );
  }
}

/** A partition whose file system keeps its size must not end before it, nor pretend that it ends elsewhere. */
function checkKeepsFilesystem(partition: PartitionFacts, place: Place): void {
  if (place.sectorCount < partition.sectorCount && partition.kind !== 'extended') {
    throw refused('would-shrink', `partition ${partition.number} would become smaller than it is`, {
      hint: 'shrink its file system first with: vmreclaim shrink',
    });
  }
  const grows = place.sectorCount > partition.sectorCount && partition.kind !== 'extended';
  if (grows && partition.filesystem?.move.toleratesLargerPartition !== true) {
    throw refused(
      'size-fixed',
      `partition ${partition.number} must keep its size: what it holds counts from its end`,
      { hint: `give it ${partition.sectorCount} sectors` },
    );
  }
}

function checkNotHybrid(facts: DiskFacts, { number }: PartitionFacts): void {
  if (facts.gpt?.hybrid.includes(number) !== true) return;
  throw refused('hybrid-mbr', `partition ${number} is listed in the GPT and in a hybrid MBR`, {
    hint: 'make the MBR a plain protective one with gdisk (expert menu), then come back',
  });
}

function checkBounds(facts: DiskFacts, partition: PartitionFacts, place: Place): void {
  const { first } = facts.usable;
  if (place.startLba < first || place.sectorCount <= 0) {
    throw refused('target-reserved', `partition ${partition.number} would start at LBA ${place.startLba}`, {
      hint: `LBA ${first} is the first that partitions may use; what lies before holds the partition table and boot code`,
    });
  }
  if (facts.table === 'mbr' && (placeEnd(place) > MBR_LIMIT || place.startLba >= MBR_LIMIT)) {
    throw refused(
      'mbr-limit',
      `partition ${partition.number} would lie beyond the 2 TiB an MBR can address`,
      {
        hint: 'keep it below 2 TiB',
      },
    );
  }
}

/** Also what stays must end before the disk does: it may be cut. */
function checkEnd(
  facts: DiskFacts,
  partition: PartitionFacts,
  place: Place,
  command: LayoutRequest['command'],
): void {
  const { end } = facts.usable;
  if (placeEnd(place) > end) {
    const missing = (placeEnd(place) - end) * facts.sectorSize;
    throw refused(
      'no-room-at-end',
      `partition ${partition.number} would end ${missing} bytes (${formatSize(missing)}) behind the last usable sector`,
      { hint: endHint(facts, partition, command) },
    );
  }
}

function endHint(facts: DiskFacts, { number }: PartitionFacts, command: LayoutRequest['command']): string {
  const grow = 'let the disk grow with --grow';
  // Where it goes was said; only the alignment can be left away.
  if (command === 'move-extents') return `${grow}, or give partition ${number} an earlier place`;
  const last = byStart(facts.partitions).findLast(({ kind }) => kind !== 'extended');
  if (last === undefined) return grow;
  return `${grow}, or shrink partition ${last.number} first, or leave it where it is with --do-not-align ${last.number}`;
}

interface Claim {
  readonly what: string;
  readonly start: number;
  readonly end: number;
}

/** Partitions and EBRs. Of the extended partition, which holds both, only an empty first EBR counts. */
function claims(facts: DiskFacts, places: Places): Claim[] {
  const all: Claim[] = [];
  for (const partition of facts.partitions) {
    const place = placeOf(places, partition);
    if (partition.kind === 'extended') {
      if (facts.partitions.some(({ ebrLba }) => ebrLba === partition.startLba)) continue;
      all.push({ what: 'the first EBR', start: place.startLba, end: place.startLba + 1 });
      continue;
    }
    all.push({ what: `partition ${partition.number}`, start: place.startLba, end: placeEnd(place) });
    if (place.ebrLba !== null) {
      all.push({
        what: `the EBR of partition ${partition.number}`,
        start: place.ebrLba,
        end: place.ebrLba + 1,
      });
    }
  }
  return all.sort((a, b) => a.start - b.start || a.end - b.end);
}

function checkOverlaps(facts: DiskFacts, places: Places): void {
  let last: Claim | undefined;
  for (const claim of claims(facts, places)) {
    if (last !== undefined && claim.start < last.end) {
      throw refused('overlap', `${claim.what} would overlap ${last.what}`, {
        hint: `move ${last.what} away in the same call, or choose a start of LBA ${last.end} or more`,
      });
    }
    last = claim;
  }
}

function checkLogicals(facts: DiskFacts, places: Places): void {
  const extended = facts.partitions.find(({ kind }) => kind === 'extended');
  if (extended === undefined) return;
  const container = placeOf(places, extended);
  for (const partition of facts.partitions) {
    const place = placeOf(places, partition);
    if (partition.kind === 'logical') checkLogical(partition, place, container);
    if (
      partition.kind === 'primary' &&
      place.startLba < placeEnd(container) &&
      placeEnd(place) > container.startLba
    ) {
      throw refused('overlap', `partition ${partition.number} would overlap the extended partition`, {
        hint: `the extended partition will lie at LBA ${container.startLba} to ${placeEnd(container) - 1}: choose a start outside`,
      });
    }
  }
}

function checkLogical(partition: PartitionFacts, place: Place, container: Place): void {
  const ebr = place.ebrLba ?? place.startLba;
  const inside =
    ebr >= container.startLba &&
    place.startLba > container.startLba &&
    placeEnd(place) <= placeEnd(container);
  if (!inside) {
    throw refused(
      'outside-extended',
      `logical partition ${partition.number} would leave the extended partition`,
      {
        hint: `it and its EBR must lie at LBA ${container.startLba} to ${placeEnd(container) - 1}`,
      },
    );
  }
  if (ebr >= place.startLba) {
    throw refused('ebr-layout', `the EBR of partition ${partition.number} does not lie before it`, {
      hint: 'such chains are left alone: recreate the logical partition with the guest’s own tools',
    });
  }
}
