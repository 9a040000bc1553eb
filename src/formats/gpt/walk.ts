import type { Reason } from '../../core/errors.js';
import { lba } from '../../core/units.js';
import type { Reader } from '../../device/types.js';
import {
  bothDamaged,
  decodeEntries,
  decodeHeader,
  entriesChecksum,
  entrySectorCount,
  type HeaderResult,
} from './decode.js';
import { type Header, PRIMARY_HEADER_LBA } from './layout.js';
import { copyProblems, placeProblems, type Usable } from './problems.js';
import { hybridNumbers, MBR_SIZE, mbrKind, mbrProblems } from './protective.js';
import type { GptCopy, GptCopyState, GptTable } from './types.js';

/** A sound copy: its values and its bytes. */
interface SoundCopy {
  readonly header: Header;
  readonly copy: GptCopy;
}
type CopyResult = SoundCopy | 'bad-crc' | 'missing';

interface Sectors {
  readonly disk: Reader;
  readonly sectorSize: number;
  readonly count: number;
}

const SECTOR_SIZES = [512, 4096] as const;

/**
 * Reads the GPT of a disk: the primary copy, or the backup where the primary is lost. Null when there is
 * none, and when sector 0 does not announce one and no sound primary says otherwise (a left-over backup).
 * Contradictions end up in `problems`. Throws Damaged (`gpt`) when both copies are lost, Unsupported
 * (`gpt-entries`) for entry sizes and counts out of the usual.
 */
export async function readGpt(disk: Reader, sectorSize: number): Promise<GptTable | null> {
  const sectors = sectorsOf(disk, sectorSize);
  if (sectors.count <= PRIMARY_HEADER_LBA || disk.sizeBytes < MBR_SIZE) return null;
  const mbr = await disk.readAt(0, MBR_SIZE);
  const isAnnounced = mbrKind(mbr) === 'announced';
  const primary = await readCopy(sectors, PRIMARY_HEADER_LBA);
  if (!isAnnounced && typeof primary === 'string') return null;
  const backup = await findBackup(sectors, primary);
  if (primary === 'missing' && backup === 'missing') return null;
  return tableOf(sectors, mbr, primary, backup);
}

/**
 * The sector size that a GPT on the disk was written with; null without a GPT. An MBR disk with a left-over
 * GPT has none.
 */
export async function gptSectorSize(disk: Reader): Promise<512 | 4096 | null> {
  if (disk.sizeBytes < MBR_SIZE) return null;
  if (mbrKind(await disk.readAt(0, MBR_SIZE)) === 'foreign') return null;
  const found: { header: HeaderResult; sectorSize: 512 | 4096 }[] = [];
  for (const sectorSize of SECTOR_SIZES) {
    const sectors = sectorsOf(disk, sectorSize);
    const primary = await readHeader(sectors, PRIMARY_HEADER_LBA);
    const backup = await readHeader(sectors, sectors.count - 1);
    found.push({ header: primary.header, sectorSize }, { header: backup.header, sectorSize });
  }
  const sound = found.find(({ header }) => typeof header !== 'string');
  const signed = found.find(({ header }) => header !== 'missing');
  return (sound ?? signed)?.sectorSize ?? null;
}

const sectorsOf = (disk: Reader, sectorSize: number): Sectors => ({
  disk,
  sectorSize,
  count: Math.floor(disk.sizeBytes / sectorSize),
});

async function readHeader(
  { disk, sectorSize, count }: Sectors,
  at: number,
): Promise<{ header: HeaderResult; sector: Uint8Array }> {
  if (at < PRIMARY_HEADER_LBA || at >= count) return { header: 'missing', sector: new Uint8Array(0) };
  const sector = await disk.readAt(at * sectorSize, sectorSize);
  return { header: decodeHeader(sector, at), sector };
}

