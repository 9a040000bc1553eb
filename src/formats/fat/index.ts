import type { Reader } from '../../device/types.js';
import { volumeFacts } from '../facts.js';
import { readInside } from '../read.js';
import type { FilesystemFacts, FilesystemFormat } from '../types.js';
import { decodeFat, isFat } from './decode.js';
import { editForMove } from './edit.js';
import { BOOT_SECTOR_SIZE } from './layout.js';
import { countUsedClusters, isMarkedDirty, rootLabel } from './table.js';

/** FAT12, FAT16 and FAT32. Moved whole: they are small, and the EFI system partition is one. */
export const fat: FilesystemFormat = { id: 'fat', probe: isFat, inspect, onMove: editForMove };

async function inspect(volume: Reader): Promise<FilesystemFacts> {
  const head = await readInside(volume, 0, BOOT_SECTOR_SIZE, 'the FAT boot sector');
  const opened = decodeFat(head, volume.sizeBytes);
  const used = await countUsedClusters(volume, opened);
  const label = await rootLabel(volume, opened);
  const dirty = opened.flaggedDirty || (await isMarkedDirty(volume, opened));
  return volumeFacts({
    kind: opened.kind,
    // The copy in the boot sector is often out of date: it counts only when the root directory has none.
    label: label === undefined ? opened.label : label,
    serial: opened.serial,
    clusterBytes: opened.clusterBytes,
    totalBytes: opened.totalBytes,
    usedBytes: used === null ? null : opened.totalBytes - (opened.clusterCount - used) * opened.clusterBytes,
    state: dirty ? 'dirty' : 'clean',
    toleratesLargerPartition: true,
  });
}
