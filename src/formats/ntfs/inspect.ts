import type { Reason } from '../../core/errors.js';
import { MIB } from '../../core/units.js';
import type { Reader } from '../../device/types.js';
import type { FilesystemFacts, FilesystemState } from '../types.js';
import { type BootSector, decodeBootSector } from './boot-sector.js';
import { readVolumeState } from './state.js';
import { openVolume, readHead, tooLargeError } from './volume.js';

/**
 * What a volume must keep free at the least: Windows needs 50 to 100 MiB to start, and moved files need room for
 * longer records. A floor for `minimumBytes`, not a recommendation.
 */
export const MINIMUM_FREE_BYTES = 256 * MIB;

/** Facts of an NTFS volume. Reads a few records and all of $Bitmap. Throws Damaged. */
export async function inspectNtfs(reader: Reader): Promise<FilesystemFacts> {
  const boot = decodeBootSector(await readHead(reader));
  if (boot.totalBytes > reader.sizeBytes) {
    return factsOf(boot, null, 'damaged', [tooLargeError(boot, reader.sizeBytes).toReason()]);
  }
  const volume = await openVolume(reader);
  const { label, state, reasons } = await readVolumeState(volume);
  const bitmap = await volume.clusterBitmap();
  const usedBytes = (await bitmap.countUsed()) * boot.clusterBytes;
  return {
    ...factsOf(boot, label, state, reasons),
    usedBytes,
    freeBytes: boot.clusterCount * boot.clusterBytes - usedBytes,
    minimumBytes: Math.min(usedBytes + MINIMUM_FREE_BYTES, boot.totalBytes),
  };
}

function factsOf(
  boot: BootSector,
  label: string | null,
  state: FilesystemState,
  reasons: readonly Reason[],
): FilesystemFacts {
  return {
    kind: 'ntfs',
    label,
    serial: boot.serial,
    clusterBytes: boot.clusterBytes,
    totalBytes: boot.totalBytes,
    usedBytes: null,
    freeBytes: null,
    minimumBytes: null,
    state,
    reasons,
    move: { blockers: reasons, copies: 'used', toleratesLargerPartition: true },
  };
}
