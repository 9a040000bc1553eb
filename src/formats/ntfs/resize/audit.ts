import { alignDown } from '../../../core/units.js';
import type { ClusterBitmap } from '../cluster-bitmap.js';
import { HOLE, MappingPairs } from '../mapping-pairs.js';
import type { FileRecord } from '../record.js';
import type { NtfsVolume } from '../volume.js';
import { isBootCopy } from './geometry.js';
import { Ownership, WINDOW_CLUSTERS } from './ownership.js';
import type { Subject } from './subject.js';
import { walkRecords } from './walk-records.js';

/** What else is done while the records pass by, and what to do with clusters nobody owns. */
export interface AuditVisitor {
  /** Called once for every record in use. */
  record?(record: FileRecord): void;
  /** Clusters that $Bitmap marks used and no file owns, in order. */
  unowned(lcn: number, length: number): void;
}

/**
 * Proves that every run lies inside the volume, that no cluster has two owners, and that $Bitmap marks every owned
 * one; Damaged otherwise. One walk of $MFT for each window of clusters (512 GiB at 4 KiB): memory is bounded.
 */
export async function auditClusters(
  volume: NtfsVolume,
  bitmap: ClusterBitmap,
  visitor: AuditVisitor,
  signal?: AbortSignal,
  windowClusters = WINDOW_CLUSTERS,
): Promise<void> {
  const pairs = new MappingPairs(volume.clusterCount);
  for (let from = 0; from < volume.clusterCount; from += windowClusters) {
    const ownership = new Ownership(bitmap, from, windowClusters);
    for await (const records of walkRecords(volume, signal)) {
      for (const record of records) {
        claimRuns(record, pairs, ownership);
        if (from === 0) visitor.record?.(record);
      }
    }
    await ownership.compare((lcn, length) => visitor.unowned(lcn, length), signal);
  }
}

function claimRuns(record: FileRecord, pairs: MappingPairs, ownership: Ownership): void {
  for (const attribute of record.attributes()) {
    if (attribute.isResident) continue;
    pairs.open(attribute);
    while (pairs.next()) {
      if (pairs.lcn !== HOLE) ownership.add(pairs.lcn, pairs.length, record.number);
    }
  }
}

/** What $Bitmap marks used and no file owns. */
export interface Unowned {
  readonly clusters: number;
  /** The last such cluster; -1 when there is none. */
  readonly last: number;
}

/**
 * The accounting of all clusters; see auditClusters. Clusters without an owner are no damage, only obstacles; a copy of the
 * boot sector in the middle of the volume is none, because a resize writes a new one.
 */
export async function auditForResize(subject: Subject, signal?: AbortSignal): Promise<Unowned> {
  const middle = await middleBackup(subject);
  let clusters = 0;
  let last = -1;
  const visitor = {
    unowned(lcn: number, length: number): void {
      if (lcn === middle && length === 1) return;
      clusters += length;
      last = lcn + length - 1;
    },
  };
  await auditClusters(subject.volume, subject.bitmap, visitor, signal);
  return { clusters, last };
}

/** The cluster of the copy that NT 3.51 made in the middle of volumes as long as their partition; -1 without one. */
async function middleBackup({ volume }: Subject): Promise<number> {
  const { boot, reader, clusterBytes } = volume;
  const at = alignDown(Math.floor(boot.totalBytes / 2), boot.bytesPerSector);
  const isCopy = isBootCopy(await reader.readAt(at, boot.bytesPerSector), boot);
  return isCopy ? Math.floor(at / clusterBytes) : -1;
}
