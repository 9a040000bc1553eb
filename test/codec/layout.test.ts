import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ascii,
  bytes,
  guid,
  i8,
  size64be,
  size64le,
  u8,
  u16be,
  u16le,
  u32be,
  u32le,
  u64le,
} from '../../src/codec/fields.js';
import { formatGuid, parseGuid } from '../../src/codec/guid.js';
import { defineLayout, type FieldType } from '../../src/codec/layout.js';
import { decodeUtf8, utf8Text } from '../../src/codec/text.js';
import { uuid } from '../../src/codec/uuid.js';

const unsigned = (bits: number) => fc.bigInt({ min: 0n, max: 2n ** BigInt(bits) - 1n }).map(Number);
const hex = (size: number) => fc.uint8Array({ minLength: size, maxLength: size });

const TYPES: [string, FieldType<never>, fc.Arbitrary<unknown>][] = [
  ['u8', u8, unsigned(8)],
  ['i8', i8, fc.integer({ min: -128, max: 127 })],
  ['u16le', u16le, unsigned(16)],
  ['u16be', u16be, unsigned(16)],
  ['u32le', u32le, unsigned(32)],
  ['u32be', u32be, unsigned(32)],
  ['u64le', u64le, fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })],
  ['size64le', size64le, fc.maxSafeNat()],
  ['size64be', size64be, fc.maxSafeNat()],
  ['bytes', bytes(5), hex(5)],
  ['ascii', ascii(6), fc.string({ minLength: 6, maxLength: 6 })],
  ['guid', guid, hex(16).map(formatGuid)],
  ['uuid', uuid, fc.uuid()],
] as unknown as [string, FieldType<never>, fc.Arbitrary<unknown>][];

describe('every field type', () => {
  it.each(TYPES)('gives back what was written, and touches nothing else: %s', (_, type, values) => {
    const layout = defineLayout('test', type.size + 6, { value: { at: 3, type } });
    fc.assert(
      fc.property(
        values,
        fc.uint8Array({ minLength: 40, maxLength: 40 }),
        fc.nat(8),
        (value, original, at) => {
          const patched = original.slice();
          layout.patch(patched, at, { value: value as never });
          expect(layout.decode(patched, at).value).toEqual(value);
          const outside = (all: Uint8Array) => [
            ...all.subarray(0, at + 3),
            ...all.subarray(at + 3 + type.size),
          ];
          expect(outside(patched)).toEqual(outside(original));
        },
      ),
      { numRuns: 100 },
    );
  });

  it('has the byte order its name says', () => {
    const view = new DataView(Uint8Array.of(1, 2, 3, 4, 5, 6, 0, 0, 0).buffer);
    expect(u16le.read(view, 0)).toBe(0x0201);
    expect(u16be.read(view, 0)).toBe(0x0102);
    expect(u32le.read(view, 0)).toBe(0x04030201);
    expect(u32be.read(view, 0)).toBe(0x01020304);
    expect(u64le.read(view, 0)).toBe(0x060504030201n);
    expect(size64le.read(view, 0)).toBe(0x060504030201);
  });

  it('that is a size refuses what no disk can have', () => {
    const view = new DataView(new Uint8Array(8).fill(0xff).buffer);
    for (const type of [size64le, size64be]) {
      expect(() => type.read(view, 0)).toThrow(expect.objectContaining({ family: 'damaged' }));
    }
  });
});

describe('a layout', () => {
  const layout = defineLayout('boot sector', 16, {
    magic: { at: 0, type: ascii(4) },
    count: { at: 4, type: u32le },
    low: { at: 4, type: u16le },
  });

  it('is checked when it is loaded', () => {
    for (const at of [-1, 13, 16]) {
      expect(() => defineLayout('bad', 16, { x: { at, type: u32le } })).toThrow(
        expect.objectContaining({ family: 'internal', message: expect.stringContaining('bad.x') }),
      );
    }
  });

  it('reads overlapping fields and patches only those that are named', () => {
    const sector = new Uint8Array(16).fill(0xaa);
    layout.patch(sector, 0, { magic: 'NTFS' });
    expect(layout.decode(sector)).toEqual({ magic: 'NTFS', count: 0xaaaaaaaa, low: 0xaaaa });
    layout.patch(sector, 0, { low: 1 });
    expect(layout.decode(sector).count).toBe(0xaaaa0001);
  });

  it('is damaged when the bytes end too early, at every length and offset', () => {
    for (let length = 0; length < 24; length++) {
      for (const at of [0, 4, 8, -1]) {
        const short = new Uint8Array(length);
        if (at >= 0 && at + 16 <= length) expect(layout.decode(short, at).count).toBe(0);
        else {
          expect(() => layout.decode(short, at)).toThrow(
            expect.objectContaining({ family: 'damaged', code: 'truncated' }),
          );
          expect(() => layout.patch(short, at, { count: 1 })).toThrow(
            expect.objectContaining({ code: 'truncated' }),
          );
        }
      }
    }
  });

  it('works on a part of a larger buffer', () => {
    const buffer = new Uint8Array(64);
    layout.patch(buffer.subarray(10, 40), 5, { count: 7 });
    expect(layout.decode(buffer, 15).count).toBe(7);
    expect(buffer[19]).toBe(7);
  });
});

describe('GUIDs and UUIDs', () => {
  const sixteen = Uint8Array.from({ length: 16 }, (_, i) => i);

  it('differ in the order of the first three groups', () => {
    expect(formatGuid(sixteen)).toBe('03020100-0504-0706-0809-0a0b0c0d0e0f');
    expect(uuid.read(new DataView(sixteen.buffer), 0)).toBe('00010203-0405-0607-0809-0a0b0c0d0e0f');
  });

  it('are known by the type of an EFI system partition, as it lies on disks', () => {
    const onDisk = Buffer.from('28732ac11ff8d211ba4b00a0c93ec93b', 'hex');
    expect(formatGuid(onDisk)).toBe('c12a7328-f81f-11d2-ba4b-00a0c93ec93b');
    expect(Buffer.from(parseGuid('C12A7328-F81F-11D2-BA4B-00A0C93EC93B')).equals(onDisk)).toBe(true);
  });

  it.each(['', 'c12a7328', 'c12a7328-f81f-11d2-ba4b-00a0c93ec93g', 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b0'])(
    'are no other text: %j',
    (text) => {
      expect(() => parseGuid(text)).toThrow(expect.objectContaining({ family: 'internal' }));
    },
  );
});

describe('names', () => {
  it('end at the first NUL or with their field, and never make a reader fail', () => {
    expect(decodeUtf8(Uint8Array.of(0x61, 0, 0x62))).toBe('a');
    expect(decodeUtf8(Uint8Array.of(0xff, 0x61))).toBe('\ufffda');
    fc.assert(
      fc.property(fc.uint8Array(), (any) => {
        expect(typeof decodeUtf8(any)).toBe('string');
      }),
    );
  });

  it('are cut between characters when the field is too short', () => {
    const layout = defineLayout('label', 5, { name: { at: 0, type: utf8Text(5) } });
    const field = new Uint8Array(5).fill(0x78);
    layout.patch(field, 0, { name: 'abcd\u00e4' });
    expect([...field]).toEqual([0x61, 0x62, 0x63, 0x64, 0]);
    expect(layout.decode(field).name).toBe('abcd');
  });
});
