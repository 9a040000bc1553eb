import { formatSize } from '../core/size.js';
import { lbaToBytes } from '../core/units.js';
import type { Layout } from '../plan/types.js';
import { layOutSegments, type MapDisk, type MapPartition, type SizedSegment } from './map-segments.js';
import { type Painter, painter } from './paint.js';
import type { PartitionDocument } from './scan-json.js';
import { displayWidth, padText, truncateText } from './text-width.js';
import type { RenderOptions } from './types.js';

interface Glyphs {
  readonly border: string;
  readonly used: string;
  readonly free: string;
  readonly unknown: string;
  readonly gap: string;
}

const UNICODE_GLYPHS: Glyphs = { border: '│', used: '█', free: '░', unknown: '▒', gap: '·' };
const ASCII_GLYPHS: Glyphs = { border: '|', used: '#', free: '-', unknown: '=', gap: '.' };

/** Says "misaligned" without colour. */
const MISALIGNED_MARK = '!';
const ALIGNED_MARK = ' ';

/** A narrower bar would say nothing. */
const NARROWEST_BAR = 16;

const ITEM_GAP = '   ';

const glyphsOf = (options: RenderOptions): Glyphs => (options.unicode ? UNICODE_GLYPHS : ASCII_GLYPHS);

/** The disk of a scan or of a run's result, as the map draws it. */
export function mapOfDocument(disk: {
  readonly sizeBytes: number;
  readonly partitions: readonly PartitionDocument[];
}): MapDisk {
  const partitions = disk.partitions.map((partition) => ({
    number: partition.number,
    container: partition.kind === 'extended',
    startLba: partition.startLba,
    startBytes: partition.startBytes,
    sizeBytes: partition.sizeBytes,
    filesystem: partition.filesystem?.kind ?? null,
    label: partition.filesystem?.label ?? null,
    usedBytes: partition.filesystem?.usedBytes ?? null,
    aligned: partition.aligned,
  }));
  return { sizeBytes: disk.sizeBytes, partitions };
}

/** A layout of a plan, as the map draws it. */
export function mapOfLayout(layout: Layout, sectorSize: number): MapDisk {
  const partitions = layout.partitions.map((partition) => ({
    number: partition.number,
    container: partition.kind === 'extended',
    startLba: partition.startLba,
    startBytes: lbaToBytes(partition.startLba, sectorSize),
    sizeBytes: partition.sectorCount * sectorSize,
    filesystem: partition.filesystem,
    label: partition.label,
    usedBytes: partition.usedBytes,
    aligned: partition.aligned,
  }));
  return { sizeBytes: layout.sizeBytes, partitions };
}

/**
 * A bar of the disk, and below it a legend of what is drawn:
 *
 *     │1!█████████████░░░░░░░░░░░░░░░│2 ██████░░░░░│····│
 *      1! ntfs "System" 54.9 MiB at LBA 63   2  ext4 ...
 *
 * Boxes are in proportion to bytes, but never too small to be seen. Green and red say aligned and misaligned,
 * and so does the mark behind the number.
 */
export function diskMap(disk: MapDisk, options: RenderOptions): string {
  return [drawBar(disk, options.width, options), ...legend(disk, options.width, options)].join('\n');
}

/** Two maps of a disk on one scale, so that what moved and what is gained can be seen. */
export function beforeAfter(before: MapDisk, after: MapDisk, options: RenderOptions): string {
  const paint = painter(options);
  const titleWidth = 'before '.length;
  const width = Math.max(NARROWEST_BAR, options.width - titleWidth);
  const scaleBytes = Math.max(before.sizeBytes, after.sizeBytes, 1);
  const side = (title: string, disk: MapDisk) => {
    const columns = Math.max(NARROWEST_BAR, Math.round((width * disk.sizeBytes) / scaleBytes));
    const bar = `${paint.strong(padText(title, titleWidth))}${drawBar(disk, columns, options)}`;
    return [bar, ...legend(disk, width, options).map((line) => ' '.repeat(titleWidth) + line)];
  };
  return [...side('before', before), ...side('after', after)].join('\n');
}

