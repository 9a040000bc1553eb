import { formatExactSize, formatSize } from '../core/size.js';
import type { DiskFacts, PartitionFacts } from '../inspect/types.js';
import { diskMap, mapKey, mapOfDocument } from './disk-map.js';
import { errorDocument } from './error.js';
import { counted, reasonLines } from './notes.js';
import { type Painter, painter } from './paint.js';
import { partitionTable } from './partition-table.js';
import { findingsOf, RECLAIM_FINDING_BYTES, scanExitCode } from './scan-check.js';
import {
  type DiskDocument,
  type GuestDocument,
  type ScanDocument,
  type ScanInput,
  scanDocument,
  sortedFacts,
  sortedFailures,
} from './scan-json.js';
import { type Column, renderTable } from './table.js';
import { wrapText } from './text-width.js';
import type { Rendered, RenderOptions } from './types.js';

export interface ScanTableOptions extends RenderOptions {
  /** A block for every disk, however many there are. */
  readonly details?: boolean;
  /** `scan --check`: findings decide the exit code. */
  readonly check?: boolean;
}

/** More disks than this are a line each. */
const MOST_BLOCKS = 3;

/** A scan for a terminal: a block with a map per disk, or a line per disk when there are many; totals last. */
export function renderScanTable(input: ScanInput, options: ScanTableOptions): Rendered {
  const paint = painter(options);
  const document = scanDocument(input);
  const facts = sortedFacts(input);
  const blocks = options.details === true || facts.length <= MOST_BLOCKS;
  const disks = blocks ? diskBlocks(facts, document, options) : diskLines(document, options);
  const lines = [
    ...disks,
    ...failureLines(input, paint, options.width),
    ...totalLines(document, input.boundaryBytes, options.width),
    ...(options.check === true ? checkLines(document, paint, options.width) : []),
  ];
  const failures = sortedFailures(input).map((failure) => failure.error);
  return {
    text: `${lines.join('\n')}\n`,
    exitCode: scanExitCode(document, { check: options.check === true, failures }),
  };
}

function diskBlocks(
  facts: readonly DiskFacts[],
  document: ScanDocument,
  options: RenderOptions,
): readonly string[] {
  const blocks = document.disks.flatMap((disk, index) => {
    const seen = facts[index];
    return seen === undefined ? [] : [...diskBlock(seen, disk, options), ''];
  });
  const anyMap = document.disks.some((disk) => disk.partitions.length > 0);
  return anyMap ? [...blocks, ...wrapText(mapKey(options), options.width), ''] : blocks;
}

function diskBlock(facts: DiskFacts, disk: DiskDocument, options: RenderOptions): readonly string[] {
  const paint = painter(options);
  const { width } = options;
  const body =
    disk.partitions.length === 0
      ? ['no partitions']
      : [...diskMap(mapOfDocument(disk), options).split('\n'), ...partitionTable(facts, disk, options)];
  const partitionReasons = facts.partitions.flatMap(({ number, filesystem }) =>
    reasonLines(`partition ${number}`, filesystem?.reasons ?? [], paint, width),
  );
  const reclaim =
    disk.reclaimableBytes === 0 ? [] : [`can give back up to ${formatSize(disk.reclaimableBytes)}`];
  return [
    ...headingLines(disk, paint, width),
    ...body,
    ...reasonLines(stateText(disk, paint), facts.reasons, paint, width),
    ...partitionReasons,
    ...facts.partitions.flatMap((partition) => deepLines(partition, paint, width)),
    ...bootLines(facts, disk, paint, width),
    ...reasonLines(paint.warn('warning'), facts.warnings, paint, width),
    ...reclaim,
  ];
}

/** What would follow if partitions moved, and what stands against that. */
function bootLines(facts: DiskFacts, disk: DiskDocument, paint: Painter, width: number): readonly string[] {
  const follows = disk.bootFixups.filter(({ obstacle }) => obstacle === null);
  const named = follows.map(({ message, partition }) =>
    partition === null ? paint.text(message) : `${paint.text(message)} on partition ${partition}`,
  );
  return [
    ...(named.length === 0 ? [] : wrapText(`a move adapts: ${named.join(', ')}`, width, '    ')),
    ...facts.boot.flatMap(({ holds, title, obstacle }) =>
      obstacle === null || holds?.length === 0
        ? []
        : reasonLines(`a move of what ${paint.text(title)} names is refused`, [obstacle], paint, width),
    ),
  ];
}

/** What `--deep` found in a volume. */
function deepLines(
  { number, findings, resizing }: PartitionFacts,
  paint: Painter,
  width: number,
): readonly string[] {
  if (findings === undefined) return [];
  const title = { damage: paint.bad('damage'), note: 'note' };
  const found = findings.flatMap((finding) =>
    reasonLines(`partition ${number}, ${title[finding.severity]}`, [finding], paint, width),
  );
  const isSound = findings.every(({ severity }) => severity === 'note');
  const sound = isSound ? [`partition ${number}: ${paint.good('sound')}, every record was walked`] : found;
  const minimum = resizing?.minimum;
  const proven =
    minimum === undefined || minimum === null
      ? reasonLines(
          `partition ${number} cannot be shrunk`,
          resizing?.blocker ? [resizing.blocker] : [],
          paint,
          width,
        )
      : [
          `partition ${number}: can be shrunk to ${formatSize(minimum.recommendedBytes)}` +
            ` (${formatSize(minimum.technicalBytes)} without room for the guest to work)`,
        ];
  return [...(isSound ? [...found, ...sound] : found), ...proven].flatMap((line) =>
    wrapText(line, width, '    '),
  );
}

