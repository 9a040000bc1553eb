import { crc32 } from '../codec/checksum.js';
import { isFamily, type Reason } from '../core/errors.js';
import type { ByteRange } from '../core/range.js';
import type { Reader } from '../device/types.js';
import { type GptTable, gptSectorSize, readGpt, tableSectorsOfGpt } from '../formats/gpt/index.js';
import { type MbrTable, readMbr, tableSectorsOfMbr } from '../formats/mbr/index.js';

/** The partition tables of a disk, and which of them rules. */
export interface Tables {
  readonly kind: 'mbr' | 'gpt' | 'none';
  readonly sectorSize: number;
  readonly mbr: MbrTable | null;
  readonly gpt: GptTable | null;
  /** Disk signature (8 hex digits) or disk GUID. */
  readonly diskId: string | null;
  /** CRC-32 of all table sectors. */
  readonly checksum: number;
  /** What makes the tables contradictory: no change is possible. */
  readonly damage: readonly Reason[];
  /** Tables of a kind that this program leaves alone. */
  readonly unsupported: readonly Reason[];
  readonly warnings: readonly Reason[];
}

const SECTOR_BYTES = 512;

/** Reads what tables there are. A damaged one ends in `damage`; only the store's failures are thrown. */
export async function readTables(disk: Reader): Promise<Tables> {
  const damage: Reason[] = [];
  const unsupported: Reason[] = [];
  const found = { damage, unsupported };
  const sectorSize = (await attempt(() => gptSectorSize(disk), found)) ?? SECTOR_BYTES;
  const mbr = await attempt(() => readMbr(disk, sectorSize), found);
  const gpt = await attempt(() => readGpt(disk, sectorSize), found);
  const rules = whichRules(mbr, gpt, damage);
  const table = rules.kind === 'gpt' ? gpt : mbr;
  return {
    kind: rules.kind,
    sectorSize,
    mbr,
    gpt,
    diskId: rules.kind === 'gpt' ? (gpt?.diskGuid ?? null) : signatureOf(mbr),
    checksum: await checksumOf(disk, rules.kind, sectorSize, mbr, gpt),
    damage: [...damage, ...(rules.kind === 'none' ? [] : (table?.problems ?? []))],
    unsupported,
    warnings: [...rules.warnings, ...copyWarnings(rules.kind, gpt)],
  };
}

async function attempt<T>(
  read: () => Promise<T | null>,
  { damage, unsupported }: { damage: Reason[]; unsupported: Reason[] },
): Promise<T | null> {
  try {
    return await read();
  } catch (error) {
    if (isFamily(error, 'damaged')) damage.push(error.toReason());
    else if (isFamily(error, 'unsupported')) unsupported.push(error.toReason());
    else throw error;
    return null;
  }
}

/** A GPT counts only behind an MBR that says so, as for Linux and UEFI firmware: else it is a left-over. */
function whichRules(
  mbr: MbrTable | null,
  gpt: GptTable | null,
  damage: readonly Reason[],
): { kind: Tables['kind']; warnings: Reason[] } {
  if (gpt !== null && (mbr === null || mbr.hybridOrProtective)) return { kind: 'gpt', warnings: [] };
  if (mbr === null) return { kind: 'none', warnings: [] };
  if (gpt !== null) {
    const message = 'the disk has a left-over GPT that its MBR does not announce; the MBR is used';
    return {
      kind: 'mbr',
      warnings: [{ code: 'stale-gpt', message, hint: 'remove it with: wipefs or gdisk' }],
    };
  }
  return { kind: mbr.hybridOrProtective && damage.length > 0 ? 'gpt' : 'mbr', warnings: [] };
}

function copyWarnings(kind: Tables['kind'], gpt: GptTable | null): Reason[] {
  if (kind !== 'gpt' || gpt === null) return [];
  const warnings: Reason[] = [];
  for (const [name, state] of [
    ['primary', gpt.primaryState],
    ['backup', gpt.backupState],
  ] as const) {
    if (state === 'good') continue;
    const message = `the ${name} GPT is ${state.replace('-', ' ')}; the other copy is used`;
    const hint =
      name === 'backup' ? 'any change writes a good one' : 'repair it with gdisk before any change';
    warnings.push({ code: `gpt-${name}-${state}`, message, hint });
  }
  return warnings;
}

function signatureOf(mbr: MbrTable | null): string | null {
  return mbr === null ? null : mbr.signature.toString(16).padStart(8, '0');
}

async function checksumOf(
  disk: Reader,
  kind: Tables['kind'],
  sectorSize: number,
  mbr: MbrTable | null,
  gpt: GptTable | null,
): Promise<number> {
  let ranges: ByteRange[] = [];
  if (kind === 'gpt' && gpt !== null)
    ranges = tableSectorsOfGpt(gpt, Math.floor(disk.sizeBytes / sectorSize));
  if (kind === 'mbr' && mbr !== null) {
    ranges = tableSectorsOfMbr(mbr).map((sector) => ({ at: sector * sectorSize, length: SECTOR_BYTES }));
  }
  let checksum = 0;
  for (const { at, length } of ranges) checksum = crc32(await disk.readAt(at, length), checksum);
  return checksum;
}
