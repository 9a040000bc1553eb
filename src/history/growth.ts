import type { ScanRecord } from './types.js';

const DAY_MS = 24 * 60 * 60 * 1000;
/** A twelfth of 365.25 days. */
const MONTH_DAYS = 30.4375;
/** Older scans say little about the growth of today. */
const WINDOW_DAYS = 180;
/** Fewer scans, or closer together, are chance. */
const LEAST_SCANS = 3;
const LEAST_DAYS = 7;

/** Sums of a straight line through points (day, bytes), counted from the first point. */
interface Line {
  readonly originDay: number;
  readonly originBytes: number;
  earliestDay: number;
  latestDay: number;
  count: number;
  sumX: number;
  sumY: number;
  sumXX: number;
  sumXY: number;
}

/**
 * How fast file systems fill, from earlier scans: the slope of the straight line nearest to the used bytes of the last
 * 180 days (least squares). Takes records in any order, and keeps a few numbers for each partition.
 */
export class GrowthMeter {
  private readonly lines = new Map<string, Line>();

  /** `now`: milliseconds since 1970. */
  constructor(private readonly now: number) {}

  add({ disk, at, layout }: ScanRecord): void {
    const day = (Date.parse(at) - this.now) / DAY_MS;
    if (!(day > -WINDOW_DAYS && day <= 0)) return;
    for (const { number, usedBytes } of layout.partitions) {
      if (usedBytes !== null) this.point(`${number} ${disk}`, day, usedBytes);
    }
  }

  /** Bytes a month for a partition of a disk; null where there are too few scans. */
  perMonth(disk: string, number: number): number | null {
    const line = this.lines.get(`${number} ${disk}`);
    if (line === undefined || line.count < LEAST_SCANS) return null;
    const { count, sumX, sumY, sumXX, sumXY } = line;
    const spread = count * sumXX - sumX * sumX;
    if (line.latestDay - line.earliestDay < LEAST_DAYS || spread <= 0) return null;
    return Math.round(((count * sumXY - sumX * sumY) / spread) * MONTH_DAYS);
  }

  private point(key: string, day: number, bytes: number): void {
    const known = this.lines.get(key);
    if (known === undefined) {
      const sums = { count: 1, sumX: 0, sumY: 0, sumXX: 0, sumXY: 0 };
      this.lines.set(key, {
        originDay: day,
        originBytes: bytes,
        earliestDay: day,
        latestDay: day,
        ...sums,
      });
      return;
    }
    // From the first point on, so that sums of large numbers lose no digits.
    const x = day - known.originDay;
    const y = bytes - known.originBytes;
    known.earliestDay = Math.min(known.earliestDay, day);
    known.latestDay = Math.max(known.latestDay, day);
    known.count++;
    known.sumX += x;
    known.sumY += y;
    known.sumXX += x * x;
    known.sumXY += x * y;
  }
}
