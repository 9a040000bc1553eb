import { type ByteRange, complement, mergeRanges } from '../core/range.js';
import { lbaToBytes, MIB } from '../core/units.js';
import { tableSectorsOfGpt } from '../formats/gpt/index.js';
import type { DiskFacts } from '../inspect/types.js';

/** Boot loaders embed themselves behind the MBR, and nobody reaches further: never touched, whatever the table. */
const BOOT_AREA_BYTES = MIB;

/**
 * What no partition holds, of what partitions may use: between them, behind the last one, and inside the extended
 * partition. EBRs, both copies of a GPT (a left-over one too) and the first MiB with its boot code are in use.
 */
export function unallocatedRanges(facts: DiskFacts): ByteRange[] {
  const { partitions, usable, sectorSize, sizeBytes, gpt, mbr } = facts;
  const taken: ByteRange[] = partitions
    .filter(({ kind }) => kind !== 'extended')
    .map(({ startLba, sectorCount }) => ({
      at: lbaToBytes(startLba, sectorSize),
      length: sectorCount * sectorSize,
    }));
  const ebrs = partitions.flatMap(({ kind, startLba, ebrLba }) =>
    kind === 'extended' ? startLba : (ebrLba ?? []),
  );
  for (const at of [...ebrs, ...(mbr?.ebrs ?? []).map(({ lba }) => lba)]) {
    taken.push({ at: lbaToBytes(at, sectorSize), length: sectorSize });
  }
  if (gpt !== null) taken.push(...tableSectorsOfGpt(gpt, Math.floor(sizeBytes / sectorSize)));
  const at = Math.max(BOOT_AREA_BYTES, lbaToBytes(usable.first, sectorSize));
  const holder = { at, length: Math.max(0, lbaToBytes(usable.end, sectorSize) - at) };
  return complement(mergeRanges(taken.sort((a, b) => a.at - b.at)), holder);
}
