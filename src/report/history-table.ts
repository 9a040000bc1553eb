import { formatDuration, formatSize } from '../core/size.js';
import type { HistoryRecord, RecordedLayout, RunRecord } from '../history/types.js';
import { beforeAfter, diskMap, mapKey } from './disk-map.js';
import { EXIT_DONE } from './error.js';
import type { MapDisk } from './map-segments.js';
import { counted } from './notes.js';
import { type Painter, painter } from './paint.js';
import { type Column, renderTable } from './table.js';
import { wrapText } from './text-width.js';
import type { Rendered, RenderOptions } from './types.js';

/** The value of `vmreclaim history`, and its JSON. */
export interface HistoryDocument {
  readonly formatVersion: 1;
  /** Oldest first. */
  readonly records: readonly HistoryRecord[];
  /** Older ones that were asked for, beyond `--limit`. */
  readonly leftOut: number;
  /** Lines of the files that no record could be read from. */
  readonly damagedLines: number;
  readonly totals: { readonly runs: number; readonly done: number; readonly savedBytes: number };
}

/** The document of records that were selected. */
export function historyDocument(
  records: readonly HistoryRecord[],
  leftOut: number,
  damagedLines: number,
): HistoryDocument {
  const ordered = [...records].sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
  const runs = ordered.filter((record) => record.kind === 'run');
  const done = runs.filter(({ status }) => status === 'done');
  const savedBytes = done.reduce((sum, run) => sum + run.savedBytes, 0);
  return {
    formatVersion: 1,
    records: ordered,
    leftOut,
    damagedLines,
    totals: { runs: runs.length, done: done.length, savedBytes },
  };
}

/** From so many columns on there is room for what the `--details` tell as well. */
const WIDE_TERMINAL = 100;

const COLUMNS: readonly (Column & { readonly wide?: true })[] = [
  { title: 'when (UTC)' },
  { title: 'what', least: 5 },
  { title: 'disk', least: 12, cut: 'start' },
  { title: 'ended', least: 8 },
  { title: 'size', align: 'right' },
  { title: 'saved', align: 'right' },
  { title: 'used', align: 'right', wide: true },
  { title: 'took', align: 'right', wide: true },
];

/** The history for a terminal: a line for each record, or with `details` a block with maps. */
export function renderHistory(
  document: HistoryDocument,
  options: RenderOptions & { readonly details?: boolean },
): Rendered {
  const paint = painter(options);
  const { records } = document;
  const body =
    options.details === true
      ? records.flatMap((record) => [...block(record, options, paint), ''])
      : table(records, options, paint);
  const lines = [...body, ...wrapText(totalLine(document), options.width, '  ')];
  return { text: `${lines.join('\n')}\n`, exitCode: EXIT_DONE };
}

function table(records: readonly HistoryRecord[], options: RenderOptions, paint: Painter): string[] {
  if (records.length === 0) return [];
  const rows = records.map((record) => [
    whenText(record),
    paint.text(whatOf(record)),
    paint.text(record.disk),
    endText(record, paint),
    sizeText(record, paint),
    record.kind === 'run' && record.savedBytes !== 0 ? formatSize(record.savedBytes) : '',
    usedText(layoutOf(record)),
    record.kind === 'run' ? formatDuration(record.seconds) : '',
  ]);
  const isShown = ({ wide }: { readonly wide?: true } = {}) =>
    wide !== true || options.width >= WIDE_TERMINAL;
  const shown = rows.map((row) => row.filter((_, index) => isShown(COLUMNS[index])));
  return [...renderTable(COLUMNS.filter(isShown), shown, options), ''];
}

const whenText = ({ at }: HistoryRecord): string => at.slice(0, 16).replace('T', ' ');
const whatOf = (record: HistoryRecord): string => (record.kind === 'run' ? record.command : 'scan');
const layoutOf = (record: HistoryRecord): RecordedLayout | null =>
  record.kind === 'run' ? (record.after ?? record.before) : record.layout;

function endText(record: HistoryRecord, paint: Painter): string {
  if (record.kind === 'scan') return paint.text(record.state);
  if (record.status !== 'failed')
    return record.status === 'done' ? paint.good('done') : paint.dim(record.status);
  return paint.bad(`${paint.text(record.error?.code ?? 'failed')} (${record.exitCode})`);
}

function sizeText(record: HistoryRecord, paint: Painter): string {
  if (record.kind === 'scan') return formatSize(record.layout.sizeBytes);
  const { before, after } = record;
  if (before === null || after === null) return '';
  if (before.sizeBytes === after.sizeBytes) return formatSize(after.sizeBytes);
  return `${formatSize(before.sizeBytes)} ${paint.arrow} ${formatSize(after.sizeBytes)}`;
}

function usedText(layout: RecordedLayout | null): string {
  const told = layout?.partitions.flatMap(({ usedBytes }) => usedBytes ?? []) ?? [];
  return told.length === 0 ? '' : formatSize(told.reduce((sum, bytes) => sum + bytes, 0));
}

function block(record: HistoryRecord, options: RenderOptions, paint: Painter): string[] {
  const title = `${whenText(record)} UTC  ${paint.strong(whatOf(record))} ${paint.text(record.disk)}: ${endText(record, paint)}`;
  const lines = [
    title,
    ...(record.kind === 'run' ? runLines(record, paint) : [`by ${paint.text(record.by)}`]),
  ];
  return [...lines.flatMap((line) => wrapText(line, options.width, '    ')), ...maps(record, options)];
}

function runLines(run: RunRecord, paint: Painter): string[] {
  const saved = run.savedBytes === 0 ? [] : [`saved ${formatSize(run.savedBytes)}`];
  const facts = [
    `by ${paint.text(run.by)}`,
    `took ${formatDuration(run.seconds)}`,
    `copied ${formatSize(run.bytesCopied)}`,
    ...saved,
    ...(run.runId === null ? [] : [`run ${paint.text(run.runId)}`]),
  ];
  const error = run.error === null ? [] : [paint.bad(paint.text(run.error.message))];
  const fixups = run.fixups.map(
    ({ kind, message }) => `fixed: ${paint.text(message)} ${paint.dim(`[${paint.text(kind)}]`)}`,
  );
  const steps = (run.steps ?? []).map(
    ({ step, status, message }) => `${step} ${status}: ${paint.text(message)}`,
  );
  return [facts.join(', '), ...error, ...fixups, ...steps];
}

function maps(record: HistoryRecord, options: RenderOptions): string[] {
  if (record.kind === 'scan') return drawn(diskMap(mapOf(record.layout), options), options);
  const { before, after } = record;
  if (before === null || after === null) return [];
  return drawn(beforeAfter(mapOf(before), mapOf(after), options), options);
}

const drawn = (map: string, options: RenderOptions): string[] => [
  ...map.split('\n'),
  ...wrapText(mapKey(options), options.width),
];

function mapOf({ sizeBytes, partitions }: RecordedLayout): MapDisk {
  return {
    sizeBytes,
    partitions: partitions.map((partition) => ({ ...partition, container: partition.kind === 'extended' })),
  };
}

function totalLine({ records, leftOut, damagedLines, totals }: HistoryDocument): string {
  const items = [
    counted(records.length, 'record'),
    `${totals.done} of ${counted(totals.runs, 'run')} done`,
    `${formatSize(totals.savedBytes)} saved`,
    ...(leftOut === 0 ? [] : [`${leftOut} older ones left out (--limit)`]),
    ...(damagedLines === 0 ? [] : [`${counted(damagedLines, 'damaged line')} left out`]),
  ];
  return items.join(', ');
}
