import { formatSize } from '../../core/size.js';
import { layOutSegments, type MapDisk, type MapPartition, type SizedSegment } from '../map-segments.js';
import type { DiskRow } from '../overview/types.js';
import { html } from './escape.js';

/** Cells a map of the full width is divided into: what is small is still seen. */
const CELLS = 120;
const CELL = 8;
const HEIGHT = 20;
/** A disk that becomes tiny beside what it was still has room for its partitions. */
const LEAST_CELLS = 24;

/**
 * A disk today and, when something is recommended, as it would be, on one scale. Classes: u used, f free, r free and
 * given back, x use unknown, g unallocated, m the mark of a misaligned start, s the line between partitions.
 */
export function diskMaps({ maps: { today, planned }, sizeBytes, plannedBytes, actions }: DiskRow): string {
  if (today.partitions.length === 0) return '<p>no partitions</p>';
  const scale = Math.max(sizeBytes, plannedBytes, 1);
  const wanted = new Map(planned.partitions.map((partition) => [partition.number, partition.sizeBytes]));
  const first = row(
    'today',
    today,
    scale,
    (partition) => wanted.get(partition.number) ?? partition.sizeBytes,
  );
  if (actions.length === 0) return first;
  return first + row('planned', planned, scale, ({ sizeBytes: same }) => same);
}

function row(
  title: string,
  disk: MapDisk,
  scale: number,
  wantedOf: (partition: MapPartition) => number,
): string {
  const cells = Math.max(LEAST_CELLS, Math.round((disk.sizeBytes / scale) * CELLS));
  const drawing = paths(layOutSegments(disk, cells), wantedOf);
  const width = CELLS * CELL;
  const label = html(`${title}: ${formatSize(disk.sizeBytes)}`);
  const svg = `<svg viewBox="0 0 ${width} ${HEIGHT}" preserveAspectRatio=none role=img aria-label="${label}">${drawing}</svg>`;
  const legend = disk.partitions.filter(({ container }) => !container).map(legendItem);
  return `<p class=map>${label}: ${legend.join('; ')}</p>${svg}`;
}

function legendItem(partition: MapPartition): string {
  const { number, filesystem, label, sizeBytes, usedBytes, aligned } = partition;
  const named = label === null || label === '' ? '' : ` “${label}”`;
  const used = usedBytes === null ? '' : `, ${formatSize(usedBytes)} used`;
  const text = html(`${number} ${filesystem ?? 'unknown'}${named} ${formatSize(sizeBytes)}${used}`);
  return aligned ? text : `<i class=bad>${text}, misaligned</i>`;
}

/** One path a class, so that a map with a hundred partitions stays small. */
function paths(segments: readonly SizedSegment[], wantedOf: (partition: MapPartition) => number): string {
  const drawn = new Map<string, string>();
  const box = (kind: string, x: number, width: number) => {
    if (width <= 0) return;
    const round = (value: number) => Math.round(value * 10) / 10;
    drawn.set(kind, `${drawn.get(kind) ?? ''}M${round(x)} 0h${round(width)}v${HEIGHT}h${-round(width)}z`);
  };
  let x = 0;
  for (const { partitions, cells } of segments) {
    const width = cells * CELL;
    const [first] = partitions;
    if (first === undefined) box('g', x, width);
    else {
      fill(box, partitions.length === 1 ? first : null, x, width, wantedOf);
      box(
        partitions.every(({ aligned }) => aligned) ? 's' : 'm',
        x,
        partitions.every(({ aligned }) => aligned) ? 1 : 4,
      );
    }
    x += width;
  }
  return [...drawn].map(([kind, d]) => `<path class=${kind} d="${d}"/>`).join('');
}

/** Used bytes from the left, what would be given back at the right, free ones between. */
function fill(
  box: (kind: string, x: number, width: number) => void,
  partition: MapPartition | null,
  x: number,
  width: number,
  wantedOf: (partition: MapPartition) => number,
): void {
  if (partition === null || partition.usedBytes === null || partition.sizeBytes <= 0) {
    box('x', x, width);
    return;
  }
  const { usedBytes, sizeBytes } = partition;
  const share = (bytes: number) => Math.min(Math.max(bytes, 0) / sizeBytes, 1) * width;
  const used = Math.max(share(usedBytes), usedBytes > 0 ? 2 : 0);
  const given = Math.min(share(sizeBytes - wantedOf(partition)), width - used);
  box('u', x, used);
  box('f', x + used, width - used - given);
  box('r', x + width - given, given);
}
