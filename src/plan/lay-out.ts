import { refused, unsupported, usageError } from '../core/errors.js';
import { formatSize } from '../core/size.js';
import { alignDown, alignUp, lba, MIB } from '../core/units.js';
import type { DiskFacts, PartitionFacts } from '../inspect/types.js';
import { type Counts, currentPlaces, type Places, placeEnd, placeExplicit, placeInOrder } from './place.js';
import { isCandidate } from './sizes.js';
import type { LayoutRequest } from './types.js';

/** A layout with the size of the disk that holds it. */
export interface DiskLayout {
  readonly sizeBytes: number;
  readonly places: Places;
  /** Partitions whose file systems follow their new size. Others only get an end that is rounded up. */
  readonly resized: ReadonlySet<number>;
}

/**
 * Places all extents for a request and finds the size of the disk: today's, what was asked for, what the layout needs
 * when the disk may grow, or for shrink what lies behind the last extent cut off. Disks are cut and enlarged to whole
 * MiB: vSphere counts in KiB and MiB, and converters drop what is left over. `sizes` are the wanted bytes of
 * partitions by number. Throws Usage for a size that contradicts the command, Refused for one that is too small.
 */
export function layOut(
  facts: DiskFacts,
  request: LayoutRequest,
  sizes: ReadonlyMap<number, number>,
): DiskLayout {
  const counts = new Map([...sizes].map(([number, bytes]) => [number, Math.ceil(bytes / facts.sectorSize)]));
  if (request.command === 'zero')
    return { sizeBytes: facts.sizeBytes, places: currentPlaces(facts), resized: new Set() };
  if (request.command === 'shrink') return packed(facts, request, counts);
  const asked = askedSize(facts, request);
  const isFilled = request.command === 'enlarge' && asked > facts.sizeBytes && request.free === null;
  if (isFilled && sizes.size === 0) return filled(facts, request, asked);
  const mayGrow = request.grow || request.command === 'enlarge';
  const sizeBytes = mayGrow ? grownSize(facts, request, counts, asked) : asked;
  const named = request.targets.flatMap(({ number, resizes }) => (resizes === true ? number : []));
  const resized = new Set([...counts.keys(), ...named]);
  return { sizeBytes, places: placesFor(withSize(facts, sizeBytes), request, counts), resized };
}

function placesFor(facts: DiskFacts, request: LayoutRequest, counts: Counts): Places {
  return request.command === 'move-extents'
    ? placeExplicit(facts, request)
    : placeInOrder(facts, request, facts.usable.end, counts);
}

/** The size of a disk that is not to be cut. */
function askedSize(facts: DiskFacts, request: LayoutRequest): number {
  const asked = request.diskSizeBytes ?? facts.sizeBytes;
  // move-extents gets a size only from a saved plan, which may be that of a shrink.
  if (asked < facts.sizeBytes && request.command !== 'move-extents') {
    throw usageError('disk-size', 'the disk is larger than the size asked for', {
      expected: asked,
      actual: facts.sizeBytes,
      hint: `${request.command} never cuts a disk: use vmreclaim shrink`,
    });
  }
  if (asked !== facts.sizeBytes) checkWholeSectors(facts, asked);
  return asked;
}

function checkWholeSectors({ sectorSize }: DiskFacts, asked: number): void {
  if (asked % sectorSize === 0) return;
  throw usageError('disk-size', 'the size asked for is no multiple of the sector size', {
    expected: `a multiple of ${sectorSize}`,
    actual: asked,
    hint: 'give it in K, M, G or s (sectors)',
  });
}

/** Everything to the left, and the disk cut behind it. */
function packed(facts: DiskFacts, request: LayoutRequest, counts: Counts): DiskLayout {
  requirePartitions(facts, 'a disk without a partition table is not cut; remove it if it is empty');
  const places = placesFor(facts, request, counts);
  const needed = sizeFor(facts, places);
  const asked = request.diskSizeBytes;
  if (asked !== null) checkSlack(facts, asked, needed);
  const resized = new Set(counts.keys());
  const exact = (lastEnd(places) + sectorsBehind(facts)) * facts.sectorSize;
  if (exact > facts.sizeBytes && request.grow) {
    const sizeBytes = grownSize(facts, request, counts, facts.sizeBytes);
    return { sizeBytes, places: placesFor(withSize(facts, sizeBytes), request, counts), resized };
  }
  return { sizeBytes: Math.min(facts.sizeBytes, Math.max(needed, asked ?? 0)), places, resized };
}

