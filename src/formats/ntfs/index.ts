import type { FilesystemFormat } from '../types.js';
import { hasNtfsOemId } from './boot-sector.js';
import { checkNtfs } from './check.js';
import { NtfsUsedMap } from './cluster-bitmap.js';
import { inspectNtfs } from './inspect.js';
import { ntfsOnMove } from './move.js';
import { checkDeep } from './resize/check-deep.js';
import { enlargeNtfs } from './resize/enlarge.js';
import { minimumNtfsSize } from './resize/minimum.js';
import { shrinkNtfs } from './resize/shrink.js';
import { openVolume } from './volume.js';

/** NTFS: probe, facts, used clusters, move, resize, deep check. See docs/formats/ntfs.md. */
export const ntfs: FilesystemFormat = {
  id: 'ntfs',
  probe: hasNtfsOemId,
  inspect: inspectNtfs,
  onMove: ntfsOnMove,
  check: checkNtfs,
  deepCheck: checkDeep,
  shrink: shrinkNtfs,
  enlarge: enlargeNtfs,
  minimumSize: minimumNtfsSize,
  async usedMap(reader) {
    const volume = await openVolume(reader);
    return new NtfsUsedMap(await volume.clusterBitmap(), volume.clusterBytes);
  },
};
