import { u32be } from '../../codec/fields.js';
import { defineLayout } from '../../codec/layout.js';
import { KIB } from '../../core/units.js';
import type { Reader } from '../../device/types.js';
import { volumeFacts } from '../facts.js';
import { tryRead } from '../read.js';
import type { FilesystemFormat } from '../types.js';

/** Internal metadata is the last 4 KiB of the device (drbd-utils drbdmeta, formats 08 and 09). */
const METADATA_SIZE = 4 * KIB;
const DEVICE_SIZE_LEAST = 64 * KIB;
/** Formats 08, 08 unclean, 09. */
const MAGICS: readonly number[] = [0x8374026b, 0x8374026c, 0x8374026d];
/** Both formats keep these in the same place. */
const METADATA = defineLayout('DRBD metadata', 64, {
  deviceUuidHigh: { at: 40, type: u32be },
  deviceUuidLow: { at: 44, type: u32be },
  magic: { at: 60, type: u32be },
});

/** DRBD with internal metadata, which is found by the end of the device: the partition must keep its size. */
export const drbd: FilesystemFormat = {
  id: 'drbd',
  probe: (_head, volume) => hasDrbdAtEnd(volume),
  inspect: async (volume) =>
    volumeFacts({
      kind: 'drbd',
      serial: (await readSerial(volume)) ?? null,
      toleratesLargerPartition: false,
    }),
};

/** True when the end of the volume holds DRBD metadata: the replicated file system itself starts at its start. */
export async function hasDrbdAtEnd(volume: Reader): Promise<boolean> {
  return (await readSerial(volume)) !== undefined;
}

async function readSerial(volume: Reader): Promise<string | undefined> {
  if (volume.sizeBytes < DEVICE_SIZE_LEAST) return undefined;
  const bytes = await tryRead(volume, volume.sizeBytes - METADATA_SIZE, METADATA.size);
  if (bytes === undefined) return undefined;
  const { magic, deviceUuidHigh, deviceUuidLow } = METADATA.decode(bytes);
  if (!MAGICS.includes(magic)) return undefined;
  return (BigInt(deviceUuidHigh) * 2n ** 32n + BigInt(deviceUuidLow)).toString(16);
}
