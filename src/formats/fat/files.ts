import { decodeUtf16 } from '../../codec/text.js';
import { damaged } from '../../core/errors.js';
import { type ByteRange, mergeRanges } from '../../core/range.js';
import type { Reader } from '../../device/types.js';
import { readInside } from '../read.js';
import type { MetadataWrite } from '../types.js';
import { type FileFinder, type FilePatch, patchPlaces, type VolumeFile } from '../volume-file.js';
import { decodeFat, entryBits, type FatVolume } from './decode.js';
import {
  ATTRIBUTE_DIRECTORY,
  ATTRIBUTE_LABEL,
  ATTRIBUTE_LONG_NAME,
  BOOT_SECTOR_SIZE,
  DIRECTORY_ENTRY,
  DIRECTORY_ENTRY_SIZE,
  ENTRY_DELETED,
  ENTRY_END,
  LONG_NAME,
  LONG_NAME_LAST,
} from './layout.js';

/** A directory holds 65536 entries at the most (fatgen103, "Directory structure"). */
const DIRECTORY_BYTES_MAX = 65_536 * DIRECTORY_ENTRY_SIZE;
/** From here on an entry of the table means no cluster: bad, or the end of a chain. */
const CHAIN_END = { 12: 0xff7, 16: 0xfff7, 32: 0x0fff_fff7 } as const;
const FAT32_ENTRY_MASK = 0x0fff_ffff;

/** Finds files of a FAT12, FAT16 or FAT32 volume by long or short names. Throws Damaged. */
export async function fatFiles(volume: Reader): Promise<FileFinder> {
  const head = await readInside(volume, 0, BOOT_SECTOR_SIZE, 'the FAT boot sector');
  const fat = decodeFat(head, volume.sizeBytes);
  return {
    find: (path) => findFile(volume, fat, path),
    folders: async () => {
      const entries = await readEntries(volume, await rootPlaces(volume, fat));
      return entries.flatMap(({ names, isDirectory }) => (isDirectory ? (names.at(-1) ?? []) : []));
    },
  };
}

interface Entry {
  /** Short and long name, in upper case. */
  readonly names: readonly string[];
  readonly isDirectory: boolean;
  /** Means something with FAT32 only. */
  readonly clusterHigh: number;
  readonly clusterLow: number;
  readonly size: number;
}

async function findFile(
  volume: Reader,
  fat: FatVolume,
  path: readonly string[],
): Promise<VolumeFile | undefined> {
  let directory = await rootPlaces(volume, fat);
  for (const [index, name] of path.entries()) {
    const wanted = name.toUpperCase();
    const entries = await readEntries(volume, directory);
    const entry = entries.find(({ names }) => names.includes(wanted));
    if (entry === undefined) return undefined;
    const isLast = index === path.length - 1;
    if (entry.isDirectory === isLast) return undefined;
    const most = isLast ? entry.size : DIRECTORY_BYTES_MAX;
    const high = fat.kind === 'fat32' ? entry.clusterHigh : 0;
    const places = await chainPlaces(volume, fat, high * 0x1_0000 + entry.clusterLow, most);
    if (isLast) return new FatFile(`\\${path.join('\\')}`, volume, entry.size, places);
    directory = places;
  }
  return undefined;
}

async function rootPlaces(volume: Reader, fat: FatVolume): Promise<ByteRange[]> {
  if (fat.kind === 'fat32') return chainPlaces(volume, fat, fat.rootCluster, DIRECTORY_BYTES_MAX);
  return [{ at: fat.rootAt, length: fat.rootEntries * DIRECTORY_ENTRY_SIZE }];
}

/** What a chain of clusters holds, `mostBytes` at the most: a longer one is a loop, or not ours to read. */
async function chainPlaces(
  volume: Reader,
  fat: FatVolume,
  first: number,
  mostBytes: number,
): Promise<ByteRange[]> {
  const places: ByteRange[] = [];
  const most = Math.min(fat.clusterCount, Math.ceil(mostBytes / fat.clusterBytes));
  let cluster = first;
  for (let count = 0; count < most; count++) {
    if (cluster < 2 || cluster >= fat.clusterCount + 2) break;
    places.push({ at: fat.dataAt + (cluster - 2) * fat.clusterBytes, length: fat.clusterBytes });
    cluster = await nextCluster(volume, fat, cluster);
    if (cluster >= CHAIN_END[entryBits(fat.kind)]) break;
  }
  return mergeNeighbours(places);
}

/** Joins what follows each other in the chain and on the volume; the order of the chain stays. */
function mergeNeighbours(places: readonly ByteRange[]): ByteRange[] {
  const merged: ByteRange[] = [];
  for (const place of places) {
    const last = merged.pop();
    if (last === undefined || place.at < last.at) merged.push(...(last === undefined ? [] : [last]), place);
    else merged.push(...mergeRanges([last, place]));
  }
  return merged;
}

