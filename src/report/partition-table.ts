import { formatExactSize, formatPercent, formatSize } from '../core/size.js';
import type { DiskFacts } from '../inspect/types.js';
import { type Painter, painter } from './paint.js';
import type { DiskDocument, PartitionDocument } from './scan-json.js';
import { type Column, renderTable } from './table.js';
import type { RenderOptions } from './types.js';

const NOT_KNOWN = '-';

const COLUMNS: readonly Column[] = [
  { title: '#', align: 'right' },
  { title: 'type', least: 6 },
  { title: 'fs', least: 'ntfs, dirty'.length },
  { title: 'label', least: 5 },
  { title: 'start LBA', align: 'right' },
  { title: 'size', align: 'right' },
  { title: 'used', align: 'right' },
  { title: 'free', align: 'right' },
  { title: 'aligned' },
];

/** The partitions of one disk, a line each. */
export function partitionTable(
  facts: DiskFacts,
  disk: DiskDocument,
  options: RenderOptions,
): readonly string[] {
  const paint = painter(options);
  const typeNames = facts.partitions.map((partition) => partition.typeName);
  const rows = disk.partitions.map((partition, index) => row(partition, typeNames[index] ?? '', paint));
  return renderTable(COLUMNS, rows, options);
}

function row(partition: PartitionDocument, typeName: string, paint: Painter): readonly string[] {
  const { filesystem } = partition;
  return [
    String(partition.number),
    paint.text(typeName) + (partition.active ? ', active' : ''),
    filesystemCell(partition, paint),
    paint.text(filesystem?.label ?? ''),
    String(partition.startLba),
    formatSize(partition.sizeBytes),
    sizeCell(filesystem?.usedBytes ?? null),
    freeCell(partition),
    alignedCell(partition, paint),
  ];
}

function filesystemCell({ filesystem }: PartitionDocument, paint: Painter): string {
  if (filesystem === null) return NOT_KNOWN;
  const kind = paint.text(filesystem.kind);
  const quiet = filesystem.state === 'clean' || filesystem.state === 'unknown';
  return quiet ? kind : `${kind}, ${paint.warn(filesystem.state)}`;
}

function sizeCell(bytes: number | null): string {
  return bytes === null ? NOT_KNOWN : formatSize(bytes);
}

function freeCell({ filesystem }: PartitionDocument): string {
  const free = filesystem?.freeBytes ?? null;
  const total = filesystem?.totalBytes ?? null;
  return free === null || total === null ? NOT_KNOWN : formatPercent(free, total);
}

/** `yes, 1 MiB`: the verdict, and the largest power of two the start is a multiple of. */
function alignedCell(partition: PartitionDocument, paint: Painter): string {
  if (partition.kind === 'extended') return NOT_KNOWN;
  const value = partition.alignmentBytes === 0 ? '' : `, ${formatExactSize(partition.alignmentBytes)}`;
  return partition.aligned
    ? paint.good(`yes${value}`)
    : paint.bad(`no, ${formatExactSize(partition.alignmentBytes)}`);
}
