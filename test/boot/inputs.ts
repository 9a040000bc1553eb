import type { BootInput, BootPartition, BootWrite } from '../../src/boot/types.js';
import type { Reader } from '../../src/device/types.js';
import { bytesReader } from '../support/reader.js';

export const SIGNATURE = 0x5cbea03e;

export interface TestPartition {
  readonly number: number;
  readonly filesystem: string | null;
  readonly volume: Reader;
  readonly from: number;
  readonly to: number;
  readonly obstacle?: BootPartition['obstacle'];
  readonly type?: string;
}

/** A disk of volumes that lie apart from it: what is in front of all partitions is `head`. */
export function bootInput(
  partitions: readonly TestPartition[],
  disk: Partial<Pick<BootInput, 'table' | 'diskId'>> & { readonly head?: Uint8Array } = {},
): BootInput {
  const head = bytesReader(disk.head ?? new Uint8Array(512));
  return {
    table: 'mbr',
    sectorSize: 512,
    diskId: SIGNATURE.toString(16),
    ...disk,
    before: head,
    after: head,
    partitions: partitions.map(
      ({ number, filesystem, volume, from, to, obstacle = null, type = '0x07' }) => ({
        number,
        filesystem,
        obstacle,
        type,
        isExtended: false,
        oldStartLba: from,
        oldSectorCount: Math.floor(volume.sizeBytes / 512),
        newStartLba: to,
        newSectorCount: Math.floor(volume.sizeBytes / 512),
        before: volume,
        after: volume,
      }),
    ),
  };
}

/** The volume of a partition with the writes for it. */
export function written(
  volume: Uint8Array,
  writes: readonly BootWrite[],
  partition: number | null,
): Uint8Array {
  const copy = Uint8Array.from(volume);
  for (const write of writes) if (write.partition === partition) copy.set(write.bytes, write.at);
  return copy;
}
