import { bytes, u32be, u32le } from '../../codec/fields.js';
import { defineLayout } from '../../codec/layout.js';
import { utf8Text } from '../../codec/text.js';
import { formatUuid, uuid } from '../../codec/uuid.js';
import { alignDown, KIB } from '../../core/units.js';
import type { Reader } from '../../device/types.js';
import { volumeFacts } from '../facts.js';
import { tryRead } from '../read.js';
import type { FilesystemFacts, FilesystemFormat } from '../types.js';

/** include/uapi/linux/raid/md_p.h. */
const MAGIC = 0xa92b4efc;
/** Version 0.90 takes the last whole 64 KiB below the last 64 KiB boundary. */
const OLD_RESERVED = 64 * KIB;
const SECTOR = 512;

/** Version 0.90, in the byte order of the guest. */
const OLD_SUPERBLOCK = defineLayout('md superblock 0.90', 64, {
  magic: { at: 0, type: u32le },
  magicBigEndian: { at: 0, type: u32be },
  sizeKib: { at: 32, type: u32le },
  sizeKibBigEndian: { at: 32, type: u32be },
  uuidFirst: { at: 20, type: bytes(4) },
  uuidRest: { at: 52, type: bytes(12) },
});

/** Versions 1.0, 1.1 and 1.2: always little-endian. */
const SUPERBLOCK = defineLayout('md superblock', 256, {
  magic: { at: 0, type: u32le },
  major: { at: 4, type: u32le },
  setUuid: { at: 16, type: uuid },
  setName: { at: 32, type: utf8Text(32) },
  ownSectorLow: { at: 144, type: u32le },
  ownSectorHigh: { at: 148, type: u32le },
});

/** A member of an md array. */
interface Member {
  readonly version: '0.90' | '1.0' | '1.1' | '1.2';
  readonly label: string | null;
  readonly serial: string;
}

/**
 * Linux software RAID members. Positions count from the start of the member, but versions 0.90 and 1.0 are
 * found by its end: such a partition must keep its size to the sector.
 */
export const md: FilesystemFormat = {
  id: 'md',
  probe: async (_head, volume) => (await findMember(volume)) !== undefined,
  inspect,
};

/**
 * True when a member that is found by the end of its device ends here: a partition with one must keep its
 * size, and a whole disk with one must never be cut.
 */
export async function hasMdAtEnd(device: Reader): Promise<boolean> {
  return (await findAtEnd(device)) !== undefined;
}

async function inspect(volume: Reader): Promise<FilesystemFacts> {
  const member = await findMember(volume);
  return volumeFacts({
    kind: 'md',
    label: member?.label ?? null,
    serial: member?.serial ?? null,
    toleratesLargerPartition: member?.version === '1.1' || member?.version === '1.2',
  });
}

async function findMember(volume: Reader): Promise<Member | undefined> {
  return (
    (await findAtEnd(volume)) ?? (await readNew(volume, 0, '1.1')) ?? (await readNew(volume, 4 * KIB, '1.2'))
  );
}

async function findAtEnd(volume: Reader): Promise<Member | undefined> {
  const oldAt = alignDown(volume.sizeBytes, OLD_RESERVED) - OLD_RESERVED;
  const newAt = alignDown(volume.sizeBytes, 4 * KIB) - 8 * KIB;
  return (await readOld(volume, oldAt)) ?? (await readNew(volume, newAt, '1.0'));
}

async function readNew(volume: Reader, at: number, version: Member['version']): Promise<Member | undefined> {
  const found = await tryRead(volume, at, SUPERBLOCK.size);
  if (found === undefined) return undefined;
  const { magic, major, ownSectorLow, ownSectorHigh, setName, setUuid } = SUPERBLOCK.decode(found);
  const inPlace = (ownSectorHigh * 2 ** 32 + ownSectorLow) * SECTOR === at;
  if (magic !== MAGIC || major !== 1 || !inPlace) return undefined;
  return { version, label: setName || null, serial: setUuid };
}

async function readOld(volume: Reader, at: number): Promise<Member | undefined> {
  const found = await tryRead(volume, at, OLD_SUPERBLOCK.size);
  if (found === undefined) return undefined;
  const values = OLD_SUPERBLOCK.decode(found);
  const little = values.magic === MAGIC;
  if (!little && values.magicBigEndian !== MAGIC) return undefined;
  const sizeKib = little ? values.sizeKib : values.sizeKibBigEndian;
  // One behind a partition that is smaller than what it describes belongs to another device.
  if (sizeKib * KIB > at) return undefined;
  const words = new Uint8Array([...values.uuidFirst, ...values.uuidRest]);
  return { version: '0.90', label: null, serial: formatUuid(little ? swapWords(words) : words) };
}

/** The UUID is four numbers, shown with the high byte first. */
function swapWords(words: Uint8Array): Uint8Array {
  return words.map((_, i) => words[(i & ~3) + 3 - (i & 3)] ?? 0);
}
