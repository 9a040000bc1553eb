import { formatCount, formatDuration, formatExactSize, formatSize } from '../core/size.js';
import type { LayoutPartition, Plan, PlannedFixup, PlannedMove, PlannedResize } from '../plan/types.js';
import { beforeAfter, mapKey, mapOfLayout } from './disk-map.js';
import { EXIT_DONE } from './error.js';
import { counted, reasonLines } from './notes.js';
import { type Painter, painter } from './paint.js';
import { type Column, renderTable } from './table.js';
import { wrapText } from './text-width.js';
import type { Rendered, RenderOptions } from './types.js';
import { skippedLines, zeroLines } from './zero-table.js';

/** A plan for a terminal: the disk before and after, what moves in which order and at which risk, what it costs. */
export function renderPlan(plan: Plan, options: RenderOptions): Rendered {
  const paint = painter(options);
  const lines = [
    headingLine(plan, paint),
    '',
    ...(plan.status === 'nothing-to-do' ? nothingToDo(plan, paint) : changeLines(plan, paint, options)),
    ...fixupLines(plan.fixups, paint),
  ].flatMap((line) => wrapText(line, options.width, '    '));
  const warnings = reasonLines(paint.warn('warning'), plan.warnings, paint, options.width);
  return { text: `${[...lines, ...warnings].join('\n')}\n`, exitCode: EXIT_DONE };
}

function headingLine(plan: Plan, paint: Painter): string {
  const { path, createType } = plan.disk;
  const disk = `${paint.text(path)} (${formatSize(plan.before.sizeBytes)}, ${paint.text(createType)})`;
  return `${paint.strong(plan.command)} ${disk}${goal(plan)}`;
}

function goal({ command, request }: Plan): string {
  if (command !== 'align' && command !== 'shrink') return '';
  const boundary = request.cylinders ? 'cylinders' : formatExactSize(request.boundaryBytes);
  return command === 'align' ? ` to ${boundary}` : `, aligned to ${boundary}`;
}

function nothingToDo(plan: Plan, paint: Painter): readonly string[] {
  const skipped = plan.zero === undefined ? [] : skippedLines(plan.zero, paint);
  return [paint.good(`nothing to do: ${NOTHING_TO_DO[plan.command]}`), ...skipped];
}

const NOTHING_TO_DO: Readonly<Record<Plan['command'], string>> = {
  align: 'every partition to be aligned is',
  'move-extents': 'every extent is where it is wanted',
  shrink: 'the disk is as small as was asked for',
  enlarge: 'every file system has the room that was asked for',
  zero: 'unused space is holes already',
};

function changeLines(plan: Plan, paint: Painter, options: RenderOptions): readonly string[] {
  if (plan.zero !== undefined) {
    const time = `about ${formatDuration(plan.estimatedSeconds)} to look at it`;
    return [...zeroLines(plan.zero, paint, options), time];
  }
  const { sectorSize } = plan.disk;
  const before = mapOfLayout(plan.before, sectorSize);
  const after = mapOfLayout(plan.after, sectorSize);
  return [
    ...beforeAfter(before, after, options).split('\n'),
    mapKey(options),
    '',
    ...extentTable(plan, paint, options),
    '',
    ...stepTexts(plan).map((text, index) => `${index + 1}. ${text}`),
    `copies ${formatSize(plan.bytesToCopy)} in ${workText(plan)}, about ${formatDuration(plan.estimatedSeconds)}`,
    diskSizeText(plan),
  ];
}

/** Everything in the order it is carried out. */
function stepTexts({ resizes, moves, disk }: Plan): string[] {
  const texts = (direction: PlannedResize['direction']) =>
    resizes.filter((resize) => resize.direction === direction).map(resizeText);
  return [...texts('shrink'), ...moves.map((move) => moveText(move, disk.sectorSize)), ...texts('enlarge')];
}

function workText({ moves, resizes }: Plan): string {
  const parts = [
    ...(resizes.length === 0 ? [] : [counted(resizes.length, 'resize')]),
    ...(moves.length === 0 && resizes.length > 0 ? [] : [counted(moves.length, 'move')]),
  ];
  return parts.join(' and ');
}