async function nextCluster(volume: Reader, fat: FatVolume, cluster: number): Promise<number> {
  const bits = entryBits(fat.kind);
  const at = fat.fatAt + Math.floor((cluster * bits) / 8);
  const bytes = await readInside(volume, at, bits === 32 ? 4 : 2, 'the FAT');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bits === 32) return view.getUint32(0, true) & FAT32_ENTRY_MASK;
  const word = view.getUint16(0, true);
  if (bits === 16) return word;
  return cluster % 2 === 1 ? word >> 4 : word & 0xfff;
}

async function readEntries(volume: Reader, places: readonly ByteRange[]): Promise<Entry[]> {
  const entries: Entry[] = [];
  let long: LongName | undefined;
  for (const place of places) {
    const bytes = await readInside(volume, place.at, place.length, 'a FAT directory');
    for (let at = 0; at + DIRECTORY_ENTRY_SIZE <= bytes.length; at += DIRECTORY_ENTRY_SIZE) {
      if (bytes[at] === ENTRY_END) return entries;
      const raw = DIRECTORY_ENTRY.decode(bytes, at);
      const isLong = (raw.attributes & ATTRIBUTE_LONG_NAME) === ATTRIBUTE_LONG_NAME;
      if (bytes[at] === ENTRY_DELETED) long = undefined;
      else if (isLong) long = addPiece(long, LONG_NAME.decode(bytes, at));
      else {
        const isVolumeLabel = (raw.attributes & ATTRIBUTE_LABEL) !== 0;
        if (!isVolumeLabel) entries.push(entryOf(raw, bytes.subarray(at, at + 11), long));
        long = undefined;
      }
    }
  }
  return entries;
}

/** The pieces of a long name that were seen so far, the last one first. */
interface LongName {
  readonly text: string;
  readonly checksum: number;
  /** Order of the piece that must come next; 0 when the name is whole. */
  readonly next: number;
}

function addPiece(
  before: LongName | undefined,
  { order, first, second, third, checksum }: ReturnType<typeof LONG_NAME.decode>,
): LongName | undefined {
  const text = [first, second, third].map(decodeUtf16).join('').replace(/\0.*$/s, '');
  const number = order % LONG_NAME_LAST;
  if (order >= LONG_NAME_LAST) return number === 0 ? undefined : { text, checksum, next: number - 1 };
  if (before === undefined || before.next !== number || before.checksum !== checksum) return undefined;
  return { text: text + before.text, checksum, next: number - 1 };
}

function entryOf(
  raw: ReturnType<typeof DIRECTORY_ENTRY.decode>,
  nameBytes: Uint8Array,
  long: LongName | undefined,
): Entry {
  const stem = raw.name.slice(0, 8).trimEnd();
  const extension = raw.name.slice(8).trimEnd();
  const short = extension === '' ? stem : `${stem}.${extension}`;
  const isWhole = long !== undefined && long.next === 0 && long.checksum === shortChecksum(nameBytes);
  return {
    names: isWhole ? [short, long.text.toUpperCase()] : [short],
    isDirectory: (raw.attributes & ATTRIBUTE_DIRECTORY) !== 0,
    clusterHigh: raw.clusterHigh,
    clusterLow: raw.clusterLow,
    size: raw.size,
  };
}

/** Ties a long name to its short one (fatgen103, "ChkSum"). */
function shortChecksum(name: Uint8Array): number {
  return name.reduce((sum, byte) => ((sum & 1) * 0x80 + (sum >> 1) + byte) & 0xff, 0);
}

class FatFile implements VolumeFile {
  constructor(
    readonly label: string,
    private readonly volume: Reader,
    readonly sizeBytes: number,
    private readonly clusters: readonly ByteRange[],
  ) {}

  async readAt(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array> {
    const target = new Uint8Array(length);
    let done = 0;
    for (const place of this.places(offset, length)) {
      target.set(await readInside(this.volume, place.at, place.length, this.label, signal), done);
      done += place.length;
    }
    return target;
  }

  places(at: number, length: number): ByteRange[] {
    const found: ByteRange[] = [];
    const end = at + length;
    let start = 0;
    for (const run of this.clusters) {
      const from = Math.max(at, start);
      const to = Math.min(end, start + run.length);
      if (to > from) found.push({ at: run.at + from - start, length: to - from });
      start += run.length;
    }
    if (end <= this.sizeBytes && end <= start) return found;
    throw damaged('fat-file', `${this.label} has fewer clusters than its size says`, {
      expected: end,
      actual: start,
    });
  }

  patch(patches: readonly FilePatch[], why: string): MetadataWrite[] {
    return patchPlaces(this, patches, why);
  }
}
