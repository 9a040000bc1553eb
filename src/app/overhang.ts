import { refused } from '../core/errors.js';
import type { Reader } from '../device/types.js';
import { windowReader } from '../device/window.js';
import { probeFilesystem } from '../inspect/registry.js';
import type { DiskFacts } from '../inspect/types.js';

/**
 * Throws Refused (volume-overhang) when a file system goes on behind the end of its partition: whoever cut the partition, or wrote
 * its table, left files there, and giving the partition its old size brings them back. Until then nothing behind it is free, to
 * be cleared, moved over or cut off, though no partition holds it.
 */
export async function refuseOverhang(disk: Reader, { partitions, sectorSize }: DiskFacts): Promise<void> {
  for (const { number, kind, startLba, sectorCount, filesystem } of partitions) {
    if (kind === 'extended' || filesystem?.state !== 'damaged') continue;
    const at = startLba * sectorSize;
    if (at >= disk.sizeBytes) continue;
    // As if it had all of the disk behind it: then it is not damaged for that reason, and says how long it is.
    const rest = windowReader(disk, at, disk.sizeBytes - at, `partition ${number}`);
    const total = (await probeFilesystem(rest))?.facts.totalBytes ?? 0;
    if (total <= sectorCount * sectorSize) continue;
    throw refused(
      'volume-overhang',
      `the ${filesystem.kind} of partition ${number} goes on behind the end of its partition`,
      {
        expected: `at most ${sectorCount * sectorSize} bytes`,
        actual: total,
        hint: 'what is there is not unused: give the partition its old size in the table before anything else',
      },
    );
  }
}
