import { MIB } from '../../core/units.js';
import type { Reader } from '../../device/types.js';
import { readInside } from '../read.js';
import { entryBits, type FatVolume, labelText } from './decode.js';
import {
  ATTRIBUTE_DIRECTORY,
  ATTRIBUTE_LABEL,
  ATTRIBUTE_LONG_NAME,
  DIRECTORY_ENTRY,
  DIRECTORY_ENTRY_SIZE,
  ENTRY_DELETED,
  ENTRY_END,
} from './layout.js';

/** A larger table is not read just to tell how full the volume is. */
const TABLE_READ_MAX = 16 * MIB;
const WINDOW = 256 * 1024;
/** The label is among the first entries: no need to follow a long root directory. */
const ROOT_ENTRIES_SEARCHED = 2048;
const ROOT_CLUSTERS_SEARCHED = 32;
const FAT32_ENTRY_MASK = 0x0fff_ffff;
const FAT32_CHAIN_END = 0x0fff_fff8;
/** Second entry: unmounted cleanly, no disk errors (fatgen103, "FAT volume initialization"). */
const CLEAN_16 = 0xc000;
const CLEAN_32 = 0x0c00_0000;

/** Clusters in use; null when the table is too large to read for that. */
export async function countUsedClusters(volume: Reader, fat: FatVolume): Promise<number | null> {
  const bits = entryBits(fat.kind);
  const bytes = Math.ceil(((fat.clusterCount + 2) * bits) / 8);
  if (bytes > TABLE_READ_MAX) return null;
  if (bits === 12) return countFat12(await readInside(volume, fat.fatAt, bytes, 'the FAT'), fat.clusterCount);
  let used = 0;
  for (let at = 0; at < bytes; at += WINDOW) {
    const window = await readInside(volume, fat.fatAt + at, Math.min(WINDOW, bytes - at), 'the FAT');
    const view = new DataView(window.buffer, window.byteOffset, window.length);
    // The first two entries are no clusters.
    for (let i = at === 0 ? bits / 4 : 0; i < window.length; i += bits / 8) {
      const entry = bits === 16 ? view.getUint16(i, true) : view.getUint32(i, true) & FAT32_ENTRY_MASK;
      if (entry !== 0) used++;
    }
  }
  return used;
}

/** Three bytes hold two entries. */
function countFat12(table: Uint8Array, clusters: number): number {
  let used = 0;
  for (let cluster = 2; cluster < clusters + 2; cluster++) {
    const at = cluster + (cluster >> 1);
    const pair = (table[at] ?? 0) | ((table[at + 1] ?? 0) << 8);
    if ((cluster & 1 ? pair >> 4 : pair & 0xfff) !== 0) used++;
  }
  return used;
}

/** True when the flags in the second entry say that the volume was not unmounted, or has errors. FAT12 has none. */
export async function isMarkedDirty(volume: Reader, fat: FatVolume): Promise<boolean> {
  if (fat.kind === 'fat12') return false;
  const start = await readInside(volume, fat.fatAt, 8, 'the FAT');
  const view = new DataView(start.buffer, start.byteOffset, start.length);
  if (fat.kind === 'fat16') return (view.getUint16(2, true) & CLEAN_16) !== CLEAN_16;
  return (view.getUint32(4, true) & CLEAN_32) !== CLEAN_32;
}

/** The label as the root directory has it; undefined when it has none, or not among its first entries. */
export async function rootLabel(volume: Reader, fat: FatVolume): Promise<string | null | undefined> {
  if (fat.kind !== 'fat32') {
    const entries = Math.min(fat.rootEntries, ROOT_ENTRIES_SEARCHED);
    const bytes = await readInside(
      volume,
      fat.rootAt,
      entries * DIRECTORY_ENTRY_SIZE,
      'the FAT root directory',
    );
    return findLabel(bytes).label;
  }
  let cluster = fat.rootCluster;
  for (let visited = 0; visited < ROOT_CLUSTERS_SEARCHED; visited++) {
    if (cluster < 2 || cluster >= fat.clusterCount + 2 || cluster >= FAT32_CHAIN_END) return undefined;
    const at = fat.dataAt + (cluster - 2) * fat.clusterBytes;
    const found = findLabel(await readInside(volume, at, fat.clusterBytes, 'the FAT root directory'));
    if (found.label !== undefined || found.ended) return found.label;
    const entry = await readInside(volume, fat.fatAt + cluster * 4, 4, 'the FAT');
    cluster = new DataView(entry.buffer, entry.byteOffset).getUint32(0, true) & FAT32_ENTRY_MASK;
  }
  return undefined;
}

function findLabel(bytes: Uint8Array): { label: string | null | undefined; ended: boolean } {
  for (let at = 0; at + DIRECTORY_ENTRY_SIZE <= bytes.length; at += DIRECTORY_ENTRY_SIZE) {
    if (bytes[at] === ENTRY_END) return { label: undefined, ended: true };
    const { name, attributes } = DIRECTORY_ENTRY.decode(bytes, at);
    if (bytes[at] === ENTRY_DELETED || (attributes & ATTRIBUTE_LONG_NAME) === ATTRIBUTE_LONG_NAME) continue;
    const isLabel = (attributes & (ATTRIBUTE_LABEL | ATTRIBUTE_DIRECTORY)) === ATTRIBUTE_LABEL;
    if (isLabel) return { label: labelText(name), ended: true };
  }
  return { label: undefined, ended: false };
}
