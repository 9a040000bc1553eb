import type { DiskFacts } from '../inspect/types.js';
import { placeOf } from './check.js';
import type { Places } from './place.js';
import type { PlannedResize } from './types.js';

/**
 * The file systems that must get another size for these places. A partition that only becomes larger because its end
 * is rounded up (not in `resized`) keeps its file system as it is.
 */
export function planResizes(facts: DiskFacts, places: Places, resized: ReadonlySet<number>): PlannedResize[] {
  const resizes: PlannedResize[] = [];
  for (const partition of facts.partitions) {
    const { number, kind, filesystem } = partition;
    if (kind === 'extended' || filesystem === null || !resized.has(number)) continue;
    const fromBytes = partition.sectorCount * facts.sectorSize;
    const toBytes = placeOf(places, partition).sectorCount * facts.sectorSize;
    if (toBytes === fromBytes) continue;
    resizes.push({
      number,
      filesystem: filesystem.kind,
      direction: toBytes < fromBytes ? 'shrink' : 'enlarge',
      fromBytes,
      toBytes,
      relocatedBytes: null,
    });
  }
  return resizes;
}
