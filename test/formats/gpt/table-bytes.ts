import { crc32 } from '../../../src/codec/checksum.js';
import { entryLayout, headerGuardLayout, headerLayout } from '../../../src/formats/gpt/layout.js';
import { SparseDisk } from '../mbr/disk-file.js';

/** A GPT as a test writes it: 512-byte sectors, one sector per default for what is not said. */
export interface TestGpt {
  readonly diskSectors: number;
  readonly entryCount?: number;
  readonly entrySize?: number;
  readonly headerSize?: number;
  readonly firstUsable?: number;
  readonly lastUsable?: number;
  readonly entries: readonly { readonly number: number; readonly first: number; readonly last: number }[];
}

export const DISK_GUID = '00112233-4455-6677-8899-aabbccddeeff';
export const BASIC_DATA = 'ebd0a0a2-b9e5-4433-87c0-68b6b72699c7';
const SECTOR = 512;

/** A byte that belongs to nothing known, so that a test sees whether it survives. */
export const filler = (at: number): number => 1 + (at % 250);

export function gptDisk(gpt: TestGpt): SparseDisk {
  const { diskSectors, entryCount = 128, entrySize = 128, headerSize = 92 } = gpt;
  const entrySectors = Math.ceil((entryCount * entrySize) / SECTOR);
  const entries = new Uint8Array(entrySectors * SECTOR);
  for (const { number, first, last } of gpt.entries) {
    const at = (number - 1) * entrySize;
    for (let i = 128; i < entrySize; i++) entries[at + i] = filler(i);
    const uniqueGuid = `${number.toString(16).padStart(8, '0')}-0000-4000-8000-000000000000`;
    const values = { typeGuid: BASIC_DATA, uniqueGuid, firstLba: first, lastLba: last, name: `p${number}` };
    entryLayout.patch(entries, at, { ...values, attributes: 1n << 60n });
  }
  const last = diskSectors - 1;
  const common = {
    headerSize,
    firstUsable: gpt.firstUsable ?? 2 + entrySectors,
    lastUsable: gpt.lastUsable ?? last - entrySectors - 1,
    diskGuid: DISK_GUID,
    entryCount,
    entrySize,
    entriesCrc: crc32(entries.subarray(0, entryCount * entrySize)),
  };
  const backupEntries = last - entrySectors;
  return new SparseDisk(diskSectors * SECTOR).with([
    { at: 0, bytes: protectiveMbr(diskSectors) },
    { at: SECTOR, bytes: header({ ...common, myLba: 1, alternateLba: last, entriesLba: 2 }) },
    { at: 2 * SECTOR, bytes: entries },
    { at: backupEntries * SECTOR, bytes: entries },
    {
      at: last * SECTOR,
      bytes: header({ ...common, myLba: last, alternateLba: 1, entriesLba: backupEntries }),
    },
  ]);
}

/** A sealed header sector; whatever lies behind the known fields is filler. */
export function header(values: Parameters<typeof headerLayout.patch>[2]): Uint8Array {
  const sector = new Uint8Array(SECTOR);
  for (let i = 92; i < SECTOR; i++) sector[i] = filler(i);
  headerGuardLayout.patch(sector, 0, { signature: 'EFI PART' });
  sector.set([0, 0, 1, 0], 8);
  headerLayout.patch(sector, 0, { ...values, headerCrc: 0 });
  headerLayout.patch(sector, 0, { headerCrc: crc32(sector.subarray(0, values.headerSize ?? 92)) });
  return sector;
}

function protectiveMbr(diskSectors: number): Uint8Array {
  const mbr = new Uint8Array(SECTOR);
  mbr.set([0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff, 1, 0, 0, 0], 0x1be);
  new DataView(mbr.buffer).setUint32(0x1be + 12, diskSectors - 1, true);
  mbr.set([0x55, 0xaa], 510);
  return mbr;
}
