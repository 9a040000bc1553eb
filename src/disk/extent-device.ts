import type { BlockDevice, DeviceCapabilities } from '../device/types.js';
import { windowDevice } from '../device/window.js';

/**
 * The first `sizeBytes` of an extent file, which may be longer than its descriptor says. Unlike a window it
 * owns the file and can be resized: what lies beyond the disk is cut off first, because new bytes of a disk
 * read as zeros.
 */
export function extentDevice(file: BlockDevice, sizeBytes: number): BlockDevice {
  if (file.sizeBytes === sizeBytes) return file;
  let window = windowDevice(file, 0, sizeBytes, file.label);
  return {
    label: file.label,
    // Nothing is shifted or shared while the file has a tail that is not of the disk.
    capabilities: ofAnyFile(file.capabilities),
    get sizeBytes() {
      return window.sizeBytes;
    },
    readAt: (offset, length, signal) => window.readAt(offset, length, signal),
    readInto: (offset, target, signal) => window.readInto(offset, target, signal),
    writeAt: (offset, bytes) => window.writeAt(offset, bytes),
    discard: (offset, length) => window.discard(offset, length),
    dataRanges: (offset, length) => window.dataRanges(offset, length),
    copyRange: (from, to, length) => window.copyRange(from, to, length),
    resize: async (newSize) => {
      await file.resize(Math.min(newSize, window.sizeBytes));
      if (newSize > window.sizeBytes) await file.resize(newSize);
      window = windowDevice(file, 0, newSize, file.label);
    },
    flush: () => file.flush(),
    close: () => file.close(),
  };
}

function ofAnyFile({
  shiftBlockBytes: _,
  sharesBlocks: __,
  ...rest
}: DeviceCapabilities): DeviceCapabilities {
  return rest;
}
