import { complement } from '../core/range.js';
import { KIB, MIB } from '../core/units.js';
import { checkCopy, checkRange } from './bounds.js';
import type { BlockDevice } from './types.js';
import { nonZeroRuns } from './zeros.js';

/** Bytes held at once. Larger gains nothing on a disk and counts against the memory of the whole run. */
const BUFFER_BYTES = MIB;
/** The page of the host: zeros in smaller pieces are not worth leaving out, and a hole is never smaller. */
const GRAIN_BYTES = 4 * KIB;

type Transferable = Pick<BlockDevice, 'label' | 'sizeBytes' | 'readInto' | 'writeAt'>;

/** Writes zeros over the range, but only where something else is: a thin disk does not grow. */
export async function zeroInPlace(device: Transferable, offset: number, length: number): Promise<void> {
  checkRange(device, offset, length, 'discard');
  const buffer = new Uint8Array(Math.min(length, BUFFER_BYTES));
  for (let done = 0; done < length; done += buffer.length) {
    const at = offset + done;
    const part = buffer.subarray(0, Math.min(buffer.length, length - done));
    await device.readInto(at, part);
    for (const run of nonZeroRuns(part, GRAIN_BYTES)) {
      await device.writeAt(at + run.at, part.subarray(run.at, run.at + run.length).fill(0));
    }
  }
}

/** Copies bytes between two devices (or inside one, ranges apart) with a bounded buffer. */
export async function copyBytes(
  source: Pick<BlockDevice, 'readInto'>,
  from: number,
  target: Pick<BlockDevice, 'writeAt'>,
  to: number,
  length: number,
): Promise<void> {
  const buffer = new Uint8Array(Math.min(length, BUFFER_BYTES));
  for (let done = 0; done < length; done += buffer.length) {
    const part = buffer.subarray(0, Math.min(buffer.length, length - done));
    await source.readInto(from + done, part);
    await target.writeAt(to + done, part);
  }
}

/** Copies data from one device to another, or inside one. */
type CopyData = (from: number, to: number, length: number) => Promise<void>;

/** Copies from one device to another; holes of the source become holes of the target. */
export async function copyBetween(
  source: Pick<BlockDevice, 'readInto' | 'dataRanges'>,
  from: number,
  target: Pick<BlockDevice, 'writeAt' | 'discard'>,
  to: number,
  length: number,
  copyData: CopyData = (at, targetAt, count) => copyBytes(source, at, target, targetAt, count),
): Promise<void> {
  const shift = to - from;
  const data = await source.dataRanges(from, length);
  for (const range of data) await copyData(range.at, range.at + shift, range.length);
  for (const hole of complement(data, { at: from, length }))
    await target.discard(hole.at + shift, hole.length);
}

/** copyRange, through this process unless the device has a faster way. */
export async function copyInside(
  device: Transferable & Pick<BlockDevice, 'dataRanges' | 'discard'>,
  from: number,
  to: number,
  length: number,
  copyData?: CopyData,
): Promise<void> {
  checkCopy(device, from, to, length);
  await copyBetween(device, from, device, to, length, copyData);
}
