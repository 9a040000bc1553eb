import { internalError } from '../core/errors.js';
import type { BlockDevice } from './types.js';

/**
 * The device without its ways to change anything: scan and plan get this, so that a mistake there is an
 * Internal error (read-only) and not a changed disk. Owns the device: close() closes it.
 */
export function readOnlyDevice(device: BlockDevice): BlockDevice {
  const refuse = async (): Promise<never> => {
    throw internalError('read-only', `change of ${device.label}, which is open for reading only`);
  };
  return {
    label: device.label,
    get sizeBytes() {
      return device.sizeBytes;
    },
    capabilities: {
      ...device.capabilities,
      writable: false,
      discard: false,
      resizable: false,
    },
    readAt: (offset, length, signal) => device.readAt(offset, length, signal),
    readInto: (offset, target, signal) => device.readInto(offset, target, signal),
    dataRanges: (offset, length) => device.dataRanges(offset, length),
    writeAt: refuse,
    discard: refuse,
    copyRange: refuse,
    resize: refuse,
    flush: () => device.flush(),
    close: () => device.close(),
  };
}
