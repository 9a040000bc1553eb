import { refused } from '../../core/errors.js';
import { freeMapOf } from '../free-map.js';
import type { FilesystemFormat } from '../types.js';
import { hasNtfsOemId } from './boot-sector.js';
import { checkNtfs } from './check.js';
import { NtfsUsedMap } from './cluster-bitmap.js';
import { inspectNtfs } from './inspect.js';
import { ntfsOnMove } from './move.js';
import { pageFileRanges } from './page-files.js';
import { checkDeep } from './resize/check-deep.js';
import { enlargeNtfs } from './resize/enlarge.js';
import { minimumNtfsSize } from './resize/minimum.js';
import { shrinkNtfs } from './resize/shrink.js';
import { openVolume } from './volume.js';

/** NTFS: probe, facts, used and free clusters, move, resize, deep check. See docs/formats/ntfs.md. */
export const ntfs: FilesystemFormat = {
  id: 'ntfs',
  probe: hasNtfsOemId,
  inspect: inspectNtfs,
  onMove: ntfsOnMove,
  async check(reader, signal) {
    await checkNtfs(reader, signal);
  },
  deepCheck: checkDeep,
  shrink: shrinkNtfs,
  enlarge: enlargeNtfs,
  minimumSize: minimumNtfsSize,
  /** A bit of $Bitmap for each cluster. */
  async growthCost(reader) {
    const { clusterBytes } = await openVolume(reader);
    return { unitBytes: 8 * clusterBytes * clusterBytes, ownBytes: clusterBytes };
  },
  async usedMap(reader) {
    const volume = await openVolume(reader);
    return new NtfsUsedMap(await volume.clusterBitmap(), volume.clusterBytes);
  },
  /**
   * A shadow copy keeps what a file looked like in the very clusters the file had: when it is deleted they are free for
   * the volume, and still wanted by the copy. Windows saves them before it overwrites them; from outside nobody does.
   */
  async freeMap(reader) {
    const volume = await openVolume(reader);
    if (volume.hasShadowCopies) {
      throw refused('ntfs-shadow-copies', 'shadow copies may still need what lies in free clusters', {
        hint: 'delete the restore points in the guest: `vssadmin delete shadows /all`',
      });
    }
    const { clusterBytes } = volume;
    const bitmap = await volume.clusterBitmap();
    // The bytes behind the last cluster belong to the backup boot sector.
    return freeMapOf(new NtfsUsedMap(bitmap, clusterBytes), bitmap.clusterCount * clusterBytes);
  },
  scratch: { kind: 'pagefile', ranges: pageFileRanges },
};