function resizeText({
  number,
  filesystem,
  direction,
  fromBytes,
  toBytes,
  relocatedBytes,
}: PlannedResize): string {
  const verb = direction === 'shrink' ? 'shrinks' : 'grows';
  const cost =
    relocatedBytes === null || direction === 'enlarge'
      ? ''
      : `; ${formatSize(relocatedBytes)} of files are copied below the new end first`;
  return `partition ${number}: ${filesystem} ${verb} from ${formatSize(fromBytes)} to ${formatSize(toBytes)}${cost}`;
}

const COLUMNS: readonly Column[] = [
  { title: '#', align: 'right' },
  { title: 'fs', least: 5 },
  { title: 'label', least: 5 },
  { title: 'start LBA' },
  { title: 'size' },
  { title: 'aligned' },
];

function extentTable(plan: Plan, paint: Painter, options: RenderOptions): readonly string[] {
  const { sectorSize } = plan.disk;
  const later = new Map(plan.after.partitions.map((partition) => [partition.number, partition]));
  const rows = plan.before.partitions.map((old) => {
    const now = later.get(old.number);
    const change = (from: string, to: string | undefined) =>
      to === undefined || from === to ? from : `${from} ${paint.arrow} ${to}`;
    const size = (partition: LayoutPartition) => formatSize(partition.sectorCount * sectorSize);
    return [
      String(old.number),
      paint.text(old.kind === 'extended' ? old.kind : (old.filesystem ?? 'unknown')),
      paint.text(old.label ?? ''),
      change(String(old.startLba), now && String(now.startLba)),
      change(size(old), now && size(now)),
      alignedCell(old, now ?? old, paint),
    ];
  });
  return renderTable(COLUMNS, rows, options);
}

function alignedCell(before: LayoutPartition, after: LayoutPartition, paint: Painter): string {
  if (before.kind === 'extended') return '-';
  const verdict = (partition: LayoutPartition) => (partition.aligned ? paint.good('yes') : paint.bad('no'));
  if (before.aligned === after.aligned) return verdict(after);
  return `${verdict(before)} ${paint.arrow} ${verdict(after)}`;
}

/** What a crash in the middle of a move costs, said the way an operator has to decide on it. */
function moveText(move: PlannedMove, sectorSize: number): string {
  const distance = Math.abs(move.toLba - move.fromLba);
  return (
    `partition ${move.number} moves ${move.direction} by ${formatCount(distance)} ${distance === 1 ? 'sector' : 'sectors'} ` +
    `(${formatSize(distance * sectorSize)}), LBA ${move.fromLba} to ${move.toLba}; ` +
    `${copiesText(move)}, about ${formatDuration(move.estimatedSeconds)}; ${safetyText(move)}`
  );
}

function copiesText({ copiedBy, copies, bytesToCopy }: PlannedMove): string {
  if (copiedBy === 'shift') return 'copies nothing';
  return `copies ${formatSize(bytesToCopy)} (${copies === 'used' ? 'used ranges only' : 'all of it'})`;
}

function safetyText({ mode, copiedBy, spill, windowBytes }: PlannedMove): string {
  if (copiedBy === 'shift')
    return 'shifted inside the file by its file system: the map of the file is saved to the journal first';
  if (spill === 'shared')
    return `journaled: each window shares its blocks with the journal first, ${formatSize(windowBytes)}`;
  if (mode === 'journaled')
    return `journaled: each window is saved to the journal first, ${formatSize(windowBytes)}`;
  const how = copiedBy === 'store' ? ', copied inside the store where it can' : '';
  return `direct: restartable without a journal copy${how}`;
}

function diskSizeText(plan: Plan): string {
  const { sizeBytes } = plan.after;
  if (plan.savedBytes > 0) {
    return `the disk shrinks by ${formatSize(plan.savedBytes)} to ${formatSize(sizeBytes)}`;
  }
  if (plan.savedBytes < 0) {
    return `the disk grows by ${formatSize(-plan.savedBytes)} to ${formatSize(sizeBytes)}`;
  }
  return `the disk stays at ${formatSize(sizeBytes)}`;
}

function fixupLines(fixups: readonly PlannedFixup[], paint: Painter): readonly string[] {
  return fixups.map(({ kind, partition, message }) => {
    const where = partition === null ? '' : `partition ${partition}: `;
    return `fix-up: ${where}${paint.text(message)} ${paint.dim(`[${paint.text(kind)}]`)}`;
  });
}
