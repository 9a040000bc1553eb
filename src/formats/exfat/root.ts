import { decodeUtf16 } from '../../codec/text.js';
import { damaged } from '../../core/errors.js';
import type { Reader } from '../../device/types.js';
import { readInside } from '../read.js';
import type { ExfatVolume } from './boot.js';
import {
  BITMAP_ENTRY,
  ENTRY_BITMAP,
  ENTRY_END,
  ENTRY_LABEL,
  ENTRY_SIZE,
  LABEL_CHARACTERS_MAX,
  LABEL_ENTRY,
  LABEL_TEXT_AT,
} from './layout.js';

/** Label and bitmap are the first entries of the root directory: a long one need not be followed to its end. */
const ROOT_CLUSTERS_SEARCHED = 8;
const ROOT_BYTES_SEARCHED = 256 * 1024;
const WINDOW = 256 * 1024;

/** What the root directory tells of the volume. */
export interface ExfatRoot {
  readonly label: string | null;
  /** Null when no allocation bitmap was found. */
  readonly bitmap: { readonly at: number; readonly lengthBytes: number } | null;
}

export async function readRoot(volume: Reader, exfat: ExfatVolume): Promise<ExfatRoot> {
  let found: ExfatRoot = { label: null, bitmap: null };
  let cluster = exfat.rootCluster;
  for (let visited = 0; visited < ROOT_CLUSTERS_SEARCHED && isCluster(exfat, cluster); visited++) {
    const length = Math.min(exfat.clusterBytes, ROOT_BYTES_SEARCHED);
    const bytes = await readInside(volume, clusterAt(exfat, cluster), length, 'the exFAT root directory');
    const { root, ended } = scan(bytes, exfat, found);
    found = root;
    if (ended) return found;
    const entry = await readInside(volume, exfat.fatAt + cluster * 4, 4, 'the exFAT allocation table');
    cluster = new DataView(entry.buffer, entry.byteOffset).getUint32(0, true);
  }
  return found;
}

const isCluster = (exfat: ExfatVolume, cluster: number): boolean =>
  cluster >= 2 && cluster < exfat.clusterCount + 2;

const clusterAt = (exfat: ExfatVolume, cluster: number): number =>
  exfat.heapAt + (cluster - 2) * exfat.clusterBytes;

function scan(bytes: Uint8Array, exfat: ExfatVolume, before: ExfatRoot): { root: ExfatRoot; ended: boolean } {
  let root = before;
  for (let at = 0; at + ENTRY_SIZE <= bytes.length; at += ENTRY_SIZE) {
    const type = bytes[at];
    if (type === ENTRY_END) return { root, ended: true };
    if (type === ENTRY_LABEL) root = { ...root, label: labelOf(bytes.subarray(at, at + ENTRY_SIZE)) };
    if (type !== ENTRY_BITMAP) continue;
    const { flags, firstCluster, lengthBytes } = BITMAP_ENTRY.decode(bytes, at);
    if ((flags & 1) === 0) root = { ...root, bitmap: bitmapOf(exfat, firstCluster, lengthBytes) };
  }
  return { root, ended: false };
}

function labelOf(entry: Uint8Array): string {
  const characters = Math.min(LABEL_ENTRY.decode(entry).characters, LABEL_CHARACTERS_MAX);
  return decodeUtf16(entry.subarray(LABEL_TEXT_AT, LABEL_TEXT_AT + characters * 2));
}

/** The bitmap is one run of clusters, and exactly as long as the clusters need it. */
function bitmapOf(exfat: ExfatVolume, firstCluster: number, lengthBytes: number): ExfatRoot['bitmap'] {
  const expected = Math.ceil(exfat.clusterCount / 8);
  if (isCluster(exfat, firstCluster) && lengthBytes === expected) {
    return { at: clusterAt(exfat, firstCluster), lengthBytes };
  }
  throw damaged('exfat-bitmap', 'the exFAT allocation bitmap is out of place', {
    expected,
    actual: lengthBytes,
    hint: 'run chkdsk in the guest',
  });
}

/** Clusters that the allocation bitmap calls used. */
export async function countUsedClusters(
  volume: Reader,
  bitmap: NonNullable<ExfatRoot['bitmap']>,
): Promise<number> {
  let used = 0;
  for (let at = 0; at < bitmap.lengthBytes; at += WINDOW) {
    const length = Math.min(WINDOW, bitmap.lengthBytes - at);
    for (const byte of await readInside(volume, bitmap.at + at, length, 'the exFAT allocation bitmap')) {
      for (let rest = byte; rest > 0; rest &= rest - 1) used++;
    }
  }
  return used;
}
