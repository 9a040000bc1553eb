import { damaged } from '../core/errors.js';
import { standsAgainst } from './reference.js';
import type { BootSite, BootWrite } from './types.js';

/** A write, and whose it is. */
export interface SiteWrite {
  readonly site: BootSite;
  readonly write: BootWrite;
}

/**
 * The writes of all sites, each byte once. The same file may be found by two paths (hard links), and two values of a
 * hive may name one cell: what comes twice and says the same is one write. Throws Damaged, with the name to skip it
 * by, where two writes would put different bytes in the same place, or share a part of it.
 */
export function eachByteOnce(writes: readonly SiteWrite[]): BootWrite[] {
  const sorted = [...writes].sort((a, b) => partitionOf(a) - partitionOf(b) || a.write.at - b.write.at);
  const kept: SiteWrite[] = [];
  for (const next of sorted) {
    const last = kept.at(-1);
    if (last === undefined || !overlap(last.write, next.write)) kept.push(next);
    else if (!isSame(last.write, next.write)) throw shared(last, next);
  }
  return kept.map(({ write }) => write);
}

const partitionOf = ({ write }: SiteWrite): number => write.partition ?? 0;

const overlap = (before: BootWrite, after: BootWrite): boolean =>
  before.partition === after.partition && before.at + before.bytes.length > after.at;

const isSame = (a: BootWrite, b: BootWrite): boolean =>
  a.at === b.at &&
  a.bytes.length === b.bytes.length &&
  a.bytes.every((byte, index) => byte === b.bytes[index]);

function shared(a: SiteWrite, b: SiteWrite) {
  const whose = a.site === b.site ? 'two of its entries are' : `it and ${a.site.title} are`;
  const where = b.write.partition === null ? 'the disk' : `partition ${b.write.partition}`;
  return standsAgainst(
    b.site,
    damaged(
      'boot-bytes-shared',
      `${whose} stored in the same bytes of ${where}, and would need different ones`,
      {
        offset: b.write.at,
      },
    ),
  );
}
