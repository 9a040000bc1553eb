import { damaged } from '../../core/errors.js';
import { type Hive, type HiveKey, type HiveValue, patchData } from '../../formats/regf/index.js';
import type { FilePatch } from '../../formats/volume-file.js';
import type { DevicePlace, OffsetMap } from './offset-map.js';

/** Elements are keys named by eight hex digits; the second digit is the format of their value. */
const ELEMENT_NAME = /^[0-9a-f]1[0-9a-f]{6}$/i;
/** Longest element read: device elements with paths have some hundred bytes. */
const ELEMENT_BYTES_MAX = 64 * 1024;
/** Partitions that a store names in all. Windows makes some dozen objects with three or four each. */
const RECORDS_MAX = 10_000;

/**
 * The record of a partition inside a device element, at any depth: a RAM disk nests the device its image is on.
 * Sources: the BCD stores that the tests read, DiscUtils and bcdedit's output for them.
 *
 *     0x00 u32 type 6   0x04 flags   0x08 u32 length 0x48   0x0C 0   0x10 u64 offset of the partition, bytes
 *     0x18 0            0x20 u32 0   0x24 u32 style 1: MBR  0x28 u32 signature of the disk           0x2C 0
 */
const RECORD_BYTES = 0x48;
const PARTITION_TYPE = 6;
const MBR_STYLE = 1;

/** A partition that an element of the store names. */
interface PartitionRecord {
  /** Offset of the record in the data of its element. */
  readonly at: number;
  readonly place: DevicePlace;
}

interface DeviceElement {
  readonly object: string;
  readonly value: HiveValue;
  readonly data: Uint8Array;
  readonly records: readonly PartitionRecord[];
}

/** The elements of a boot configuration data store that name partitions of MBR disks. */
export interface BootConfiguration {
  readonly elements: readonly DeviceElement[];
}

/** Reads a store. Undefined when the hive is none. Throws Damaged. */
export async function readBootConfiguration(hive: Hive): Promise<BootConfiguration | undefined> {
  const objects = await hive.find('Objects');
  if (objects === undefined) return undefined;
  const elements: DeviceElement[] = [];
  let left = RECORDS_MAX;
  for await (const object of hive.subkeys(objects)) {
    for await (const element of deviceElements(hive, object)) {
      left -= element.records.length;
      if (left < 0)
        throw damaged('bcd-too-much', `a boot configuration names more than ${RECORDS_MAX} partitions`);
      elements.push(element);
    }
  }
  return { elements };
}

async function* deviceElements(hive: Hive, object: HiveKey): AsyncGenerator<DeviceElement> {
  for await (const child of hive.subkeys(object)) {
    if (child.name.toUpperCase() !== 'ELEMENTS') continue;
    for await (const element of hive.subkeys(child)) {
      if (!ELEMENT_NAME.test(element.name)) continue;
      const value = await hive.value(element, 'Element');
      if (value === undefined || value.sizeBytes > ELEMENT_BYTES_MAX) continue;
      const data = await hive.data(value, ELEMENT_BYTES_MAX);
      const records = partitionRecords(data);
      if (records.length > 0) yield { object: object.name, value, data, records };
    }
  }
}

/** Every record of an MBR partition in the data of an element. */
export function partitionRecords(data: Uint8Array): PartitionRecord[] {
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  const found: PartitionRecord[] = [];
  for (let at = 0; at + RECORD_BYTES <= data.length; ) {
    if (isPartitionRecord(view, at)) {
      const signature = view.getUint32(at + 0x28, true);
      found.push({ at, place: { signature, offset: view.getBigUint64(at + 0x10, true) } });
      at += RECORD_BYTES;
    } else at++;
  }
  return found;
}

function isPartitionRecord(view: DataView, at: number): boolean {
  if (view.getUint32(at, true) !== PARTITION_TYPE) return false;
  const expected: readonly (readonly [number, number])[] = [
    [0x08, RECORD_BYTES],
    [0x0c, 0],
    [0x18, 0],
    [0x1c, 0],
    [0x20, 0],
    [0x24, MBR_STYLE],
  ];
  return expected.every(([field, value]) => view.getUint32(at + field, true) === value);
}

/** Old places that the store names, of the disk with that signature. */
export function offsetsOfStore({ elements }: BootConfiguration, signature: number): bigint[] {
  return elements
    .flatMap(({ records }) => records)
    .flatMap(({ place }) => (place.signature === signature ? [place.offset] : []));
}

/** Patches that give every record its new place, in one pass, and how many elements and objects that are. */
export function moveBootConfiguration(
  { elements }: BootConfiguration,
  map: OffsetMap,
): { readonly patches: readonly FilePatch[]; readonly summary: string } {
  const changed = elements.flatMap((element) => {
    const moves = element.records.flatMap(({ at, place }) => {
      const to = map.get(place);
      return to === undefined ? [] : [{ at, to }];
    });
    return moves.length === 0 ? [] : [{ ...element, moves }];
  });
  const patches = changed.flatMap(({ value, data, moves }) => {
    const bytes = data.slice();
    const view = new DataView(bytes.buffer);
    for (const { at, to } of moves) view.setBigUint64(at + 0x10, to, true);
    return patchData(value, bytes);
  });
  const objects = new Set(changed.map(({ object }) => object)).size;
  return { patches, summary: `${changed.length} device elements of ${objects} objects` };
}
