import { decodeUtf8 } from '../../codec/text.js';
import { alignDown, alignUp, KIB } from '../../core/units.js';
import type { Reader } from '../../device/types.js';
import { volumeFacts } from '../facts.js';
import { tryRead } from '../read.js';
import { hasBytes, hasText } from '../signature.js';
import type { FilesystemFormat } from '../types.js';

/** Four labels, two at the start, two at the end (ZFS on-disk specification, chapter 1). */
const LABEL_SIZE = 256 * KIB;
/** The pool configuration inside a label: an XDR list of names and values. */
const CONFIGURATION_AT = 16 * KIB;
/** Enough for the first pairs, which name the pool. */
const CONFIGURATION_READ = 4 * KIB;
/** Encoding XDR; then two reserved bytes, version 0, unique names, and the first pair. */
const XDR = 0x01;
const LIST_HEAD = [0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
const FIRST_PAIR_AT = 12;
const FIRST_NAME = 'version';
const TYPE_NUMBER = 8;
const TYPE_TEXT = 9;

/** ZFS pool members. Half of their labels are found by the end of the device: the partition keeps its size. */
export const zfs: FilesystemFormat = {
  id: 'zfs',
  probe: async (head, volume) =>
    isConfiguration(head.subarray(CONFIGURATION_AT)) || (await hasZfsAtEnd(volume)),
  inspect: async (volume) => {
    const configuration = await tryRead(volume, CONFIGURATION_AT, CONFIGURATION_READ);
    const pairs = configuration && isConfiguration(configuration) ? readPairs(configuration) : new Map();
    return volumeFacts({
      kind: 'zfs',
      label: pairs.get('name') ?? null,
      serial: pairs.get('pool_guid') ?? null,
      toleratesLargerPartition: false,
    });
  },
};

/** True when the last label of a pool member is where the end of the volume says it must be. */
export async function hasZfsAtEnd(volume: Reader): Promise<boolean> {
  const at = alignDown(volume.sizeBytes, LABEL_SIZE) - LABEL_SIZE + CONFIGURATION_AT;
  const found = await tryRead(volume, at, CONFIGURATION_READ);
  return found !== undefined && isConfiguration(found);
}

/** A list that begins with the version of the pool. The second byte is the byte order of the guest. */
function isConfiguration(bytes: Uint8Array): boolean {
  return bytes[0] === XDR && hasBytes(bytes, 2, LIST_HEAD) && hasText(bytes, FIRST_PAIR_AT + 12, FIRST_NAME);
}

/** Texts and numbers of the list as texts, as far as they lie inside the bytes. */
function readPairs(bytes: Uint8Array): Map<string, string> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const pairs = new Map<string, string>();
  for (let at = FIRST_PAIR_AT; at + 24 <= bytes.length; ) {
    const size = view.getUint32(at);
    const nameLength = view.getUint32(at + 8);
    const typeAt = at + 12 + alignUp(nameLength, 4);
    if (size < 24 || typeAt + 16 > at + size || at + size > bytes.length) return pairs;
    const name = decodeUtf8(bytes.subarray(at + 12, at + 12 + nameLength));
    const type = view.getUint32(typeAt);
    if (type === TYPE_NUMBER) pairs.set(name, view.getBigUint64(typeAt + 8).toString());
    if (type === TYPE_TEXT) {
      const end = Math.min(typeAt + 12 + view.getUint32(typeAt + 8), at + size);
      pairs.set(name, decodeUtf8(bytes.subarray(typeAt + 12, end)));
    }
    at += size;
  }
  return pairs;
}