/** Unsupported when nothing tells what of the disk is in use. */
export function requirePartitions({ state, table, partitions }: DiskFacts, hint: string): void {
  if (state !== 'ready' || (table !== 'none' && partitions.length > 0)) return;
  throw unsupported('no-partitions', 'the disk has no partitions: nothing tells what of it is in use', {
    hint,
  });
}

function checkSlack(facts: DiskFacts, asked: number, needed: number): void {
  if (asked > facts.sizeBytes) {
    throw usageError('disk-size', 'shrink does not make a disk larger', {
      expected: `at most ${facts.sizeBytes}`,
      actual: asked,
      hint: 'use vmreclaim enlarge',
    });
  }
  checkWholeSectors(facts, asked);
  if (asked >= needed) return;
  throw refused('disk-size-too-small', `the partitions do not fit into ${formatSize(asked)}`, {
    expected: `at least ${needed} bytes (${formatSize(needed)})`,
    actual: asked,
    hint: 'make a file system smaller (--size, --free, --min), or the disk larger',
  });
}

const lastEnd = (places: Places): number => Math.max(0, ...[...places.values()].map(placeEnd));

/** Whole MiB that hold the places and the backup GPT. */
const sizeFor = (facts: DiskFacts, places: Places): number =>
  alignUp((lastEnd(places) + sectorsBehind(facts)) * facts.sectorSize, MIB);

/**
 * The smallest size, in whole MiB, that the layout fits into. On a larger disk more ends can be rounded up, which
 * pushes what follows: so again until nothing sticks out. Each round lets at least one more end be rounded.
 */
function grownSize(facts: DiskFacts, request: LayoutRequest, counts: Counts, asked: number): number {
  let sizeBytes = asked;
  for (;;) {
    const grown = withSize(facts, sizeBytes);
    const places = placesFor(grown, request, counts);
    if (lastEnd(places) <= grown.usable.end) return sizeBytes;
    sizeBytes = Math.max(sizeFor(facts, places), alignUp(sizeBytes + 1, MIB));
  }
}

/** One partition takes all that a larger disk has more. */
function filled(facts: DiskFacts, request: LayoutRequest, sizeBytes: number): DiskLayout {
  const grown = withSize(facts, sizeBytes);
  const partition = takerOf(facts, request);
  const step = request.boundaryBytes / facts.sectorSize;
  const room = grown.usable.end - lastEnd(placesFor(grown, request, new Map()));
  // Followers that are pushed may need to be aligned, which costs some of the room.
  for (let more = alignDown(Math.max(0, room), step); more > 0; more -= step) {
    const counts = new Map([[partition.number, partition.sectorCount + more]]);
    const places = placesFor(grown, request, counts);
    if (lastEnd(places) <= grown.usable.end) return { sizeBytes, places, resized: new Set(counts.keys()) };
  }
  return { sizeBytes, places: placesFor(grown, request, new Map()), resized: new Set() };
}

/** The partition that gets the new room: the one that was named, or the only one that can take it. */
function takerOf({ partitions }: DiskFacts, request: LayoutRequest): PartitionFacts {
  const able = partitions.filter((partition) => isCandidate(request, partition));
  const [only] = able;
  if (only !== undefined && able.length === 1) return only;
  const numbers = able.map(({ number }) => number).join(', ');
  throw usageError('which-partition', 'it does not say which partition gets the new room', {
    hint:
      able.length === 0
        ? 'none of them can be enlarged; vmreclaim move-extents --grow only makes the disk larger'
        : `name one with --partition or --size: ${numbers}`,
  });
}

/** Sectors behind the last usable one: the backup GPT with its header; none on an MBR disk. */
export function sectorsBehind({ gpt, table, sectorSize }: DiskFacts): number {
  return gpt === null || table !== 'gpt' ? 0 : 1 + Math.ceil((gpt.entryCount * gpt.entrySize) / sectorSize);
}

/** The facts of the same disk with another size: only the end of what partitions may use changes. */
export function withSize(facts: DiskFacts, sizeBytes: number): DiskFacts {
  if (sizeBytes === facts.sizeBytes) return facts;
  const end = Math.floor(sizeBytes / facts.sectorSize) - sectorsBehind(facts);
  return { ...facts, sizeBytes, usable: { ...facts.usable, end: lba(end) } };
}
