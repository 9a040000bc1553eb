import { alignUp, lba, MIB } from '../core/units.js';
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

/** Sectors of partitions that are to have another size, by number. */
export type Counts = ReadonlyMap<number, number>;

/** A gap up to this before a partition is not worth moving it: most tools leave 1 MiB. */
const WORTH_PACKING_BYTES = MIB;

/**
 * Places every extent in the order of start. An extent that is to be aligned starts at the next boundary, has its
 * old size or that of `counts`, and ends on a boundary, so that its follower can start right there. The others stay
 * where they are; when something pushes them they start and end on cylinder boundaries.
 *
 *     align     nothing moves to the left
 *     shrink    all are packed to the left, where more than 1 MiB of unallocated space can be closed
 *     enlarge   nothing moves but what is in the way
 *
 * `end` is the first sector partitions may not use: ends are only rounded up to a boundary below it. A place
 * beyond it is not an error here; the caller compares.
 */
export function placeInOrder(facts: DiskFacts, request: LayoutRequest, end: number, counts: Counts): Places {
  const placer = new Placer(facts, request, end, counts);
  return placer.run();
}

class Placer {
  private readonly places = new Map<number, Place>();
  private readonly step: number;

  constructor(
    private readonly facts: DiskFacts,
    private readonly request: LayoutRequest,
    private readonly end: number,
    private readonly counts: Counts,
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
    const startLba = this.start(partition, cursor);
    const sectorCount = this.count(partition, startLba);
    return { startLba, sectorCount, ebrLba: null };
  }

  /**
   * The extended partition holds EBRs and logicals and no data of its own, so it only moves when it is pushed or
   * packed, and then ends with its last logical.
   * Its first EBR is its first sector; each further EBR keeps its distance to its logical where there is room.
   */
  private placeExtended(extended: PartitionFacts, cursor: number): Place {
    const startLba = this.containerStart(extended, cursor);
    const logicals = byStart(this.facts.partitions).filter((partition) => partition.kind === 'logical');
    const hasFirstEbr = (logical: PartitionFacts) => logical.ebrLba === extended.startLba;
    // The first EBR may be an empty one that only points to the next: its sector is taken all the same.
    let inner = logicals.slice(0, 1).some(hasFirstEbr) ? startLba : startLba + 1;
    for (const logical of logicals) {
      const place = this.placeLogical(logical, inner, hasFirstEbr(logical) ? startLba : null);
      this.places.set(logical.number, place);
      inner = placeEnd(place);
    }
    if (this.packs && logicals.length > 0) return { startLba, sectorCount: inner - startLba, ebrLba: null };
    const end = Math.max(inner, extended.startLba + extended.sectorCount, startLba + 1);
    return { startLba, sectorCount: end - startLba, ebrLba: null };
  }

  private placeLogical(logical: PartitionFacts, cursor: number, fixedEbr: number | null): Place {
    const startLba = this.start(logical, cursor + 1);
    const sectorCount = this.count(logical, startLba);
    return { startLba, sectorCount, ebrLba: fixedEbr ?? ebrFor(logical, startLba, cursor) };
  }

  private get packs(): boolean {
    return this.request.command === 'shrink';
  }

  /** Where the partition starts when `free` is the first sector it may have. */
  private start(partition: PartitionFacts, free: number): number {
    if (this.request.pinned.includes(partition.number)) return partition.startLba;
    const stays = partition.startLba >= free;
    if (this.request.command === 'enlarge' && stays) return partition.startLba;
    const nearest = this.startFrom(partition, Math.max(free, partition.startLba));
    if (!this.packs) return nearest;
    const leftmost = this.startFrom(partition, free);
    return leftmost < nearest && this.isWorthPacking(leftmost, nearest) ? leftmost : nearest;
  }

  private containerStart(extended: PartitionFacts, free: number): number {
    const nearest = Math.max(free, extended.startLba);
    if (!this.packs) return nearest;
    const leftmost = alignUp(free, this.packingStep);
    return leftmost < nearest && this.isWorthPacking(leftmost, nearest) ? leftmost : nearest;
  }

  /** Containers of classic layouts lie on cylinders, all others where their first EBR is aligned. */
  private get packingStep(): number {
    return this.request.cylinders ? cylinderSectors(this.facts.geometry) : this.step;
  }

  private isWorthPacking(leftmost: number, nearest: number): boolean {
    return (nearest - leftmost) * this.facts.sectorSize > WORTH_PACKING_BYTES;
  }

  /** The first allowed start at or behind `min`. */
  private startFrom(partition: PartitionFacts, min: number): number {
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
    const wanted = this.counts.get(partition.number);
    const sectorCount = wanted ?? partition.sectorCount;
    if (wanted === undefined) {
      // Packing closes gaps, and makes nothing larger.
      if (startLba === partition.startLba || this.packs) return sectorCount;
      // What finds itself by the end of its partition must keep its size.
      if (partition.filesystem?.move.toleratesLargerPartition !== true) return sectorCount;
    }
    const onCylinders = this.request.cylinders || this.isExempt(partition);
    const step = onCylinders ? cylinderSectors(this.facts.geometry) : this.step;
    const end = alignUp(startLba + sectorCount, step);
    const isShrunk = sectorCount < partition.sectorCount;
    const limit = isShrunk ? startLba + partition.sectorCount : this.end;
    return end <= Math.min(limit, this.end, this.staysBehind(partition, startLba + sectorCount))
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
    if (next === undefined || begins < end) return Number.POSITIVE_INFINITY;
    const stays =
      this.request.command === 'enlarge' ||
      next.kind === 'extended' ||
      this.request.pinned.includes(next.number) ||
      this.isExempt(next);
    return stays ? begins : Number.POSITIVE_INFINITY;
  }

  private isExempt(partition: PartitionFacts): boolean {
    const { command, only, doNotAlign } = this.request;
    if (doNotAlign.includes(partition.number)) return true;
    return command === 'align' && only.length > 0 && !only.includes(partition.number);
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
