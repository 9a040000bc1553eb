import { verifyError } from '../core/errors.js';
import type { ByteRange } from '../core/range.js';
import { MIB } from '../core/units.js';
import type { BlockDevice } from '../device/types.js';
import { isZero } from '../device/zeros.js';

const READ_BYTES = MIB;

/** Reads back what was cleared; holes need no reading. Throws Verify (not-cleared) with the place of the first byte. */
export async function checkCleared(
  device: Pick<BlockDevice, 'dataRanges' | 'readInto' | 'label'>,
  ranges: AsyncIterable<ByteRange>,
): Promise<void> {
  const buffer = new Uint8Array(READ_BYTES);
  for await (const range of ranges) {
    for (const { at, length } of await device.dataRanges(range.at, range.length)) {
      for (let done = 0; done < length; done += READ_BYTES) {
        const part = buffer.subarray(0, Math.min(READ_BYTES, length - done));
        await device.readInto(at + done, part);
        if (isZero(part)) continue;
        throw verifyError('not-cleared', 'a stretch that was cleared does not read as zeros', {
          offset: at + done + part.findIndex((byte) => byte !== 0),
          hint: 'check the storage (dmesg); nothing in use was written, so running zero again is safe',
        });
      }
    }
  }
}
