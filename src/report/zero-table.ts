import { formatSize } from '../core/size.js';
import type { ZeroArea, ZeroPlan } from '../plan/types.js';
import type { Painter } from './paint.js';
import { type Column, renderTable } from './table.js';
import type { RenderOptions } from './types.js';

const COLUMNS: readonly Column[] = [
  { title: '#', align: 'right' },
  { title: 'what', least: 10 },
  { title: 'size', align: 'right' },
  { title: 'to look at', align: 'right' },
  { title: 'to clear', align: 'right' },
];

const NAMES: Readonly<Record<ZeroArea['kind'], string>> = {
  gaps: 'unallocated space',
  free: 'free space',
  swap: 'swap, but its header',
  pagefile: 'page files',
};

/** What `zero` leaves alone, and why. */
export const skippedLines = ({ skipped }: ZeroPlan, paint: Painter): readonly string[] =>
  skipped.map(({ number, message }) => `partition ${number} is left alone: ${paint.text(message)}`);

/** What `zero` looks at and clears, how, and what it leaves alone. */
export function zeroLines(zero: ZeroPlan, paint: Painter, options: RenderOptions): readonly string[] {
  const size = (bytes: number | null) => (bytes === null ? '-' : formatSize(bytes));
  const rows = zero.areas.map(({ kind, number, bytes, bytesToRead, bytesToClear }) => [
    number === null ? '' : String(number),
    NAMES[kind],
    size(bytes),
    size(bytesToRead),
    bytesToClear === null ? 'what is not zero' : size(bytesToClear),
  ]);
  return [
    ...(rows.length === 0 ? [] : renderTable(COLUMNS, rows, options)),
    ...skippedLines(zero, paint),
    zero.punch ? 'blocks are given back where the store can' : 'zeros are written; no hole is filled',
  ];
}
