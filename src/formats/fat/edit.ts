import type { Reader } from '../../device/types.js';
import { newHiddenSectors } from '../hidden-sectors.js';
import { readInside } from '../read.js';
import type { MetadataWrite, VolumeEdit, VolumeMove } from '../types.js';
import { decodeFat, isFat } from './decode.js';
import { BOOT_SECTOR, BOOT_SECTOR_SIZE } from './layout.js';

/**
 * Hidden sectors in the boot sector and, with FAT32, in its backup. Everything else counts from the start of
 * the volume. The backup is written first: a cut between the two leaves a boot sector that is whole.
 */
export async function editForMove(volume: Reader, move: VolumeMove): Promise<VolumeEdit> {
  const head = await readInside(volume, 0, BOOT_SECTOR_SIZE, 'the FAT boot sector');
  const { hiddenSectors, backupAt } = decodeFat(head, volume.sizeBytes);
  const { value, warning } = newHiddenSectors(hiddenSectors, move);
  const warnings = warning === null ? [] : [warning];
  if (value === null) return { writes: [], fixups: [], warnings };
  const writes: MetadataWrite[] = [];
  if (backupAt !== null) {
    const backup = await readInside(volume, backupAt, BOOT_SECTOR_SIZE, 'the FAT32 backup boot sector');
    // Some formatters name a backup and never write it.
    if (isFat(backup)) writes.push(withHiddenSectors(backup, backupAt, value, 'FAT32 backup boot sector'));
  }
  writes.push(withHiddenSectors(head, 0, value, 'FAT boot sector'));
  const message = `hidden sectors of the FAT boot sector: ${hiddenSectors} becomes ${value}`;
  return { writes, fixups: [{ kind: 'hidden-sectors', message }], warnings };
}

function withHiddenSectors(sector: Uint8Array, at: number, value: number, why: string): MetadataWrite {
  const bytes = Uint8Array.from(sector);
  BOOT_SECTOR.patch(bytes, 0, { hiddenSectors: value });
  return { at, bytes, why };
}
