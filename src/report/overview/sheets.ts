import { formatDuration, formatSize } from '../../core/size.js';
import { formatMoney } from './cost.js';
import type { DatastoreRow, DoneRow, Overview, SavingRow, VmRow } from './types.js';

/** What a cell holds: numbers stay numbers until a format writes them. */
export type CellKind =
  | 'text'
  | 'path'
  | 'list'
  | 'bytes'
  | 'count'
  | 'percent'
  | 'money'
  | 'seconds'
  | 'months'
  | 'time';
export type CellValue = string | number | readonly string[] | null;

export interface SheetColumn {
  /** The key of the JSON, and the heading of CSV. */
  readonly key: string;
  readonly title: string;
  readonly kind: CellKind;
  /** On a terminal it is not cut to less than this many characters. */
  readonly least?: number;
  /** Only where there is room: in CSV and HTML, and on wide terminals. */
  readonly wide?: true;
  /** Only in CSV: people see it elsewhere, or it follows from other columns. */
  readonly data?: true;
}

/** One table of the overview, for every format alike. */
export interface Sheet {
  readonly id: 'vm' | 'datastore' | 'saving' | 'done' | 'error';
  readonly title: string;
  readonly columns: readonly SheetColumn[];
  readonly rows: readonly (readonly CellValue[])[];
}

type Columns<Row> = readonly (SheetColumn & { readonly key: keyof Row & string })[];

const VM: Columns<VmRow> = [
  { key: 'name', title: 'VM', kind: 'text', least: 14 },
  { key: 'guestOs', title: 'guest', kind: 'text', wide: true },
  { key: 'sizeBytes', title: 'size', kind: 'bytes' },
  { key: 'usedBytes', title: 'used', kind: 'bytes' },
  { key: 'freeBytes', title: 'free', kind: 'bytes', wide: true },
  { key: 'freePercent', title: 'free %', kind: 'percent', wide: true },
  { key: 'alignment', title: 'alignment', kind: 'text', least: 10 },
  { key: 'reclaimableBytes', title: 'reclaimable', kind: 'bytes', wide: true },
  { key: 'actions', title: 'to do', kind: 'list' },
  { key: 'savedBytes', title: 'saves', kind: 'bytes' },
  { key: 'growthBytes', title: 'needs', kind: 'bytes', wide: true },
  { key: 'savedCost', title: 'worth', kind: 'money', wide: true },
  { key: 'state', title: 'state', kind: 'text', least: 7 },
  { key: 'categories', title: 'categories', kind: 'list', wide: true },
  { key: 'growthPerMonth', title: 'growth a month', kind: 'bytes', wide: true },
  { key: 'monthsLeft', title: 'full in', kind: 'months', wide: true },
  { key: 'disks', title: 'disks', kind: 'count', data: true },
  { key: 'partitions', title: 'partitions', kind: 'count', data: true },
  { key: 'misaligned', title: 'misaligned', kind: 'count', data: true },
  { key: 'plannedBytes', title: 'planned size', kind: 'bytes', data: true },
  { key: 'path', title: 'path', kind: 'path', data: true },
];

const DATASTORE: Columns<DatastoreRow> = [
  { key: 'name', title: 'datastore', kind: 'text' },
  { key: 'type', title: 'type', kind: 'text' },
  { key: 'capacityBytes', title: 'capacity', kind: 'bytes' },
  { key: 'usedBytes', title: 'used', kind: 'bytes' },
  { key: 'freeBytes', title: 'free', kind: 'bytes' },
  { key: 'disks', title: 'disks', kind: 'count' },
  { key: 'diskBytes', title: 'size of disks', kind: 'bytes', wide: true },
  { key: 'reclaimableBytes', title: 'reclaimable', kind: 'bytes' },
  { key: 'savedBytes', title: 'saves', kind: 'bytes' },
  { key: 'savedCost', title: 'worth', kind: 'money', wide: true },
  { key: 'path', title: 'path', kind: 'path', wide: true },
];