function headingLines(disk: DiskDocument, paint: Painter, width: number): readonly string[] {
  const allocated = disk.allocatedBytes === null ? '' : ` (${formatSize(disk.allocatedBytes)} allocated)`;
  const items = [
    `${formatSize(disk.sizeBytes)}${allocated}`,
    TABLE_NAMES[disk.table],
    paint.text(disk.createType),
    ...(disk.vm === null ? [] : [`VM ${paint.text(disk.vm.name)}`]),
    ...(disk.guest === null ? [] : [guestText(disk.guest, paint)]),
    stateText(disk, paint),
  ];
  return [
    ...wrapText(paint.strong(paint.text(disk.path)), width, '  '),
    ...wrapText(items.join(', '), width, '  '),
  ];
}

function guestText({ os, name, version }: GuestDocument, paint: Painter): string {
  const said = paint.text(name ?? (os === 'windows' ? 'Windows' : 'Linux'));
  // A Linux has its version in its name.
  return version === null || os === 'linux' ? said : `${said} (${paint.text(version)})`;
}

const TABLE_NAMES: Readonly<Record<DiskDocument['table'], string>> = {
  mbr: 'MBR',
  gpt: 'GPT',
  none: 'no partition table',
};

function stateText({ state }: DiskDocument, paint: Painter): string {
  if (state === 'ready') return paint.good(state);
  return state === 'damaged' ? paint.bad(state) : paint.warn(state);
}

const DISK_COLUMNS: readonly Column[] = [
  { title: 'disk', least: 16, cut: 'start' },
  { title: 'size', align: 'right' },
  { title: 'misaligned', align: 'right' },
  { title: 'used', align: 'right' },
  { title: 'reclaim', align: 'right' },
  { title: 'state', least: 8 },
];

function diskLines(document: ScanDocument, options: RenderOptions): readonly string[] {
  const paint = painter(options);
  const folder = commonFolder(document.disks.map((disk) => disk.path));
  const rows = document.disks.map((disk) => {
    const misaligned = disk.partitions.filter((partition) => !partition.aligned).length;
    const used = disk.partitions.reduce((sum, partition) => sum + (partition.filesystem?.usedBytes ?? 0), 0);
    const codes = disk.reasons.map((reason) => paint.text(reason.code)).join(', ');
    const share = `${misaligned} of ${disk.partitions.length}`;
    return [
      paint.text(disk.path.slice(folder.length)),
      formatSize(disk.sizeBytes),
      misaligned === 0 ? share : paint.bad(share),
      formatSize(used),
      formatSize(disk.reclaimableBytes),
      stateText(disk, paint) + (codes === '' ? '' : ` (${codes})`),
    ];
  });
  const heading = folder === '' ? [] : wrapText(`in ${paint.text(folder)}`, options.width, '  ');
  return [...heading, ...renderTable(DISK_COLUMNS, rows, options), ''];
}

/** The folder that all paths begin with, its `/` included: said once, so that what differs has room. */
function commonFolder(paths: readonly string[]): string {
  const [first = ''] = paths;
  let same = 0;
  while (same < first.length && paths.every((path) => path[same] === first[same])) same++;
  return first.slice(0, first.slice(0, same).lastIndexOf('/') + 1);
}

function failureLines(input: ScanInput, paint: Painter, width: number): readonly string[] {
  const lines = sortedFailures(input).flatMap(({ path, error }) =>
    reasonLines(`${paint.bad('error')} ${paint.text(path)}`, [errorDocument(error).error], paint, width),
  );
  return lines.length === 0 ? [] : [...lines, ''];
}

function totalLines(document: ScanDocument, boundaryBytes: number, width: number): readonly string[] {
  const { totals, errors } = document;
  const items = [
    counted(totals.disks, 'disk'),
    counted(totals.partitions, 'partition'),
    `${totals.misaligned} misaligned to ${formatExactSize(boundaryBytes)}`,
    formatSize(totals.sizeBytes),
    `${formatSize(totals.usedBytes)} used`,
    `up to ${formatSize(totals.reclaimableBytes)} to reclaim`,
    ...(errors.length === 0 ? [] : [counted(errors.length, 'error')]),
  ];
  return wrapText(items.join(', '), width, '  ');
}

function checkLines(document: ScanDocument, paint: Painter, width: number): readonly string[] {
  const findings = findingsOf(document);
  if (findings.length === 0) return [paint.good('check: nothing found')];
  const misaligned = findings.filter((finding) => finding.kind === 'misaligned').length;
  const line =
    `check: ${counted(misaligned, 'misaligned partition')}, ` +
    `${counted(findings.length - misaligned, 'disk')} with ${formatExactSize(RECLAIM_FINDING_BYTES)} or more to reclaim`;
  return wrapText(paint.bad(line), width, '  ');
}
