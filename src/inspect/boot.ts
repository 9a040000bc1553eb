import { detectGuest, type GuestFacts } from '../boot/guest.js';
import { bootReferences } from '../boot/index.js';
import type { BootInput, BootPartition, BootReference } from '../boot/types.js';
import type { Reason } from '../core/errors.js';
import { lbaToBytes } from '../core/units.js';
import type { Reader } from '../device/types.js';
import { windowReader } from '../device/window.js';
import type { FilesystemFacts } from '../formats/types.js';
import type { DiskFacts, PartitionFacts } from './types.js';

type KnownFacts = Pick<DiskFacts, 'table' | 'sectorSize' | 'partitions' | 'identity'>;

/** The operating system on the disk, or null. Throws what the store throws. */
export function guestOf(device: Reader, facts: KnownFacts): Promise<GuestFacts | null> {
  const volumes = facts.partitions.flatMap((partition) => {
    const volume = volumeOf(device, partition, facts.sectorSize);
    const filesystem = partition.filesystem?.kind ?? null;
    return volume === null ? [] : [{ number: partition.number, filesystem, volume }];
  });
  return detectGuest(volumes);
}

/** Bytes of the MBR that hold code; the disk signature follows. */
const BOOT_CODE_BYTES = 440;

/**
 * True when the first sector holds something a BIOS could start. It is read only where no MBR was. Throws what the store
 * throws.
 */
export async function hasBootCode(device: Reader, mbr: DiskFacts['mbr']): Promise<boolean> {
  if (device.sizeBytes < BOOT_CODE_BYTES) return false;
  const sector = mbr?.sector ?? (await device.readAt(0, BOOT_CODE_BYTES));
  return sector.subarray(0, BOOT_CODE_BYTES).some((byte) => byte !== 0);
}

/** What on the disk a guest finds by position. Throws what the store throws. */
export function bootOf(device: Reader, facts: KnownFacts): Promise<BootReference[]> {
  const partitions = facts.partitions.flatMap((partition): BootPartition[] => {
    const { number, type, startLba, sectorCount, filesystem } = partition;
    const volume = volumeOf(device, partition, facts.sectorSize);
    if (volume === null) return [];
    return [
      {
        number,
        isExtended: partition.kind === 'extended',
        type,
        filesystem: filesystem?.kind ?? null,
        obstacle: writeObstacle(filesystem),
        oldStartLba: startLba,
        oldSectorCount: sectorCount,
        newStartLba: startLba,
        newSectorCount: sectorCount,
        before: volume,
        after: volume,
      },
    ];
  });
  const { table, sectorSize, identity } = facts;
  const input: BootInput = {
    table,
    sectorSize,
    diskId: identity.diskId,
    before: device,
    after: device,
    partitions,
  };
  return bootReferences(input);
}

/**
 * Why nothing may be written into a volume; null when it may. FAT and ext keep nothing beside their blocks that would
 * be written over a patched file; a hibernated Windows, or the log of NTFS, does.
 */
export function writeObstacle(filesystem: FilesystemFacts | null): Reason | null {
  if (filesystem?.kind !== 'ntfs' || filesystem.state === 'clean') return null;
  return filesystem.reasons[0] ?? { code: 'ntfs-state', message: `the NTFS volume is ${filesystem.state}` };
}

/** Null for a partition that leaves the disk. */
function volumeOf(device: Reader, partition: PartitionFacts, sectorSize: number): Reader | null {
  const at = lbaToBytes(partition.startLba, sectorSize);
  const length = partition.sectorCount * sectorSize;
  if (length === 0 || at + length > device.sizeBytes) return null;
  return windowReader(device, at, length, `partition ${partition.number}`);
}