const SAVING: Columns<SavingRow> = [
  { key: 'folder', title: 'folder', kind: 'path' },
  { key: 'disks', title: 'disks', kind: 'count' },
  { key: 'sizeBytes', title: 'size', kind: 'bytes' },
  { key: 'usedBytes', title: 'used', kind: 'bytes' },
  { key: 'reclaimableBytes', title: 'reclaimable', kind: 'bytes' },
  { key: 'savedBytes', title: 'saves', kind: 'bytes' },
  { key: 'blockedBytes', title: 'blocked', kind: 'bytes', wide: true },
  { key: 'growthBytes', title: 'needs', kind: 'bytes' },
  { key: 'plannedBytes', title: 'planned size', kind: 'bytes', wide: true },
  { key: 'misaligned', title: 'misaligned', kind: 'count', wide: true },
  { key: 'savedCost', title: 'worth', kind: 'money' },
];

const DONE: Columns<DoneRow> = [
  { key: 'at', title: 'when', kind: 'time' },
  { key: 'command', title: 'run', kind: 'text' },
  { key: 'disk', title: 'disk', kind: 'path' },
  { key: 'vm', title: 'VM', kind: 'text', wide: true },
  { key: 'beforeBytes', title: 'before', kind: 'bytes' },
  { key: 'afterBytes', title: 'after', kind: 'bytes' },
  { key: 'savedBytes', title: 'saved', kind: 'bytes' },
  { key: 'savedCost', title: 'worth', kind: 'money', wide: true },
  { key: 'misalignedBefore', title: 'misaligned before', kind: 'count', wide: true },
  { key: 'misalignedAfter', title: 'misaligned after', kind: 'count', wide: true },
  { key: 'seconds', title: 'took', kind: 'seconds', wide: true },
  { key: 'by', title: 'by', kind: 'text', wide: true },
];

const ERROR: Columns<Overview['errors'][number]> = [
  { key: 'path', title: 'path', kind: 'path' },
  { key: 'code', title: 'code', kind: 'text' },
  { key: 'message', title: 'what is the matter', kind: 'text' },
];

/** The tables of an overview. Money has a column only where there is a price. */
export function sheetsOf(overview: Overview): Sheet[] {
  const priced = overview.cost !== null;
  return [
    sheet('vm', 'Virtual machines', VM, overview.vms, priced),
    sheet('datastore', 'Datastores', DATASTORE, overview.datastores, priced),
    sheet('saving', 'Projected savings', SAVING, overview.savings, priced),
    sheet('done', 'What was done', DONE, overview.done, priced),
    sheet('error', 'Not looked at', ERROR, overview.errors, priced),
  ];
}

function sheet<Row extends object>(
  id: Sheet['id'],
  title: string,
  all: Columns<Row>,
  rows: readonly Row[],
  priced: boolean,
): Sheet {
  const columns = all.filter(({ kind }) => priced || kind !== 'money');
  return { id, title, columns, rows: rows.map((row) => columns.map(({ key }) => row[key] as CellValue)) };
}

const isEmpty = (value: CellValue | undefined): boolean =>
  value == null || value === '' || (Array.isArray(value) && value.length === 0);

/**
 * The same table for people: without the columns that are data only, or that say nothing in any line, such as
 * categories without a profile.
 */
export function forPeople(sheet: Sheet): Sheet {
  const told = sheet.columns.map(
    ({ data }, index) => data !== true && sheet.rows.some((row) => !isEmpty(row[index])),
  );
  const columns = sheet.columns.filter((_, index) => told[index]);
  return { ...sheet, columns, rows: sheet.rows.map((row) => row.filter((_, index) => told[index])) };
}

/** Is a column of this kind set to the right? */
export const isNumeric = (kind: CellKind): boolean => !['text', 'path', 'list', 'time'].includes(kind);

/** A cell for people. Empty where there is nothing to say; text is as it came and still has to be made safe. */
export function cellText(value: CellValue, kind: CellKind, { cost }: Pick<Overview, 'cost'>): string {
  if (value === null) return '';
  if (typeof value !== 'number')
    return typeof value === 'string' ? timeOrText(value, kind) : value.join(', ');
  switch (kind) {
    case 'bytes':
      return formatSize(value);
    case 'percent':
      return `${value.toFixed(1)} %`;
    case 'money':
      return formatMoney(value, cost);
    case 'seconds':
      return formatDuration(value);
    case 'months':
      return `${value.toFixed(1)} months`;
    default:
      return String(value);
  }
}

/** `2026-11-23 04:20` of an ISO time in UTC. */
function timeOrText(value: string, kind: CellKind): string {
  return kind === 'time' ? value.slice(0, 16).replace('T', ' ') : value;
}
