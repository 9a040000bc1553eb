import type { Reader } from '../../device/types.js';
import { volumeFacts } from '../facts.js';
import { newHiddenSectors } from '../hidden-sectors.js';
import { readInside } from '../read.js';
import { hasText } from '../signature.js';
import type { FilesystemFacts, FilesystemFormat, MetadataWrite, VolumeEdit, VolumeMove } from '../types.js';
import { hasValidChecksum, openExfat, sealRegion } from './boot.js';
import { BOOT_SECTOR, OEM_AT, OEM_NAME, REGION_SECTORS } from './layout.js';
import { countUsedClusters, readRoot } from './root.js';

/** exFAT. Moved whole. */
export const exfat: FilesystemFormat = {
  id: 'exfat',
  probe: (head) => hasText(head, OEM_AT, OEM_NAME),
  inspect,
  onMove,
};

async function inspect(volume: Reader): Promise<FilesystemFacts> {
  const opened = await openExfat(volume);
  const { label, bitmap } = await readRoot(volume, opened);
  const used = bitmap === null ? null : await countUsedClusters(volume, bitmap);
  const { totalBytes, clusterBytes, clusterCount } = opened;
  return volumeFacts({
    kind: 'exfat',
    label,
    serial: opened.serial,
    clusterBytes,
    totalBytes,
    usedBytes:
      used === null ? null : totalBytes - (clusterCount - Math.min(used, clusterCount)) * clusterBytes,
    state: opened.clean ? 'clean' : 'dirty',
    toleratesLargerPartition: true,
  });
}

/**
 * PartitionOffset in both boot regions, each sealed with its checksum. The backup is written first: a cut
 * between the two leaves a main region that is whole.
 */
async function onMove(volume: Reader, move: VolumeMove): Promise<VolumeEdit> {
  const { partitionOffset, sectorBytes } = await openExfat(volume);
  // 0 says that the volume does not care (section 3.1.3).
  if (partitionOffset === 0) return { writes: [], fixups: [], warnings: [] };
  const { value, warning } = newHiddenSectors(partitionOffset, move, Number.MAX_SAFE_INTEGER);
  const warnings = warning === null ? [] : [warning];
  if (value === null) return { writes: [], fixups: [], warnings };
  const length = REGION_SECTORS * sectorBytes;
  const main = await readInside(volume, 0, length, 'the exFAT main boot region');
  const backup = await readInside(volume, length, length, 'the exFAT backup boot region');
  const writes: MetadataWrite[] = [];
  // A broken backup stays broken: sealing it would make it look whole.
  if (hasText(backup, OEM_AT, OEM_NAME) && hasValidChecksum(backup, sectorBytes)) {
    writes.push(withOffset(backup, length, value, sectorBytes, 'exFAT backup boot region'));
  }
  writes.push(withOffset(main, 0, value, sectorBytes, 'exFAT main boot region'));
  const message = `partition offset of the exFAT boot regions: ${partitionOffset} becomes ${value}`;
  return { writes, fixups: [{ kind: 'hidden-sectors', message }], warnings };
}

function withOffset(
  region: Uint8Array,
  at: number,
  partitionOffset: number,
  sectorBytes: number,
  why: string,
): MetadataWrite {
  const bytes = Uint8Array.from(region);
  BOOT_SECTOR.patch(bytes, 0, { partitionOffset });
  sealRegion(bytes, sectorBytes);
  return { at, bytes, why };
}