async function readCopy(sectors: Sectors, at: number): Promise<CopyResult> {
  const { header, sector } = await readHeader(sectors, at);
  if (typeof header === 'string') return header;
  const { disk, sectorSize, count } = sectors;
  const entrySectorsCount = entrySectorCount(header, sectorSize);
  const isInside = header.entriesLba > PRIMARY_HEADER_LBA && header.entriesLba + entrySectorsCount <= count;
  if (!isInside) return 'bad-crc';
  const entrySectors = await disk.readAt(header.entriesLba * sectorSize, entrySectorsCount * sectorSize);
  if (entriesChecksum(entrySectors, header) !== header.entriesCrc) return 'bad-crc';
  const copy: GptCopy = {
    headerLba: lba(at),
    entriesLba: lba(header.entriesLba),
    headerSector: sector,
    entrySectors,
  };
  return { header, copy };
}

/** Where the primary says, else in the last sector; the last is all there is when the primary is lost. */
async function findBackup(sectors: Sectors, primary: CopyResult): Promise<CopyResult> {
  const last = sectors.count - 1;
  const stated = typeof primary === 'string' ? last : primary.header.alternateLba;
  let result: CopyResult = 'missing';
  for (const at of new Set([stated, last])) {
    if (at === PRIMARY_HEADER_LBA) continue;
    const found = await readCopy(sectors, at);
    if (typeof found !== 'string') return found;
    if (found === 'bad-crc') result = found;
  }
  return result;
}

function tableOf(sectors: Sectors, mbr: Uint8Array, primary: CopyResult, backup: CopyResult): GptTable {
  const used = typeof primary === 'string' ? backup : primary;
  if (typeof used === 'string') throw bothDamaged();
  const { header, copy } = used;
  const primaryState = typeof primary === 'string' ? primary : 'good';
  const backupState = stateOfBackup(sectors, primary, backup);
  const partitions = decodeEntries(copy.entrySectors, header);
  const usable = { first: header.firstUsable, last: header.lastUsable, diskSectors: sectors.count };
  return {
    diskGuid: header.diskGuid,
    sectorSize: sectors.sectorSize,
    diskSectors: sectors.count,
    firstUsable: lba(header.firstUsable),
    lastUsable: lba(header.lastUsable),
    entryCount: header.entryCount,
    entrySize: header.entrySize,
    partitions,
    primaryState,
    backupState,
    primary: typeof primary === 'string' ? null : primary.copy,
    backup: typeof backup === 'string' ? null : backup.copy,
    protectiveMbr: mbr,
    hybrid: hybridNumbers(mbr, partitions),
    problems: [
      ...copyProblems(primaryState, backupState),
      ...mbrProblems(mbr, partitions),
      ...tableProblems(usable, primary, backup),
      ...placeProblems(partitions, usable),
    ],
  };
}

/** The tables must lie outside the sectors they give to partitions. */
function tableProblems({ first, last }: Usable, primary: CopyResult, backup: CopyResult): Reason[] {
  const isFree = (result: CopyResult): boolean => {
    if (typeof result === 'string') return true;
    const { headerLba, entriesLba, headerSector, entrySectors } = result.copy;
    const entriesEnd = entriesLba + entrySectors.length / headerSector.length;
    return (entriesEnd <= first || entriesLba > last) && (headerLba < first || headerLba > last);
  };
  if (isFree(primary) && isFree(backup)) return [];
  const message = `the usable sectors ${first} to ${last} contain the GPT itself`;
  return [{ code: 'gpt-usable', message, hint: 'correct the table with gdisk first' }];
}

function stateOfBackup(sectors: Sectors, primary: CopyResult, backup: CopyResult): GptCopyState {
  if (typeof backup === 'string') return backup;
  if (typeof primary !== 'string' && !agree(primary.header, backup.header)) return 'disagrees';
  return backup.copy.headerLba === sectors.count - 1 ? 'good' : 'misplaced';
}

/** Both copies describe the same partitions on the same disk. Their own places differ by nature. */
function agree(a: Header, b: Header): boolean {
  return (
    a.diskGuid === b.diskGuid &&
    a.firstUsable === b.firstUsable &&
    a.lastUsable === b.lastUsable &&
    a.entryCount === b.entryCount &&
    a.entrySize === b.entrySize &&
    a.entriesCrc === b.entriesCrc
  );
}
