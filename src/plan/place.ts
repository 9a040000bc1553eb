import { alignUp, lba } from '../core/units.js';
import type { DiskFacts, PartitionFacts } from '../inspect/types.js';
import { cylinderSectors, logicalCylinderStart, primaryCylinderStart } from './cylinders.js';
import type { LayoutRequest } from './types.js';

/** Where one partition lies, in sectors. */
export interface Place {
  readonly startLba: number;
  readonly sectorCount: number;
  /** Logicals only: the sector of the EBR. */
  readonly ebrLba: number | null;
}

export type Places = ReadonlyMap<number, Place>;

export const placeEnd = (place: Place): number => place.startLba + place.sectorCount;

/** The places as they are today. */
export function currentPlaces(facts: DiskFacts): Places {
  return new Map(
    facts.partitions.map((partition) => [
      partition.number,
      { startLba: partition.startLba, sectorCount: partition.sectorCount, ebrLba: partition.ebrLba },
    ]),
  );
}

/** Partitions in the order of their start; the extended partition comes before the logicals inside it. */
export function byStart(partitions: readonly PartitionFacts[]): PartitionFacts[] {
  return [...partitions].sort(
    (a, b) => a.startLba - b.startLba || Number(b.kind === 'extended') - Number(a.kind === 'extended'),
  );
}

/**
 * Places every extent in the order of start. An extent that is to be aligned starts at the next boundary, keeps
 * its size and ends on a boundary, so that its follower can start right there. The others stay where they are;
 * when something pushes them they start and end on cylinder boundaries. Nothing moves to the left.
 *
 * `end` is the first sector partitions may not use: ends are only rounded up to a boundary below it. A place
 * beyond it is not an error here; the caller compares.
 */
export function placeAligned(facts: DiskFacts, request: LayoutRequest, end: number): Places {
  const placer = new Placer(facts, request, end);
  return placer.run();
}

class Placer {
  private readonly places = new Map<number, Place>();
  private readonly step: number;

  constructor(
    private readonly facts: DiskFacts,
    private readonly request: LayoutRequest,
    private readonly end: number,
  ) {
    this.step = request.boundaryBytes / facts.sectorSize;
  }

  run(): Places {
    const top = byStart(this.facts.partitions).filter((partition) => partition.kind !== 'logical');
    let cursor: number = this.facts.usable.first;
    for (const partition of top) {
      const place =
        partition.kind === 'extended'
          ? this.placeExtended(partition, cursor)
          : this.placeOne(partition, cursor);
      this.places.set(partition.number, place);
      cursor = placeEnd(place);
    }
    return this.places;
  }

  private placeOne(partition: PartitionFacts, cursor: number): Place {
    const startLba = this.start(partition, Math.max(cursor, partition.startLba));
    const sectorCount = this.count(partition, startLba);
    return { startLba, sectorCount, ebrLba: null };
  }

  /**
   * The extended partition holds EBRs and logicals and no data of its own, so it only moves when it is pushed.
   * Its first EBR is its first sector; each further EBR keeps its distance to its logical where there is room.
   */
  private placeExtended(extended: PartitionFacts, cursor: number): Place {
    const startLba = Math.max(cursor, extended.startLba);
    const logicals = byStart(this.facts.partitions).filter((partition) => partition.kind === 'logical');
    const hasFirstEbr = (logical: PartitionFacts) => logical.ebrLba === extended.startLba;
    // The first EBR may be an empty one that only points to the next: its sector is taken all the same.
    let inner = logicals.slice(0, 1).some(hasFirstEbr) ? startLba : startLba + 1;
    for (const logical of logicals) {
      const place = this.placeLogical(logical, inner, hasFirstEbr(logical) ? startLba : null);
      this.places.set(logical.number, place);
      inner = placeEnd(place);
    }
    const end = Math.max(inner, extended.startLba + extended.sectorCount, startLba + 1);
    return { startLba, sectorCount: end - startLba, ebrLba: null };
  }

  private placeLogical(logical: PartitionFacts, cursor: number, fixedEbr: number | null): Place {
    const startLba = this.start(logical, Math.max(logical.startLba, cursor + 1));
    const sectorCount = this.count(logical, startLba);
    return { startLba, sectorCount, ebrLba: fixedEbr ?? ebrFor(logical, startLba, cursor) };
  }

