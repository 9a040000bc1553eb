import { internalError, refused } from '../core/errors.js';
import { type ByteRange, rangeEnd } from '../core/range.js';
import { KIB, lbaToBytes } from '../core/units.js';
import type { BlockDevice, Reader } from '../device/types.js';
import { windowReader } from '../device/window.js';
import { hasDrbdAtEnd } from '../formats/drbd/index.js';
import { hasMdAtEnd } from '../formats/md/index.js';
import { probeFilesystem, type RecognisedVolume } from '../inspect/registry.js';
import type { DiskFacts } from '../inspect/types.js';
import type { ZeroArea } from '../plan/types.js';
import { unallocatedRanges } from '../plan/unallocated.js';
import { SCAN_BYTES } from './move.js';

/** Software RAID and DRBD keep themselves in the last stretch of their device. */
const END_METADATA_BYTES = 192 * KIB;

/**
 * The unused stretches of an area, in bytes of the disk: the volume says it now, whatever the plan knew. In order
 * of position for `gaps` and `free`. Streams. Throws Refused or Damaged when the volume must not be cleared.
 */
export async function* unusedRanges(
  disk: Reader,
  facts: DiskFacts,
  { kind, number }: Pick<ZeroArea, 'kind' | 'number'>,
): AsyncGenerator<ByteRange> {
  if (kind === 'gaps') {
    yield* gaps(disk, facts);
    return;
  }
  const { volume, at, found } = await openVolume(disk, facts, number);
  const ranges = kind === 'free' ? freeRanges(volume, found) : found.format.scratch?.ranges(volume);
  if (ranges === undefined) throw internalError('zero', `${found.format.id} has no ${kind}`);
  for await (const range of ranges) yield { at: at + range.at, length: range.length };
}

async function* gaps(disk: Reader, facts: DiskFacts): AsyncGenerator<ByteRange> {
  const all = unallocatedRanges(facts);
  const last = all.at(-1);
  const endsFree = last !== undefined && rangeEnd(last) > disk.sizeBytes - END_METADATA_BYTES;
  if (endsFree && ((await hasMdAtEnd(disk)) || (await hasDrbdAtEnd(disk)))) {
    const message =
      'the unallocated end of the disk holds the metadata of a RAID or DRBD member: it is not unused';
    throw refused('whole-disk-member', message, { hint: 'name the partitions to clear with --partition' });
  }
  yield* all;
}

async function* freeRanges(volume: Reader, { format }: RecognisedVolume): AsyncGenerator<ByteRange> {
  const map = await format.freeMap?.(volume);
  if (map === undefined) throw internalError('zero', `${format.id} has no map of its free space`);
  for (let at = 0; at < volume.sizeBytes; at += SCAN_BYTES) {
    yield* await map.ranges(at, Math.min(SCAN_BYTES, volume.sizeBytes - at));
  }
}

/** The volume, looked at once more: a guest may have run, and stopped, since the plan was made. */
async function openVolume(
  disk: Reader,
  { partitions, sectorSize }: DiskFacts,
  number: number | null,
): Promise<{ volume: Reader; at: number; found: RecognisedVolume }> {
  const partition = partitions.find((each) => each.number === number);
  if (partition === undefined) throw internalError('zero', `there is no partition ${number}`);
  const at = lbaToBytes(partition.startLba, sectorSize);
  const volume = windowReader(disk, at, partition.sectorCount * sectorSize, `partition ${number}`);
  const found = await probeFilesystem(volume);
  const reason = found?.facts.reasons[0];
  if (found === null || reason !== undefined || found.facts.state !== 'clean') {
    const what = reason?.message ?? 'its file system is not clean any more';
    throw refused(reason?.code ?? 'not-clean', `partition ${number} cannot be cleared: ${what}`, {
      hint: 'plan again',
    });
  }
  return { volume, at, found };
}

/** What of the stretches is no hole. */
export async function* dataIn(
  device: Pick<BlockDevice, 'dataRanges'>,
  stretches: AsyncIterable<ByteRange>,
): AsyncGenerator<ByteRange> {
  for await (const { at, length } of stretches) {
    for (let done = 0; done < length; done += SCAN_BYTES) {
      yield* await device.dataRanges(at + done, Math.min(SCAN_BYTES, length - done));
    }
  }
}
