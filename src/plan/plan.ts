import { usageError } from '../core/errors.js';
import { sum } from '../core/sum.js';
import { lba } from '../core/units.js';
import { isAligned } from '../inspect/alignment.js';
import type { DiskFacts, PartitionFacts } from '../inspect/types.js';
import { planBoot } from './boot.js';
import { checkDiskState, checkPlaces, isChanged, placeOf } from './check.js';
import { plannedFixups, plannedWarnings } from './fixups.js';
import { layOut, withSize } from './lay-out.js';
import { DEFAULT_RATES, planMoves, type Rates } from './moves.js';
import { currentPlaces, type Places } from './place.js';
import { planResizes } from './resizes.js';
import { requireResizable, targetSizes } from './sizes.js';
import type { Layout, LayoutPartition, LayoutRequest, Plan } from './types.js';
import { planZero } from './zero.js';

/**
 * The plan for a request: pure, equal facts and request give equal JSON. Throws Refused with a remedy for what
 * cannot be done, Usage for a request that names what is not there or contradicts itself.
 */
export function makePlan(facts: DiskFacts, request: LayoutRequest, rates: Rates = DEFAULT_RATES): Plan {
  checkRequest(facts, request);
  const targets = targetSizes(facts, request);
  const { sizeBytes, places, resized } = layOut(facts, request, targets.bytes);
  const changed = facts.partitions.some((partition) => isChanged(facts, places, partition));
  const clears = request.command === 'zero';
  const status = changed || clears || sizeBytes !== facts.sizeBytes ? 'change' : 'nothing-to-do';
  if (status === 'change' || !isFullySeen(facts)) checkDiskState(facts);
  const zero = clears ? { zero: planZero(facts, request) } : {};
  const resizes = planResizes(facts, places, resized);
  for (const { number, direction } of resizes) {
    const partition = facts.partitions.find((each) => each.number === number);
    if (partition !== undefined) requireResizable(partition, direction);
  }
  if (status === 'change') checkPlaces(withSize(facts, sizeBytes), places, resizes, request.command);
  const moves = planMoves(facts, places, rates);
  const after = layoutOf(facts, places, sizeBytes, request.boundaryBytes);
  const boot = planBoot(facts, places, request);
  const warnings = status === 'change' ? plannedWarnings(facts, request.command) : [...facts.warnings];
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
    after,
    resizes,
    moves,
    ...zero,
    fixups: status === 'change' ? [...plannedFixups(facts, places, sizeBytes), ...boot.fixups] : [],
    warnings: [...warnings, ...boot.warnings, ...targets.warnings],
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

function checkRequest(facts: DiskFacts, request: LayoutRequest): void {
  const known = new Set(facts.partitions.map(({ number }) => number));
  const sized = request.sizes.flatMap(({ number }) => number ?? []);
  const targets = request.targets.map(({ number }) => number);
  const named = [...request.doNotAlign, ...request.only, ...targets, ...sized];
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
