/** A stretch of bytes: [at, at + length). */
export interface ByteRange {
  readonly at: number;
  readonly length: number;
}

/** First byte behind the range. */
export const rangeEnd = (range: ByteRange): number => range.at + range.length;

/** True when the two ranges share a byte. */
export function intersects(a: ByteRange, b: ByteRange): boolean {
  return a.at < rangeEnd(b) && b.at < rangeEnd(a) && a.length > 0 && b.length > 0;
}

/** The bytes both ranges hold, or undefined. */
export function intersection(a: ByteRange, b: ByteRange): ByteRange | undefined {
  const at = Math.max(a.at, b.at);
  const end = Math.min(rangeEnd(a), rangeEnd(b));
  return end > at ? { at, length: end - at } : undefined;
}

/**
 * Joins ranges whose gap is at most maxGap. Input must be sorted by start; overlaps are joined too.
 * Small gaps are worth copying: one long sequential access is cheaper than two short ones.
 */
export function mergeRanges(ranges: Iterable<ByteRange>, maxGap = 0): ByteRange[] {
  const merged: { at: number; length: number }[] = [];
  for (const range of ranges) {
    if (range.length === 0) continue;
    const last = merged.at(-1);
    if (last !== undefined && range.at - rangeEnd(last) <= maxGap) {
      last.length = Math.max(rangeEnd(last), rangeEnd(range)) - last.at;
    } else {
      merged.push({ at: range.at, length: range.length });
    }
  }
  return merged;
}

/** The parts of `ranges` that lie inside `holder`. Input sorted; output sorted. */
export function clipRanges(ranges: Iterable<ByteRange>, holder: ByteRange): ByteRange[] {
  const clipped: ByteRange[] = [];
  for (const range of ranges) {
    const part = intersection(range, holder);
    if (part !== undefined) clipped.push(part);
  }
  return clipped;
}

/** The bytes of both sorted, non-overlapping lists. */
export function intersectLists(a: readonly ByteRange[], b: readonly ByteRange[]): ByteRange[] {
  const common: ByteRange[] = [];
  let i = 0;
  let j = 0;
  for (;;) {
    const left = a[i];
    const right = b[j];
    if (left === undefined || right === undefined) return common;
    const part = intersection(left, right);
    if (part !== undefined) common.push(part);
    if (rangeEnd(left) < rangeEnd(right)) i++;
    else j++;
  }
}

/** The bytes of `holder` that no range of the sorted list covers. */
export function complement(ranges: readonly ByteRange[], holder: ByteRange): ByteRange[] {
  const gaps: ByteRange[] = [];
  if (holder.length === 0) return gaps;
  let at = holder.at;
  for (const range of ranges) {
    if (range.at > at) gaps.push({ at, length: Math.min(range.at, rangeEnd(holder)) - at });
    at = Math.max(at, rangeEnd(range));
    if (at >= rangeEnd(holder)) return gaps;
  }
  if (at < rangeEnd(holder)) gaps.push({ at, length: rangeEnd(holder) - at });
  return gaps;
}