  private start(partition: PartitionFacts, min: number): number {
    const { geometry } = this.facts;
    const onCylinder = partition.kind === 'logical' ? logicalCylinderStart : primaryCylinderStart;
    if (this.isExempt(partition)) {
      return min === partition.startLba ? min : onCylinder(min, geometry);
    }
    if (this.request.cylinders) return onCylinder(min, geometry);
    const aligned = alignUp(min, this.step);
    // Windows wants volumes with clusters above 64 KiB to start on a cluster boundary; one that stays is left alone.
    return aligned === partition.startLba
      ? aligned
      : alignUp(min, Math.max(this.step, this.clusterStep(partition)));
  }

  private count(partition: PartitionFacts, startLba: number): number {
    const { sectorCount } = partition;
    if (startLba === partition.startLba) return sectorCount;
    // What finds itself by the end of its partition must keep its size.
    if (partition.filesystem?.move.toleratesLargerPartition !== true) return sectorCount;
    const onCylinders = this.request.cylinders || this.isExempt(partition);
    const step = onCylinders ? cylinderSectors(this.facts.geometry) : this.step;
    const end = alignUp(startLba + sectorCount, step);
    return end <= Math.min(this.end, this.staysBehind(partition, startLba + sectorCount))
      ? end - startLba
      : sectorCount;
  }

  /** Where the next extent begins, if it is not to be aligned and nothing pushes it: no reason to start doing so. */
  private staysBehind(partition: PartitionFacts, end: number): number {
    const isLogical = partition.kind === 'logical';
    const next = byStart(this.facts.partitions).find(
      ({ kind, startLba }) => (kind === 'logical') === isLogical && startLba > partition.startLba,
    );
    const begins = next === undefined ? end : (next.ebrLba ?? next.startLba);
    const stays = next !== undefined && begins >= end && (next.kind === 'extended' || this.isExempt(next));
    return stays ? begins : Number.POSITIVE_INFINITY;
  }

  private isExempt(partition: PartitionFacts): boolean {
    const { only, doNotAlign } = this.request;
    return doNotAlign.includes(partition.number) || (only.length > 0 && !only.includes(partition.number));
  }

  private clusterStep(partition: PartitionFacts): number {
    const { filesystem } = partition;
    if (filesystem?.kind !== 'ntfs' || filesystem.clusterBytes === null) return 1;
    return Math.max(1, filesystem.clusterBytes / this.facts.sectorSize);
  }
}

/** Where the EBR of a logical goes: at its old distance where that is free, else right behind what lies before. */
function ebrFor(logical: PartitionFacts, startLba: number, cursor: number): number {
  const gap = logical.startLba - (logical.ebrLba ?? logical.startLba - 1);
  const wanted = startLba - gap;
  return wanted >= cursor ? wanted : cursor;
}

/** Places after move-extents: what is named goes where it is told, the rest stays. */
export function placeExplicit(facts: DiskFacts, request: LayoutRequest): Places {
  const places = new Map(currentPlaces(facts));
  for (const target of request.targets) {
    const partition = facts.partitions.find(({ number }) => number === target.number);
    if (partition === undefined) continue;
    const place = {
      startLba: lba(target.startLba),
      sectorCount: target.sectorCount ?? partition.sectorCount,
    };
    places.set(target.number, { ...place, ebrLba: explicitEbr(partition, target) });
  }
  keepFirstEbr(facts, places);
  return places;
}

/** As told, else at the same distance. */
function explicitEbr(partition: PartitionFacts, target: LayoutRequest['targets'][number]): number | null {
  if (partition.ebrLba === null) return null;
  return target.ebrLba ?? target.startLba - (partition.startLba - partition.ebrLba);
}

/** The first EBR is the first sector of the extended partition, wherever that goes. */
function keepFirstEbr({ partitions }: DiskFacts, places: Map<number, Place>): void {
  const extended = partitions.find(({ kind }) => kind === 'extended');
  const container = extended && places.get(extended.number);
  if (container === undefined) return;
  for (const { number, ebrLba } of partitions) {
    const place = places.get(number);
    if (ebrLba === null || ebrLba !== extended?.startLba || place === undefined) continue;
    places.set(number, { ...place, ebrLba: container.startLba });
  }
}
