/** A disk as the map draws it. Sizes and places are bytes. */
export interface MapDisk {
  readonly sizeBytes: number;
  readonly partitions: readonly MapPartition[];
}

export interface MapPartition {
  readonly number: number;
  /** An extended partition: what it holds is drawn, not the container. */
  readonly container: boolean;
  readonly startLba: number;
  readonly startBytes: number;
  readonly sizeBytes: number;
  readonly filesystem: string | null;
  readonly label: string | null;
  /** Null where nothing tells. */
  readonly usedBytes: number | null;
  readonly aligned: boolean;
}

/** A piece of the bar: one partition, several too small to be told apart, or (none) unallocated space. */
export interface Segment {
  readonly partitions: readonly MapPartition[];
  readonly sizeBytes: number;
}

export interface SizedSegment extends Segment {
  /** Columns, its left border included. */
  readonly cells: number;
}

/** Columns that a segment needs at least: border, number, mark and one of filling; a gap: border and one dot. */
function minimumCells({ partitions }: Segment): number {
  const [first] = partitions;
  if (first === undefined) return 2;
  return partitions.length === 1 ? 3 + String(first.number).length : 4;
}

/**
 * The disk as pieces that fit `cells` columns, in order of place. Never throws: partitions of a damaged disk
 * may overlap or lie outside, they are cut to what is left for them.
 */
export function layOutSegments(disk: MapDisk, cells: number): SizedSegment[] {
  const bytesPerCell = Math.max(1, disk.sizeBytes) / cells;
  const drawn = segmentsOf(disk).filter(
    (segment) => segment.partitions.length > 0 || segment.sizeBytes >= bytesPerCell,
  );
  return distribute(foldToFit(drawn, cells, bytesPerCell), cells);
}

function segmentsOf(disk: MapDisk): Segment[] {
  const inOrder = disk.partitions
    .filter((partition) => !partition.container)
    .sort((a, b) => a.startBytes - b.startBytes);
  const segments: Segment[] = [];
  let at = 0;
  for (const partition of inOrder) {
    const start = Math.min(Math.max(partition.startBytes, at), disk.sizeBytes);
    const end = Math.min(Math.max(partition.startBytes + partition.sizeBytes, start), disk.sizeBytes);
    if (start > at) segments.push({ partitions: [], sizeBytes: start - at });
    segments.push({ partitions: [partition], sizeBytes: end - start });
    at = Math.max(at, end);
  }
  if (disk.sizeBytes > at) segments.push({ partitions: [], sizeBytes: disk.sizeBytes - at });
  return segments;
}

/**
 * Joins neighbours that are too small to be drawn apart until the rest fits. What "too small" means doubles
 * in each round, so this ends: at the latest when all is one piece.
 */
function foldToFit(segments: readonly Segment[], cells: number, bytesPerCell: number): Segment[] {
  let folded = [...segments];
  for (let factor = 1; folded.length > 1 && neededCells(folded) > cells; factor *= 2) {
    const isSmall = (segment: Segment) => segment.sizeBytes / bytesPerCell < minimumCells(segment) * factor;
    folded = joinNeighbours(folded, isSmall);
  }
  return folded;
}

function neededCells(segments: readonly Segment[]): number {
  return segments.reduce((sum, segment) => sum + minimumCells(segment), 0);
}

function joinNeighbours(segments: readonly Segment[], isSmall: (segment: Segment) => boolean): Segment[] {
  const joined: { partitions: MapPartition[]; sizeBytes: number; small: boolean }[] = [];
  for (const segment of segments) {
    const last = joined.at(-1);
    const small = isSmall(segment);
    if (last?.small === true && small) {
      last.partitions.push(...segment.partitions);
      last.sizeBytes += segment.sizeBytes;
    } else {
      joined.push({ partitions: [...segment.partitions], sizeBytes: segment.sizeBytes, small });
    }
  }
  return joined;
}

/**
 * Columns in proportion to bytes, except that nothing gets less than its minimum: segments below it are set
 * first, the others share what is left, and rounding is by running total, so that the sum is exact.
 */
function distribute(segments: readonly Segment[], cells: number): SizedSegment[] {
  const fixed = fixedSegments(segments, cells);
  let cellsLeft = cells - neededCells([...fixed]);
  let bytesLeft = segments.reduce((sum, segment) => sum + (fixed.has(segment) ? 0 : segment.sizeBytes), 0);
  return segments.map((segment) => {
    if (fixed.has(segment)) return { ...segment, cells: minimumCells(segment) };
    const share = Math.round((segment.sizeBytes / bytesLeft) * cellsLeft);
    cellsLeft -= share;
    bytesLeft -= segment.sizeBytes;
    return { ...segment, cells: share };
  });
}

function fixedSegments(segments: readonly Segment[], cells: number): Set<Segment> {
  const fixed = new Set<Segment>();
  for (;;) {
    const cellsLeft = cells - neededCells([...fixed]);
    const free = segments.filter((segment) => !fixed.has(segment));
    const bytesLeft = free.reduce((sum, segment) => sum + segment.sizeBytes, 0);
    const tooSmall = free.filter(
      (segment) => segment.sizeBytes * cellsLeft <= minimumCells(segment) * bytesLeft,
    );
    if (tooSmall.length === 0) return fixed;
    for (const segment of tooSmall) fixed.add(segment);
  }
}
