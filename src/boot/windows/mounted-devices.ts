import type { Reason } from '../../core/errors.js';
import { type Hive, type HiveKey, type HiveValue, patchData, patchName } from '../../formats/regf/index.js';
import type { FilePatch } from '../../formats/volume-file.js';
import type { DevicePlace, OffsetMap } from './offset-map.js';

/** An MBR volume: signature of the disk, and the byte its partition begins at. Others are longer. */
const MBR_VOLUME_BYTES = 12;
const OFFSET_AT = 4;
const DOS_DEVICE = '\\DosDevices\\';
/** Newer Windows puts signature and offset, byte by byte, in the name of the volume as well. */
const VOLUME_NAME = /^(\\\?\?\\Volume\{([0-9a-f]{8})-0000-0000-)([0-9a-f]{4})-([0-9a-f]{12})\}$/i;

/** The values of a SYSTEM hive that name volumes of one MBR disk. */
export interface MountedDevices {
  readonly values: readonly MountedVolume[];
}

interface MountedVolume {
  readonly value: HiveValue;
  readonly data: Uint8Array | null;
  /** Where the data says that the volume begins. */
  readonly place: DevicePlace | null;
  /** Where the name says so. */
  readonly namedPlace: DevicePlace | null;
}

/**
 * Reads the key MountedDevices, by which Windows gives the volumes their letters. Undefined when the hive has none.
 * Throws Damaged.
 */
export async function readMountedDevices(hive: Hive): Promise<MountedDevices | undefined> {
  const key = await hive.find('MountedDevices');
  if (key === undefined) return undefined;
  return { values: await readValues(hive, key) };
}

async function readValues(hive: Hive, key: HiveKey): Promise<MountedVolume[]> {
  const found: MountedVolume[] = [];
  for (const value of await hive.values(key)) {
    const data = value.sizeBytes === MBR_VOLUME_BYTES ? await hive.data(value, MBR_VOLUME_BYTES) : null;
    found.push({
      value,
      data,
      place: data === null ? null : decodePlace(data),
      namedPlace: placeInName(value.name),
    });
  }
  return found;
}

function decodePlace(data: Uint8Array): DevicePlace {
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  return { signature: view.getUint32(0, true), offset: view.getBigUint64(OFFSET_AT, true) };
}

function placeInName(name: string): DevicePlace | null {
  const [, , signature = '', high = '', low = ''] = VOLUME_NAME.exec(name) ?? [];
  if (signature === '') return null;
  const bytes = (high + low).match(/../g) ?? [];
  return { signature: Number.parseInt(signature, 16), offset: BigInt(`0x${bytes.reverse().join('')}`) };
}

function nameFor(name: string, offset: bigint): string {
  const digits = offset.toString(16).padStart(16, '0').match(/../g) ?? [];
  const text = digits.reverse().join('');
  return name.replace(VOLUME_NAME, (_, start: string) => `${start}${text.slice(0, 4)}-${text.slice(4)}}`);
}

/** Old places that the values name, of the disk of the map: in data or in names. */
export function offsetsOf({ values }: MountedDevices, signature: number): bigint[] {
  return values
    .flatMap(({ place, namedPlace }) => [place, namedPlace])
    .flatMap((place) => (place?.signature === signature ? [place.offset] : []));
}

export interface MountedDevicesEdit {
  readonly patches: readonly FilePatch[];
  /** What was changed, for people: drive letters, and the count of the other values. */
  readonly summary: string;
  readonly warnings: readonly Reason[];
}

/**
 * Patches that give every value its new place. All in one pass over the values as they were: the new place of one
 * volume may be the old place of another.
 */
export function moveMountedDevices({ values }: MountedDevices, map: OffsetMap): MountedDevicesEdit {
  const patches: FilePatch[] = [];
  const letters: string[] = [];
  const warnings: Reason[] = [];
  const wanted = newNames(values, map);
  const free = freeNames(values, wanted);
  let others = 0;
  for (const [index, { value, data, place }] of values.entries()) {
    const to = place === null ? undefined : map.get(place);
    if (to !== undefined && data !== null) patches.push(...patchData(value, withOffset(data, to)));
    const name = free[index];
    const want = wanted[index];
    if (name !== undefined) patches.push(patchName(value, name));
    else if (want !== undefined) warnings.push(nameTaken(value.name, want));
    if (to === undefined && name === undefined) {
      if (want === undefined && place !== null && map.isTarget(place)) warnings.push(staleValue(value.name));
      continue;
    }
    if (value.name.startsWith(DOS_DEVICE)) letters.push(value.name.slice(DOS_DEVICE.length));
    else others++;
  }
  const rest = others === 0 ? [] : [`${others} volume name${others === 1 ? '' : 's'}`];
  return { patches, summary: [...letters.sort(), ...rest].join(', '), warnings };
}

function newNames(values: readonly MountedVolume[], map: OffsetMap): (string | undefined)[] {
  return values.map(({ value, namedPlace }) => {
    const to = namedPlace === null ? undefined : map.get(namedPlace);
    return to === undefined ? undefined : nameFor(value.name, to);
  });
}

/**
 * The new names that no other value has or gets. A value that has to keep its name stands in the way of the one that
 * would have followed it to that name, and so on.
 */
function freeNames(
  values: readonly MountedVolume[],
  wanted: readonly (string | undefined)[],
): (string | undefined)[] {
  let names = [...wanted];
  for (;;) {
    const counts = new Map<string, number>();
    for (const [index, { value }] of values.entries()) {
      const name = (names[index] ?? value.name).toUpperCase();
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    const isTaken = (name: string): boolean => (counts.get(name.toUpperCase()) ?? 0) > 1;
    const rest = names.map((name) => (name === undefined || isTaken(name) ? undefined : name));
    if (rest.every((name, index) => name === names[index])) return rest;
    names = rest;
  }
}

function withOffset(data: Uint8Array, offset: bigint): Uint8Array {
  const bytes = data.slice();
  new DataView(bytes.buffer).setBigUint64(OFFSET_AT, offset, true);
  return bytes;
}

const nameTaken = (old: string, name: string): Reason => ({
  code: 'volume-name-taken',
  message: `MountedDevices has another value by the name ${name}, left over from a volume that is gone: ${old} keeps its name`,
  hint: 'run `mountvol /R` in the guest to drop what is left of old volumes',
});

const staleValue = (name: string): Reason => ({
  code: 'stale-mounted-device',
  message: `${name} in MountedDevices is left over from a volume that began where one begins now: Windows may give the volume that letter too`,
  hint: 'run `mountvol /R` in the guest to drop what is left of old volumes',
});
