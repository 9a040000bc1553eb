import type { FilesystemFormat } from '../types.js';
import { hasNtfsOemId } from './boot-sector.js';
import { checkNtfs } from './check.js';
import { NtfsUsedMap } from './cluster-bitmap.js';
import { inspectNtfs } from './inspect.js';
import { ntfsOnMove } from './move.js';
import { openVolume } from './volume.js';

/** NTFS: probe, facts, used clusters, move, deep check. See docs/formats/ntfs.md. */
export const ntfs: FilesystemFormat = {
  id: 'ntfs',
  probe: hasNtfsOemId,
  inspect: inspectNtfs,
  onMove: ntfsOnMove,
  check: checkNtfs,
  async usedMap(reader) {
    const volume = await openVolume(reader);
    return new NtfsUsedMap(await volume.clusterBitmap(), volume.clusterBytes);
  },
};
