import { type ByteRange, clipRanges } from '../../core/range.js';
import { alignUp } from '../../core/units.js';
import { PRIMARY_HEADER_LBA } from './layout.js';
import type { GptTable } from './types.js';

/** Where the backup is, or will be, and the last sector it leaves to partitions. */
export interface BackupPlace {
  readonly headerLba: number;
  readonly entriesLba: number;
  /** Inclusive. */
  readonly lastUsable: number;
}

/** Entries follow the primary header, where nothing else is known. */
const USUAL_ENTRIES_LBA = 2;

/** Whole sectors that the entries take. */
const entrySectorCount = ({ entryCount, entrySize, sectorSize }: GptTable): number =>
  alignUp(entryCount * entrySize, sectorSize) / sectorSize;

/**
 * The backup for a disk of this size: a good one stays where it is while the disk keeps its size; else its
 * header takes the last sector, the entries lie before it, and all before those is usable.
 */
export function backupPlace(table: GptTable, diskSectors: number): BackupPlace {
  const { backup, lastUsable } = table;
  if (backup !== null && table.backupState === 'good' && diskSectors === table.diskSectors) {
    return { headerLba: backup.headerLba, entriesLba: backup.entriesLba, lastUsable };
  }
  const headerLba = diskSectors - 1;
  const entriesLba = headerLba - entrySectorCount(table);
  return { headerLba, entriesLba, lastUsable: entriesLba - 1 };
}

/**
 * The byte ranges the table takes on a disk of the given size, in order: protective MBR, primary header and
 * entries, backup entries and header. Ranges that such a disk does not have are left out.
 */
export function tableSectorsOfGpt(table: GptTable, diskSectors: number): ByteRange[] {
  const count = entrySectorCount(table);
  const backup = backupPlace(table, diskSectors);
  const ranges = [
    { start: 0, sectors: 1 },
    { start: PRIMARY_HEADER_LBA, sectors: 1 },
    { start: table.primary?.entriesLba ?? USUAL_ENTRIES_LBA, sectors: count },
    { start: backup.entriesLba, sectors: count },
    { start: backup.headerLba, sectors: 1 },
  ];
  const bytes = ranges.map(({ start, sectors }) => ({
    at: start * table.sectorSize,
    length: sectors * table.sectorSize,
  }));
  bytes.sort((a, b) => a.at - b.at);
  return clipRanges(bytes, { at: 0, length: diskSectors * table.sectorSize });
}
