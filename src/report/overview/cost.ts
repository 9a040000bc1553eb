import { GIB } from '../../core/units.js';
import type { Cost } from './types.js';

/** Money for bytes, rounded to hundredths; null without a price. */
export function costOf(bytes: number, cost: Cost | null): number | null {
  return cost === null ? null : Math.round((bytes / GIB) * cost.perGib * 100) / 100;
}

/** `1,234.50 EUR`: the same on every machine. */
export function formatMoney(value: number, cost: Cost | null): string {
  const [whole = '', cents] = Math.abs(value).toFixed(2).split('.');
  const digits = `${value < 0 ? '-' : ''}${whole.replace(/\B(?=(?:\d{3})+$)/g, ',')}.${cents}`;
  return cost?.currency == null ? digits : `${digits} ${cost.currency}`;
}
