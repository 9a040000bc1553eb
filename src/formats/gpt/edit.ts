import { hintOf, internalError, refused } from '../../core/errors.js';
import type { MetadataWrite } from '../types.js';
import { entriesChecksum, headerChecksum } from './decode.js';
import { entryLayout, headerLayout } from './layout.js';
import { type BackupPlace, backupPlace } from './places.js';
import { type Placed, placeProblems } from './problems.js';
import { resizedMbr } from './protective.js';
import type { GptChange, GptCopy, GptTable } from './types.js';

/**
 * The writes that turn the table into the wished one, in groups: each must be durable before the next
 * begins. The order is that of the UEFI specification, so that one copy is whole at any moment:
 *
 *     backup entries | backup header | primary entries | primary header | protective MBR
 *     primary counts   primary counts   backup counts    both count
 *
 * All bytes that are not places or checksums survive. A backup that was lost or not at the end of the disk is
 * written anew at the end. Nothing to change: no groups.
 *
 * Throws Refused: `gpt-problems`, `hybrid-mbr` (a partition that the MBR lists too would change),
 * `gpt-usable` (no room for the tables). Throws Internal when the wish contradicts itself.
 */
export function editGpt(table: GptTable, change: GptChange): MetadataWrite[][] {
  const wished = wishedPlaces(table, change);
  const changed = wished.filter((place, index) => !isSame(place, table.partitions[index]));
  if (changed.length === 0 && change.diskSectors === table.diskSectors) return [];
  const primary = refuseUnsound(table, changed);
  const place = backupPlace(table, change.diskSectors);
  checkResult(table, wished, place, change.diskSectors);

  const entries = editedEntries(table, primary, wished);
  const headers = editedHeaders(table, primary, entries, place);
  const mbr = resizedMbr(table.protectiveMbr, table.diskSectors, change.diskSectors);
  const note = backupNote(table);
  const { sectorSize } = table;
  const writes: MetadataWrite[] = [
    { at: place.entriesLba * sectorSize, bytes: entries, why: `backup GPT entries${note}` },
    { at: place.headerLba * sectorSize, bytes: headers.backup, why: `backup GPT header${note}` },
    { at: primary.entriesLba * sectorSize, bytes: entries, why: 'primary GPT entries' },
    { at: primary.headerLba * sectorSize, bytes: headers.primary, why: 'primary GPT header' },
  ];
  if (mbr !== table.protectiveMbr) writes.push({ at: 0, bytes: mbr, why: 'protective MBR' });
  return writes.map((write) => [write]);
}

function wishedPlaces(table: GptTable, change: GptChange): Placed[] {
  if (change.partitions.size !== table.partitions.length) {
    throw internalError('gpt-change', 'the change does not name exactly the partitions of the table');
  }
  return table.partitions.map(({ number }) => {
    const place = change.partitions.get(number);
    if (place === undefined || !isWhole(place.startLba, 0) || !isWhole(place.sectorCount, 0)) {
      throw internalError('gpt-change', `the change has no usable place for partition ${number}`);
    }
    return { number, startLba: place.startLba, sectorCount: place.sectorCount };
  });
}

const isWhole = (value: number, least: number): boolean => Number.isSafeInteger(value) && value >= least;

const isSame = (a: Placed, b: Placed | undefined): boolean =>
  a.startLba === b?.startLba && a.sectorCount === b.sectorCount;

/** The primary copy of a table that may be changed. */
function refuseUnsound(table: GptTable, changed: readonly Placed[]): GptCopy {
  const { primary, problems, hybrid } = table;
  const [first] = problems;
  if (first !== undefined) {
    const detail = hintOf(first);
    throw refused('gpt-problems', `the partition table is not sound: ${first.message}`, detail);
  }
  if (primary === null) throw internalError('gpt-change', 'a lost primary GPT was not reported');
  const both = changed.find(({ number }) => hybrid.includes(number));
  if (both === undefined) return primary;
  throw refused('hybrid-mbr', `partition ${both.number} is listed in the MBR too (hybrid MBR)`, {
    hint: 'replace the hybrid MBR by a protective one first (gdisk: expert menu, command n)',
  });
}

function checkResult(
  table: GptTable,
  wished: readonly Placed[],
  { lastUsable: last }: BackupPlace,
  diskSectors: number,
): void {
  if (!isWhole(diskSectors, 1)) throw internalError('gpt-change', 'the disk has no usable size');
  const first = table.firstUsable;
  const beyond = wished.find(({ startLba, sectorCount }) => startLba + sectorCount - 1 > last);
  if (beyond !== undefined || last < first) {
    const who = beyond === undefined ? 'the disk is too small' : `partition ${beyond.number} ends too late`;
    throw refused('gpt-usable', `${who} to leave room for the backup GPT behind sector ${last}`, {
      hint: 'make the disk larger, or the partition smaller',
    });
  }
  const [problem] = placeProblems(wished, { first, last, diskSectors });
  if (problem !== undefined)
    throw internalError('gpt-change', `the change is impossible: ${problem.message}`);
}

function editedEntries(table: GptTable, { entrySectors }: GptCopy, wished: readonly Placed[]): Uint8Array {
  const entries = entrySectors.slice();
  for (const { number, startLba, sectorCount } of wished) {
    const lastLba = startLba + sectorCount - 1;
    entryLayout.patch(entries, (number - 1) * table.entrySize, { firstLba: startLba, lastLba });
  }
  return entries;
}

/** Both headers: own bytes where a copy is sound, places patched, checksums last. */
function editedHeaders(
  table: GptTable,
  primary: GptCopy,
  entries: Uint8Array,
  { headerLba, entriesLba, lastUsable }: BackupPlace,
): { primary: Uint8Array; backup: Uint8Array } {
  const entriesCrc = entriesChecksum(entries, table);
  const common = { lastUsable, entriesCrc };
  const own = { myLba: primary.headerLba, alternateLba: headerLba, entriesLba: primary.entriesLba };
  const other = { myLba: headerLba, alternateLba: primary.headerLba, entriesLba };
  const base = (table.backup ?? primary).headerSector;
  return {
    primary: sealed(primary.headerSector, { ...common, ...own }),
    backup: sealed(base, { ...common, ...other }),
  };
}

function sealed(sector: Uint8Array, values: Parameters<typeof headerLayout.patch>[2]): Uint8Array {
  const header = sector.slice();
  headerLayout.patch(header, 0, values);
  const { headerSize } = headerLayout.decode(header);
  headerLayout.patch(header, 0, { headerCrc: headerChecksum(header, headerSize) });
  return header;
}

/** Says in the plan and the trace that more is written than was asked for. */
function backupNote({ backupState }: GptTable): string {
  if (backupState === 'good') return '';
  return backupState === 'misplaced' ? ' (moved to the end of the disk)' : ' (written anew: it was damaged)';
}