/** What the glyphs of a map mean: once below any number of maps. */
export function mapKey(options: RenderOptions): string {
  const paint = painter(options);
  const glyphs = glyphsOf(options);
  const items = [
    `${glyphs.used} used`,
    `${glyphs.free} free`,
    `${glyphs.unknown} use unknown`,
    `${glyphs.gap} unallocated`,
    `${paint.bad(MISALIGNED_MARK)} misaligned`,
  ];
  return items.join(ITEM_GAP);
}

function drawBar(disk: MapDisk, width: number, options: RenderOptions): string {
  const columns = Math.max(NARROWEST_BAR, width);
  const paint = painter(options);
  const glyphs = glyphsOf(options);
  const segments = layOutSegments(disk, columns - 1);
  const drawn = segments.map((segment) => glyphs.border + drawSegment(segment, glyphs, paint)).join('');
  return padText(drawn, columns - 1) + glyphs.border;
}

function drawSegment(segment: SizedSegment, glyphs: Glyphs, paint: Painter): string {
  const [first, ...others] = segment.partitions;
  const inside = segment.cells - 1;
  if (first === undefined) return paint.dim(glyphs.gap.repeat(inside));
  if (others.length === 0) return tone(first, paint)(drawPartition(first, inside, glyphs));
  const worst = segment.partitions.find((partition) => !partition.aligned) ?? first;
  return tone(worst, paint)(padText(`+${others.length + 1}${markOf(worst)}`.slice(0, inside), inside));
}

function drawPartition(partition: MapPartition, inside: number, glyphs: Glyphs): string {
  const head = `${partition.number}${markOf(partition)}`.slice(0, inside);
  const room = inside - head.length;
  const { usedBytes, sizeBytes } = partition;
  if (usedBytes === null) return head + glyphs.unknown.repeat(room);
  const used = usedCells(usedBytes, sizeBytes, room);
  return head + glyphs.used.repeat(used) + glyphs.free.repeat(room - used);
}

/** Something used shows as one cell, something free as one, where there is room for both. */
function usedCells(usedBytes: number, sizeBytes: number, room: number): number {
  if (usedBytes <= 0) return 0;
  if (usedBytes >= sizeBytes) return room;
  const cells = Math.round((usedBytes / sizeBytes) * room);
  return Math.min(Math.max(cells, 1), Math.max(room - 1, 1), room);
}

const markOf = (partition: MapPartition): string => (partition.aligned ? ALIGNED_MARK : MISALIGNED_MARK);

function tone(partition: MapPartition, paint: Painter): (text: string) => string {
  return partition.aligned ? paint.good : paint.bad;
}

function legend(disk: MapDisk, width: number, options: RenderOptions): string[] {
  const paint = painter(options);
  const items = disk.partitions
    .filter((partition) => !partition.container)
    .map((partition) => legendItem(partition, width - 1, paint));
  const gaps = layOutSegments(disk, Math.max(NARROWEST_BAR, width) - 1).filter(
    (segment) => segment.partitions.length === 0,
  );
  const gapBytes = gaps.reduce((sum, gap) => sum + gap.sizeBytes, 0);
  if (gapBytes > 0) items.push(paint.dim(`unallocated ${formatSize(gapBytes)}`));
  return fillLines(items, width - 1).map((line) => ` ${line}`);
}

function legendItem(partition: MapPartition, width: number, paint: Painter): string {
  const mark = `${partition.number}${markOf(partition)}`;
  const label = partition.label === null ? '' : paint.text(partition.label);
  const named = label === '' ? '' : ` "${truncateText(label, LEGEND_LABEL, paint.ellipsis)}"`;
  const kind = paint.text(partition.filesystem ?? 'unknown');
  const rest = ` ${kind}${named} ${formatSize(partition.sizeBytes)} at LBA ${partition.startLba}`;
  return tone(partition, paint)(mark) + truncateText(rest, width - mark.length, paint.ellipsis);
}

/** Columns of a label in the legend; tables show it longer. */
const LEGEND_LABEL = 16;

function fillLines(items: readonly string[], width: number): string[] {
  const lines: string[] = [];
  for (const item of items) {
    const last = lines.at(-1);
    if (last !== undefined && displayWidth(last) + ITEM_GAP.length + displayWidth(item) <= width) {
      lines[lines.length - 1] = last + ITEM_GAP + item;
    } else {
      lines.push(item);
    }
  }
  return lines;
}
