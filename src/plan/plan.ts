import { usageError } from '../core/errors.js';
import { alignUp, lba, MIB } from '../core/units.js';
import { isAligned } from '../inspect/alignment.js';
import type { DiskFacts, PartitionFacts } from '../inspect/types.js';
import { checkDiskState, checkPlaces, isChanged, placeOf } from './check.js';
import { plannedFixups, plannedWarnings } from './fixups.js';
import { DEFAULT_RATES, planMoves, type Rates } from './moves.js';
import { currentPlaces, type Places, placeAligned, placeEnd, placeExplicit } from './place.js';
import type { Layout, LayoutPartition, LayoutRequest, Plan } from './types.js';

/** Sectors behind the last usable one: the backup GPT with its header; none on an MBR disk. */
function sectorsBehind({ gpt, sectorSize }: DiskFacts): number {
  return gpt === null ? 0 : 1 + Math.ceil((gpt.entryCount * gpt.entrySize) / sectorSize);
}

/**
 * The plan for a request: pure, equal facts and request give equal JSON. Throws Refused with a remedy for what
 * cannot be done, Usage for a request that names what is not there.
 */
export function makePlan(facts: DiskFacts, request: LayoutRequest, rates: Rates = DEFAULT_RATES): Plan {
  checkRequest(facts, request);
  const sizeBytes = wantedSize(facts, request);
  const grown = withSize(facts, sizeBytes);
  const places = placesFor(grown, request);
  const changed = facts.partitions.some((partition) => isChanged(facts, places, partition));
  const status = changed || sizeBytes !== facts.sizeBytes ? 'change' : 'nothing-to-do';
  if (status === 'change' || !isFullySeen(facts)) checkDiskState(facts);
  if (status === 'change') checkPlaces(grown, places);
  const moves = planMoves(facts, places, rates);
  return {
    formatVersion: 1,
    command: request.command,
    disk: {
      path: facts.path,
      createType: facts.createType,
      table: facts.table,
      sectorSize: facts.sectorSize,
      identity: facts.identity,
    },
    request,
    status,
    before: layoutOf(facts, currentPlaces(facts), facts.sizeBytes, request.boundaryBytes),
    after: layoutOf(facts, places, sizeBytes, request.boundaryBytes),
    moves,
    fixups: status === 'change' ? plannedFixups(facts, places, sizeBytes) : [],
    warnings: status === 'change' ? plannedWarnings(facts, moves) : [...facts.warnings],
    bytesToCopy: sum(moves.map(({ bytesToCopy }) => bytesToCopy)),
    savedBytes: facts.sizeBytes - sizeBytes,
    estimatedSeconds: Math.round(sum(moves.map(({ estimatedSeconds }) => estimatedSeconds)) * 10) / 10,
  };
}

/**
 * "Nothing to do" is only said of partitions that were seen. A disk that is damaged, half-moved, or of a format that
 * is not read shows none, or not all of them.
 */
function isFullySeen({ state, partitions }: DiskFacts): boolean {
  return state === 'ready' || (state === 'refused' && partitions.length > 0);
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

function placesFor(facts: DiskFacts, request: LayoutRequest): Places {
  return request.command === 'align'
    ? placeAligned(facts, request, facts.usable.end)
    : placeExplicit(facts, request);
}

/** The size the disk must have: today's, what was asked for, or with --grow what the layout needs, in whole MiB. */
function wantedSize(facts: DiskFacts, request: LayoutRequest): number {
  const asked = request.diskSizeBytes ?? facts.sizeBytes;
  if (asked < facts.sizeBytes) {
    throw usageError('disk-size', 'the disk is larger than the size asked for', {
      expected: asked,
      actual: facts.sizeBytes,
      hint: 'align and move-extents never cut a disk: use vmreclaim shrink',
    });
  }
  if (asked !== facts.sizeBytes && asked % facts.sectorSize !== 0) {
    throw usageError('disk-size', 'the size asked for is no multiple of the sector size', {
      expected: `a multiple of ${facts.sectorSize}`,
      actual: asked,
      hint: 'give it in K, M, G or s (sectors)',
    });
  }
  return request.grow ? grownSize(facts, request, asked) : asked;
}

/**
 * The smallest size, in whole MiB, that the layout fits into. On a larger disk more ends can be rounded up, which
 * pushes what follows: so again until nothing sticks out. Each round lets at least one more end be rounded.
 */
function grownSize(facts: DiskFacts, request: LayoutRequest, asked: number): number {
  let sizeBytes = asked;
  for (;;) {
    const grown = withSize(facts, sizeBytes);
    const end = Math.max(0, ...[...placesFor(grown, request).values()].map(placeEnd));
    if (end <= grown.usable.end) return sizeBytes;
    const needed = (end + sectorsBehind(facts)) * facts.sectorSize;
    sizeBytes = alignUp(Math.max(needed, sizeBytes + 1), MIB);
  }
}

/** The facts of the same disk, larger: only the end of what partitions may use changes. */
function withSize(facts: DiskFacts, sizeBytes: number): DiskFacts {
  if (sizeBytes === facts.sizeBytes) return facts;
  const end = Math.floor(sizeBytes / facts.sectorSize) - sectorsBehind(facts);
  return { ...facts, sizeBytes, usable: { ...facts.usable, end: lba(end) } };
}

function checkRequest(facts: DiskFacts, request: LayoutRequest): void {
  const known = new Set(facts.partitions.map(({ number }) => number));
  const named = [...request.doNotAlign, ...request.only, ...request.targets.map(({ number }) => number)];
  const missing = named.find((number) => !known.has(number));
  if (missing !== undefined) {
    const numbers = [...known].sort((a, b) => a - b).join(', ');
    throw usageError('no-such-partition', `there is no partition ${missing} on this disk`, {
      hint: numbers === '' ? 'it has no partitions' : `its partitions are ${numbers}`,
    });
  }
  if (request.boundaryBytes === 0 || request.boundaryBytes % facts.sectorSize !== 0) {
    throw usageError(
      'boundary',
      `the boundary is no multiple of the sector size of ${facts.sectorSize} bytes`,
      { hint: 'take 64K, or any power of two from 4K to 16M' },
    );
  }
}

function layoutOf(facts: DiskFacts, places: Places, sizeBytes: number, boundaryBytes: number): Layout {
  const partitions = facts.partitions.map((partition) =>
    layoutPartition(facts, partition, places, boundaryBytes),
  );
  return { sizeBytes, partitions };
}

function layoutPartition(
  facts: DiskFacts,
  partition: PartitionFacts,
  places: Places,
  boundaryBytes: number,
): LayoutPartition {
  const place = placeOf(places, partition);
  const startLba = lba(place.startLba);
  return {
    number: partition.number,
    kind: partition.kind,
    type: partition.type,
    startLba,
    sectorCount: place.sectorCount,
    ebrLba: place.ebrLba === null ? null : lba(place.ebrLba),
    filesystem: partition.filesystem?.kind ?? null,
    label: partition.filesystem?.label ?? null,
    serial: partition.filesystem?.serial ?? null,
    usedBytes: partition.filesystem?.usedBytes ?? null,
    aligned: isAligned({ kind: partition.kind, startLba }, boundaryBytes, facts.sectorSize),
  };
}
