import { damaged, hintOf, isFamily, verifyError } from '../core/errors.js';
import type { Reader } from '../device/types.js';
import { windowReader } from '../device/window.js';
import { probeFilesystem } from '../inspect/registry.js';
import type { Plan } from '../plan/types.js';

/**
 * Walks the file systems that a plan moves or resizes, where they are `before` or `after`, and proves that everything
 * they refer to is where it should be and marked used. Resized ones get the format's deep check afterwards: every
 * cluster owned once, the allocation bitmap right in both directions. Throws Damaged.
 */
export async function checkVolumes(
  disk: Reader,
  plan: Plan,
  side: 'before' | 'after',
  signal?: AbortSignal,
): Promise<void> {
  const { sectorSize } = plan.disk;
  const resized = new Set(plan.resizes.map(({ number }) => number));
  const moved = new Set(plan.moves.map(({ number }) => number));
  const cleared = new Set(plan.zero?.areas.flatMap(({ number }) => number ?? []));
  // Content in use is cleared only where every cluster is proven to have one owner.
  const scratch = new Set(
    plan.zero?.areas.flatMap(({ kind, number }) => (kind === 'pagefile' ? (number ?? []) : [])),
  );
  for (const { number, kind, startLba, sectorCount } of plan[side].partitions) {
    if (kind === 'extended' || !(moved.has(number) || resized.has(number) || cleared.has(number))) continue;
    const volume = windowReader(disk, startLba * sectorSize, sectorCount * sectorSize, `partition ${number}`);
    const isDeep = scratch.has(number) || (side === 'after' && resized.has(number));
    await checkVolume(volume, isDeep, signal);
  }
}

async function checkVolume(volume: Reader, isDeep: boolean, signal?: AbortSignal): Promise<void> {
  const format = (await probeFilesystem(volume))?.format;
  if (!isDeep || format?.deepCheck === undefined) return format?.check?.(volume, signal);
  const findings = await format.deepCheck(volume, signal);
  const found = findings.find(({ severity }) => severity === 'damage');
  if (found !== undefined) throw damaged(found.code, found.message, hintOf(found));
}

/** The same after a change: what was sound before and is not now is a failed verification. */
export async function verifyVolumes(disk: Reader, plan: Plan): Promise<void> {
  try {
    await checkVolumes(disk, plan, 'after');
  } catch (error) {
    if (!isFamily(error, 'damaged')) throw error;
    throw verifyError('not-sound', `after the change: ${error.message}`, { ...error.detail, cause: error });
  }
}
