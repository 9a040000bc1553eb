import { isFamily, verifyError } from '../core/errors.js';
import type { Reader } from '../device/types.js';
import { windowReader } from '../device/window.js';
import { probeFilesystem } from '../inspect/registry.js';
import type { LayoutPartition } from '../plan/types.js';

/**
 * Walks the file systems of the given partitions and proves that everything they refer to is where it should be
 * and marked used. Throws Damaged as the format's own check does.
 */
export async function checkVolumes(
  disk: Reader,
  partitions: readonly LayoutPartition[],
  sectorSize: number,
  signal?: AbortSignal,
): Promise<void> {
  for (const { number, kind, startLba, sectorCount } of partitions) {
    if (kind === 'extended') continue;
    const volume = windowReader(disk, startLba * sectorSize, sectorCount * sectorSize, `partition ${number}`);
    const found = await probeFilesystem(volume);
    await found?.format.check?.(volume, signal);
  }
}

/** The same after a change: what was sound before and is not now is a failed verification. */
export async function verifyVolumes(
  disk: Reader,
  partitions: readonly LayoutPartition[],
  sectorSize: number,
): Promise<void> {
  try {
    await checkVolumes(disk, partitions, sectorSize);
  } catch (error) {
    if (!isFamily(error, 'damaged')) throw error;
    throw verifyError('not-sound', `after the change: ${error.message}`, { ...error.detail, cause: error });
  }
}
