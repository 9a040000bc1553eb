import { formatPercent, formatSize } from '../../core/size.js';
import { formatMoney } from './cost.js';
import type { Overview } from './types.js';

export interface SummaryLine {
  readonly key: string;
  readonly title: string;
  readonly value: string;
}

/** The totals in words, for every format that people read. */
export function summaryLines({ totals, cost, generatedAt }: Overview): SummaryLine[] {
  const money = (value: number | null) => (value === null ? '' : `, worth ${formatMoney(value, cost)}`);
  const blocked =
    totals.blockedBytes === 0
      ? ''
      : `, ${formatSize(totals.blockedBytes)} of it on disks that are refused today`;
  return [
    { key: 'generatedAt', title: 'made', value: `${generatedAt.slice(0, 16).replace('T', ' ')} UTC` },
    { key: 'disks', title: 'disks', value: `${totals.disks}, machines: ${totals.vms}` },
    { key: 'sizeBytes', title: 'size', value: formatSize(totals.sizeBytes) },
    {
      key: 'usedBytes',
      title: 'used',
      value: `${formatSize(totals.usedBytes)} (${formatPercent(totals.usedBytes, totals.sizeBytes)})`,
    },
    {
      key: 'misaligned',
      title: 'misaligned',
      value: `${totals.misaligned} of ${totals.partitions} partitions`,
    },
    { key: 'reclaimableBytes', title: 'reclaimable at most', value: formatSize(totals.reclaimableBytes) },
    {
      key: 'savedBytes',
      title: 'recommended saving',
      value: `${formatSize(totals.savedBytes)}${money(totals.savedCost)}${blocked}`,
    },
    { key: 'growthBytes', title: 'recommended growth', value: formatSize(totals.growthBytes) },
    {
      key: 'doneBytes',
      title: 'saved so far',
      value: `${formatSize(totals.doneBytes)}${money(totals.doneCost)}`,
    },
    ...(totals.errors === 0 ? [] : [{ key: 'errors', title: 'not looked at', value: String(totals.errors) }]),
  ];
}
