import { damaged, internalError } from '../../core/errors.js';
import type { ByteRange } from '../../core/range.js';
import type { FilePatch } from '../volume-file.js';
import type { Cells } from './cells.js';
import {
  BIG_DATA,
  BIG_DATA_MAGIC,
  BIG_DATA_MINOR_VERSION,
  INLINE_DATA,
  INLINE_DATA_AT,
  INLINE_DATA_MAX,
  SEGMENT_BYTES,
  VALUE,
  VALUE_NAME_COMPRESSED,
} from './layout.js';
import { decodeName } from './name.js';

/** One value of a key. Offsets are bytes of the hive's file. */
export interface HiveValue {
  readonly name: string;
  /** REG_SZ 1, REG_BINARY 3, REG_DWORD 4 ... */
  readonly type: number;
  /** Bytes of the data. */
  readonly sizeBytes: number;
  /** Where the data is stored. */
  readonly places: readonly ByteRange[];
  readonly namePlace: ByteRange;
  /** The name is one byte a letter, not two. */
  readonly nameCompressed: boolean;
}

/** Decodes the value in a cell. Throws Damaged. */
export async function readValue(cells: Cells, offset: number, minorVersion: number): Promise<HiveValue> {
  const what = 'a registry value';
  const cell = await cells.cell(offset, what, VALUE.size);
  const raw = VALUE.decode(await cells.content(cell, VALUE.size, what));
  if (raw.magic !== 'vk') throw damaged('regf-value', `${what} makes no sense`, { offset: cell.at });
  const bytes = await cells.content(cell, VALUE.size + raw.nameBytes, what);
  const nameCompressed = (raw.flags & VALUE_NAME_COMPRESSED) !== 0;
  const inline = raw.size >= INLINE_DATA;
  const sizeBytes = inline ? raw.size - INLINE_DATA : raw.size;
  if (inline && sizeBytes > INLINE_DATA_MAX) {
    throw damaged('regf-value', `${what} holds more than fits into it`, { offset: cell.at });
  }
  const places = inline
    ? [{ at: cell.at + INLINE_DATA_AT, length: sizeBytes }]
    : await dataPlaces(cells, raw.data, sizeBytes, minorVersion);
  return {
    name: decodeName(bytes.subarray(VALUE.size), nameCompressed),
    type: raw.type,
    sizeBytes,
    places,
    namePlace: { at: cell.at + VALUE.size, length: raw.nameBytes },
    nameCompressed,
  };
}

/** One cell, or the segments of big data. */
async function dataPlaces(
  cells: Cells,
  offset: number,
  sizeBytes: number,
  minorVersion: number,
): Promise<ByteRange[]> {
  if (sizeBytes === 0) return [];
  const what = 'the data of a registry value';
  const isBig = sizeBytes > SEGMENT_BYTES && minorVersion >= BIG_DATA_MINOR_VERSION;
  if (isBig) return segments(cells, offset, sizeBytes);
  const cell = await cells.cell(offset, what, sizeBytes);
  return [{ at: cell.at, length: sizeBytes }];
}

async function segments(cells: Cells, offset: number, sizeBytes: number): Promise<ByteRange[]> {
  const what = 'the big data of a registry value';
  const cell = await cells.cell(offset, what, BIG_DATA.size);
  const { magic, count, list } = BIG_DATA.decode(await cells.content(cell, BIG_DATA.size, what));
  if (magic !== BIG_DATA_MAGIC || count !== Math.ceil(sizeBytes / SEGMENT_BYTES)) {
    throw damaged('regf-value', `${what} makes no sense`, { offset: cell.at });
  }
  const listCell = await cells.cell(list, what, count * 4);
  const bytes = await cells.content(listCell, count * 4, what);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const places: ByteRange[] = [];
  for (let index = 0; index < count; index++) {
    const length = Math.min(SEGMENT_BYTES, sizeBytes - index * SEGMENT_BYTES);
    const segment = await cells.cell(view.getUint32(index * 4, true), what, length);
    places.push({ at: segment.at, length });
  }
  return places;
}

/** The data of a value. Throws Damaged when it is longer than `maxBytes`. */
export async function readData(cells: Cells, value: HiveValue, maxBytes: number): Promise<Uint8Array> {
  if (value.sizeBytes > maxBytes) {
    throw damaged('regf-value', `registry value ${value.name} is too long`, {
      expected: maxBytes,
      actual: value.sizeBytes,
    });
  }
  const target = new Uint8Array(value.sizeBytes);
  let done = 0;
  for (const { at, length } of value.places) {
    target.set(await cells.bytes(at, length), done);
    done += length;
  }
  return target;
}

/** Patches that put other data of the same length in the place of a value's. */
export function patchData(value: HiveValue, data: Uint8Array): FilePatch[] {
  if (data.length !== value.sizeBytes) {
    throw internalError('regf-patch', `registry value ${value.name} must keep its length`);
  }
  let done = 0;
  return value.places.map(({ at, length }) => {
    done += length;
    return { at, bytes: data.slice(done - length, done) };
  });
}

/**
 * The patch that gives a value another name of the same length. The list of values knows neither order nor hash of
 * names, so nothing else changes. The name is ASCII, which either form of a name can hold.
 */
export function patchName(value: HiveValue, name: string): FilePatch {
  const { namePlace, nameCompressed } = value;
  const width = nameCompressed ? 1 : 2;
  const bytes = new Uint8Array(name.length * width);
  const view = new DataView(bytes.buffer);
  for (let index = 0; index < name.length; index++) {
    if (nameCompressed) view.setUint8(index, name.charCodeAt(index));
    else view.setUint16(index * 2, name.charCodeAt(index), true);
  }
  if (bytes.length !== namePlace.length) {
    throw internalError('regf-patch', `registry value ${value.name} must keep the length of its name`);
  }
  return { at: namePlace.at, bytes };
}
