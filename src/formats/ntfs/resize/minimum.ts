import { isFamily } from '../../../core/errors.js';
import { alignUp, MIB } from '../../../core/units.js';
import type { Reader } from '../../../device/types.js';
import type { MinimumSize } from '../../types.js';
import { MINIMUM_FREE_BYTES } from '../inspect.js';
import { auditForResize } from './audit.js';
import type { PlacedRun } from './encode-pairs.js';
import { geometryFor } from './geometry.js';
import { planMoves } from './plan-moves.js';
import { openSubject, type Subject } from './subject.js';

/** Sizes are tried in steps of this: finer ones would not change what a disk can be cut to. */
const STEP_BYTES = MIB;
/**
 * Free space of a volume at its technical minimum, and clusters at the least: a volume without any mounts, but the
 * first file that a guest touches may need a cluster for its record, its list or its folder. Ours.
 */
const KEPT_FREE = { bytes: MIB, clusters: 2 } as const;

/**
 * The smallest partition for which a layout of all relocations was made and tried on every record, and that keeps some
 * clusters free, and the same with the room that Windows needs. Searches from the used clusters upwards with doubling steps, then between the last two
 * sizes: usually the first one fits. Costs three reads of $MFT a size. Throws what stands against every shrink.
 */
export async function minimumNtfsSize(reader: Reader, signal?: AbortSignal): Promise<MinimumSize> {
  const subject = await openSubject(reader);
  const { last } = await auditForResize(subject, signal);
  const { clusterBytes, boot } = subject.volume;
  const used = await subject.bitmap.countUsed(signal);
  const usedBytes = used * clusterBytes;
  const kept = keptClusters(subject);
  const floor = Math.max(used + kept, last + 1) * clusterBytes;
  const today = reader.sizeBytes;
  const fits = (size: number): Promise<boolean> => isPossible(subject, size, used + kept, signal);
  const technicalBytes = Math.min(
    await search(today, alignUp(floor + boot.bytesPerSector, STEP_BYTES), fits),
    today,
  );
  const recommendedBytes = Math.min(Math.max(technicalBytes, usedBytes + MINIMUM_FREE_BYTES), today);
  return { technicalBytes, recommendedBytes };
}

const keptClusters = ({ volume }: Subject): number =>
  Math.max(Math.ceil(KEPT_FREE.bytes / volume.clusterBytes), KEPT_FREE.clusters);

/** The smallest size from `floor` on that fits, by steps; today's size when none below does. */
async function search(
  today: number,
  floor: number,
  fits: (size: number) => Promise<boolean>,
): Promise<number> {
  let tooSmall = floor - STEP_BYTES;
  let size = floor;
  for (let step = STEP_BYTES; size < today && !(await fits(size)); step *= 2) {
    tooSmall = size;
    size += step;
  }
  let possible = Math.min(size, today);
  while (possible - tooSmall > STEP_BYTES) {
    const middle = tooSmall + alignUp(Math.floor((possible - tooSmall) / 2), STEP_BYTES);
    if (middle >= possible) break;
    if (await fits(middle)) possible = middle;
    else tooSmall = middle;
  }
  return possible;
}

/** `needed`: clusters that are used today and those to keep free. */
async function isPossible(
  subject: Subject,
  sizeBytes: number,
  needed: number,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  try {
    const geometry = geometryFor(subject.volume.boot, sizeBytes);
    if (geometry.clusterCount > subject.volume.clusterCount) return true;
    const { freed, repack } = await planMoves(subject, geometry, signal);
    return needed + clustersOf(repack.taken) - clustersOf(freed) <= geometry.clusterCount;
  } catch (error) {
    if (isFamily(error, 'refused')) return false;
    throw error;
  }
}

const clustersOf = (runs: readonly PlacedRun[]): number => runs.reduce((sum, { length }) => sum + length, 0);
