import { isFamily } from '../../../core/errors.js';
import { alignUp, MIB } from '../../../core/units.js';
import type { Reader } from '../../../device/types.js';
import type { MinimumSize } from '../../types.js';
import { MINIMUM_FREE_BYTES } from '../inspect.js';
import { auditForResize } from './audit.js';
import { geometryFor } from './geometry.js';
import { planMoves } from './plan-moves.js';
import { openSubject, type Subject } from './subject.js';

/** Sizes are tried in steps of this: finer ones would not change what a disk can be cut to. */
const STEP_BYTES = MIB;

/**
 * The smallest partition for which a layout of all relocations was made and tried on every record, and the same with
 * the room that Windows needs. Searches from the used clusters upwards with doubling steps, then between the last two
 * sizes: usually the first one fits. Costs three reads of $MFT a size. Throws what stands against every shrink.
 */
export async function minimumNtfsSize(reader: Reader, signal?: AbortSignal): Promise<MinimumSize> {
  const subject = await openSubject(reader);
  const { last } = await auditForResize(subject, signal);
  const { clusterBytes, boot } = subject.volume;
  const usedBytes = (await subject.bitmap.countUsed(signal)) * clusterBytes;
  const floor = Math.max(usedBytes, (last + 1) * clusterBytes);
  const today = reader.sizeBytes;
  const technicalBytes = Math.min(
    await search(subject, alignUp(floor + boot.bytesPerSector, STEP_BYTES), signal),
    today,
  );
  const recommendedBytes = Math.min(Math.max(technicalBytes, usedBytes + MINIMUM_FREE_BYTES), today);
  return { technicalBytes, recommendedBytes };
}

/** The smallest size from `floor` on that works out, by steps; today's size when none below does. */
async function search(subject: Subject, floor: number, signal: AbortSignal | undefined): Promise<number> {
  const today = subject.volume.reader.sizeBytes;
  let tooSmall = floor - STEP_BYTES;
  let size = floor;
  for (let step = STEP_BYTES; size < today && !(await isPossible(subject, size, signal)); step *= 2) {
    tooSmall = size;
    size += step;
  }
  let possible = Math.min(size, today);
  while (possible - tooSmall > STEP_BYTES) {
    const middle = tooSmall + alignUp(Math.floor((possible - tooSmall) / 2), STEP_BYTES);
    if (middle >= possible) break;
    if (await isPossible(subject, middle, signal)) possible = middle;
    else tooSmall = middle;
  }
  return possible;
}

async function isPossible(
  subject: Subject,
  sizeBytes: number,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  try {
    const geometry = geometryFor(subject.volume.boot, sizeBytes);
    if (geometry.clusterCount > subject.volume.clusterCount) return true;
    await planMoves(subject, geometry, signal);
    return true;
  } catch (error) {
    if (isFamily(error, 'refused')) return false;
    throw error;
  }
}
