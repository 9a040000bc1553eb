import { InvalidArgumentError } from 'commander';
import type { ScanSort } from '../report/scan-json.js';
import type { CommonOptions } from './options.js';

export interface ReportFlags extends CommonOptions {
  readonly boundary: number;
  readonly boundaryGiven?: boolean;
  readonly profile?: string;
  readonly from?: string;
  readonly format?: ReportFormat;
  readonly costPerGib?: number;
  readonly currency?: string;
  readonly sort: ScanSort;
}

export const REPORT_FORMATS = ['table', 'json', 'csv', 'markdown', 'html'] as const;
export type ReportFormat = (typeof REPORT_FORMATS)[number];

export interface HistoryFlags extends CommonOptions {
  readonly vm?: string;
  readonly since?: string;
  readonly until?: string;
  readonly scans?: boolean;
  readonly details?: boolean;
  readonly limit: number;
}

/** A count of at least one, with an end: `100`. */
export function countArgument(text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('A number from 1 to 999999.');
}

/** A price: `0.12`, `3`. */
export function priceArgument(text: string): number {
  if (/^\d{1,9}(?:\.\d{1,6})?$/.test(text)) return Number(text);
  throw new InvalidArgumentError('A price is a number such as 0.12.');
}

/** ISO 4217: three letters. */
export function currencyArgument(text: string): string {
  if (/^[A-Za-z]{3}$/.test(text)) return text.toUpperCase();
  throw new InvalidArgumentError('A currency is a code of three letters, such as EUR.');
}
