import { damaged } from '../core/errors.js';
import { formatGuid, parseGuid } from './guid.js';
import type { FieldType } from './layout.js';

const number = (
  size: number,
  read: (view: DataView, at: number) => number,
  write: (view: DataView, at: number, value: number) => void,
): FieldType<number> => ({ size, read, write });

export const u8 = number(
  1,
  (v, at) => v.getUint8(at),
  (v, at, x) => v.setUint8(at, x),
);
export const i8 = number(
  1,
  (v, at) => v.getInt8(at),
  (v, at, x) => v.setInt8(at, x),
);
export const u16le = number(
  2,
  (v, at) => v.getUint16(at, true),
  (v, at, x) => v.setUint16(at, x, true),
);
export const u32le = number(
  4,
  (v, at) => v.getUint32(at, true),
  (v, at, x) => v.setUint32(at, x, true),
);
export const u16be = number(
  2,
  (v, at) => v.getUint16(at, false),
  (v, at, x) => v.setUint16(at, x, false),
);
export const u32be = number(
  4,
  (v, at) => v.getUint32(at, false),
  (v, at, x) => v.setUint32(at, x, false),
);

/** 64 bits as a bigint: for values that need not be a size or a position. */
export const u64le: FieldType<bigint> = {
  size: 8,
  read: (view, at) => view.getBigUint64(at, true),
  write: (view, at, value) => view.setBigUint64(at, value, true),
};

/** Throws Damaged for a size or position that no disk can have (above 2^53 - 1). */
export function toSafeNumber(value: bigint, what: string): number {
  if (value < 0n || value > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw damaged('value-out-of-range', `${what} is beyond any disk`, { actual: value.toString() });
  }
  return Number(value);
}

const size64 = (littleEndian: boolean): FieldType<number> => ({
  size: 8,
  read: (view, at) => toSafeNumber(view.getBigUint64(at, littleEndian), 'a 64-bit size or position'),
  write: (view, at, value) => view.setBigUint64(at, BigInt(value), littleEndian),
});

/** A 64-bit size or position as a number; Damaged when it is above 2^53 - 1. */
export const size64le = size64(true);
export const size64be = size64(false);

/** Raw bytes, copied out. */
export const bytes = (size: number): FieldType<Uint8Array> => ({
  size,
  read: (view, at) => new Uint8Array(view.buffer, view.byteOffset + at, size).slice(),
  write: (view, at, value) =>
    new Uint8Array(view.buffer, view.byteOffset + at, size).set(value.subarray(0, size)),
});

/** One byte a character (Latin-1), not trimmed: for signatures and magic words. */
export const ascii = (size: number): FieldType<string> => ({
  size,
  read: (view, at) => String.fromCharCode(...new Uint8Array(view.buffer, view.byteOffset + at, size)),
  write: (view, at, value) => {
    for (let i = 0; i < size; i++) view.setUint8(at + i, i < value.length ? value.charCodeAt(i) & 0xff : 0);
  },
});

/** A GUID in Microsoft's mixed byte order, as lower-case text with dashes. */
export const guid: FieldType<string> = {
  size: 16,
  read: (view, at) => formatGuid(new Uint8Array(view.buffer, view.byteOffset + at, 16)),
  write: (view, at, value) => new Uint8Array(view.buffer, view.byteOffset + at, 16).set(parseGuid(value)),
};
