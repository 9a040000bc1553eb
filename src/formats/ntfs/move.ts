import { type Reason, refused } from '../../core/errors.js';
import { alignDown } from '../../core/units.js';
import type { Reader } from '../../device/types.js';
import type { MetadataWrite, VolumeEdit, VolumeMove } from '../types.js';
import { type BootSector, decodeBootSector, formatSerial, hasNtfsOemId } from './boot-sector.js';
import { BOOT_SECTOR } from './layout.js';
import { readHead, requireRoom } from './volume.js';

/** What the hidden sectors field can express. */
const MAX_HIDDEN_SECTORS = 0xffff_ffff;

/**
 * What a move changes inside an NTFS volume: the hidden sectors of the boot sector, and its backup copies.
 *
 *     0                                  total sectors      partition's end
 *     | boot sector | clusters ...            | B1 |  ...        | B0 |
 *
 * B0, the partition's last sector, is where Windows looks. B1, the sector behind the volume, is the same one on
 * volumes that Windows formatted; where the two differ and B1 holds a copy, it is kept up to date. NT 3.51 made
 * volumes as long as their partition, with the copy in the middle of the volume.
 */
export async function ntfsOnMove(volume: Reader, move: VolumeMove): Promise<VolumeEdit> {
  const head = await readHead(volume);
  const boot = decodeBootSector(head);
  requireRoom(boot, volume.sizeBytes);
  const newBytes = move.newSectorCount * move.sectorSize;
  const fillsOld = boot.totalBytes >= move.oldSectorCount * move.sectorSize;
  if (boot.totalBytes > newBytes || (boot.totalBytes === newBytes && !fillsOld)) {
    throw refused('ntfs-partition-too-small', 'the NTFS volume must end before its partition does', {
      expected: `more than ${boot.totalBytes} bytes`,
      actual: newBytes,
      hint: 'leave the partition at least one sector more than the volume has',
    });
  }
  const hidden = newHiddenSectors(boot.hiddenSectors, move);
  const sector = head.slice(0, boot.bytesPerSector);
  BOOT_SECTOR.patch(sector, 0, { hiddenSectors: hidden.value });
  const primary = boot.hiddenSectors === hidden.value ? [] : [write(0, sector, 'boot sector')];
  const backups = await backupWrites({ volume, boot, sector, move, newBytes });
  const fixups = [
    ...primary.map(() => ({
      kind: 'hidden-sectors',
      message: `boot sector: hidden sectors ${boot.hiddenSectors} -> ${hidden.value}`,
    })),
    ...backups.writes.map(({ at }) => ({
      kind: 'backup-boot-sector',
      message: `backup boot sector: hidden sectors ${hidden.value}, at sector ${at / boot.bytesPerSector} of the volume`,
    })),
  ];
  return {
    writes: [...backups.writes, ...primary],
    fixups,
    warnings: [...hidden.warnings, ...backups.warnings],
  };
}

const write = (at: number, bytes: Uint8Array, why: string): MetadataWrite => ({ at, bytes, why });

/**
 * The start of the partition, as the boot code of its loader wants it. Logical volumes were formatted with either
 * the absolute start or the distance from their EBR; each stays in its convention.
 */
function newHiddenSectors(old: number, move: VolumeMove): { value: number; warnings: Reason[] } {
  const isRelative = move.oldEbr !== null && move.newEbr !== null && old === move.oldStart - move.oldEbr;
  const value = isRelative && old !== move.oldStart ? move.newStart - (move.newEbr ?? 0) : move.newStart;
  if (value > MAX_HIDDEN_SECTORS) {
    const message = `the NTFS boot sector cannot express start ${value}; its hidden sectors stay ${old}`;
    const hint = 'Windows does not start from this partition; as a data volume it works';
    return { value: old, warnings: [{ code: 'ntfs-hidden-sectors-overflow', message, hint }] };
  }
  if (old === move.oldStart || isRelative || old === value) return { value, warnings: [] };
  if (move.oldEbr !== null) return { value: old, warnings: [unusual(old, move, 'it stays')] };
  return { value, warnings: old === 0 ? [] : [unusual(old, move, `it becomes ${value}`)] };
}

const unusual = (old: number, move: VolumeMove, then: string): Reason => ({
  code: 'ntfs-hidden-sectors-unusual',
  message: `the NTFS boot sector has hidden sectors ${old} in a partition that started at ${move.oldStart}; ${then}`,
});

interface BackupContext {
  readonly volume: Reader;
  readonly boot: BootSector;
  /** The boot sector as it will be. */
  readonly sector: Uint8Array;
  readonly move: VolumeMove;
  readonly newBytes: number;
}

/** Copies go first, the boot sector last: it is what makes the volume look finished. */
async function backupWrites(
  context: BackupContext,
): Promise<{ writes: MetadataWrite[]; warnings: Reason[] }> {
  const { volume, boot, sector, move, newBytes } = context;
  const { bytesPerSector, totalBytes } = boot;
  const places = new Set<number>();
  const middle = alignDown(Math.floor(totalBytes / 2), bytesPerSector);
  const fillsOld = totalBytes >= move.oldSectorCount * move.sectorSize;
  const hasMiddle = fillsOld && (await isCopyAt(volume, middle, boot));
  if (hasMiddle) places.add(middle);
  if (await isCopyAt(volume, totalBytes, boot)) places.add(totalBytes);
  const last = alignDown(newBytes, bytesPerSector) - bytesPerSector;
  // A sector inside the clusters may be a file's.
  if (last >= boot.clusterCount * boot.clusterBytes) places.add(last);
  const writes = [...places]
    .filter((at) => at + bytesPerSector <= newBytes)
    .sort((a, b) => a - b)
    .map((at) => write(at, sector, 'backup boot sector'));
  return { writes, warnings: totalBytes === newBytes ? [fillsPartition(hasMiddle)] : [] };
}

const fillsPartition = (hasMiddle: boolean): Reason => ({
  code: 'ntfs-fills-partition',
  message: hasMiddle
    ? 'the NTFS volume fills its partition to the last sector; its backup boot sector stays in the middle'
    : 'the NTFS volume fills its partition to the last sector and has no room for a backup boot sector',
});

/** True when the sector looks like a boot sector of this very volume. */
async function isCopyAt(volume: Reader, at: number, boot: BootSector): Promise<boolean> {
  if (at <= 0 || at + boot.bytesPerSector > volume.sizeBytes) return false;
  const bytes = await volume.readAt(at, boot.bytesPerSector);
  if (bytes.length < BOOT_SECTOR.size || !hasNtfsOemId(bytes)) return false;
  return formatSerial(BOOT_SECTOR.decode(bytes).serial) === boot.serial;
}
