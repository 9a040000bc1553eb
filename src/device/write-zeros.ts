import { zeroInPlace } from './transfer.js';
import type { BlockDevice } from './types.js';

/**
 * The device without giving blocks back: a discard writes zeros, where something else is, and leaves holes alone. For
 * stores on which a disk is to keep what it has. Owns the device: close() closes it.
 */
export function writeZerosDevice(device: BlockDevice): BlockDevice {
  const self: BlockDevice = {
    label: device.label,
    get sizeBytes() {
      return device.sizeBytes;
    },
    get capabilities() {
      return { ...device.capabilities, discard: false };
    },
    readAt: (offset, length, signal) => device.readAt(offset, length, signal),
    readInto: (offset, target, signal) => device.readInto(offset, target, signal),
    writeAt: (offset, bytes) => device.writeAt(offset, bytes),
    async discard(offset, length) {
      for (const range of await device.dataRanges(offset, length)) {
        await zeroInPlace(device, range.at, range.length);
      }
    },
    dataRanges: (offset, length) => device.dataRanges(offset, length),
    copyRange: (from, to, length) => device.copyRange(from, to, length),
    resize: (sizeBytes) => device.resize(sizeBytes),
    flush: () => device.flush(),
    close: () => device.close(),
  };
  return self;
}
