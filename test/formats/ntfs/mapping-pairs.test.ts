import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VmreclaimError } from '../../../src/core/errors.js';
import { allSet, countSet, forEachSetRun } from '../../../src/formats/ntfs/bits.js';
import { HOLE, MappingPairs } from '../../../src/formats/ntfs/mapping-pairs.js';
import { type Attribute, FileRecord } from '../../../src/formats/ntfs/record.js';
import { Runlist } from '../../../src/formats/ntfs/runlist.js';
import { encodePairs, nonResident, record, type TestRun } from './tiny-volume.js';

const CLUSTERS = 2 ** 40;

function attributeWith(pairs: Uint8Array): Attribute {
  const bytes = record({ number: 40, attributes: [nonResident(0x80, '', pairs, { dataSize: 0 })] });
  const found = FileRecord.decode(bytes, 40, 0).find(0x80);
  if (found === undefined) throw new Error('no attribute');
  return found;
}

function decode(pairs: Uint8Array, clusterCount = CLUSTERS): TestRun[] {
  const cursor = new MappingPairs(clusterCount).open(attributeWith(pairs));
  const runs: TestRun[] = [];
  while (cursor.next()) runs.push({ lcn: cursor.lcn, length: cursor.length });
  return runs;
}

const aRun = fc.record({
  lcn: fc.oneof(fc.constant(HOLE), fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 2 ** 39 })),
  length: fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 2 ** 39 })),
});

describe('mapping pairs', () => {
  it('decode to the runs they were made from', () => {
    fc.assert(
      fc.property(fc.array(aRun, { maxLength: 40 }), (runs) => {
        expect(decode(encodePairs(runs))).toEqual(runs);
      }),
    );
  });

  it('are signed in both fields', () => {
    // Length 127 in one byte, LCN 128 in two; then back by one.
    expect(decode(Uint8Array.of(0x21, 0x7f, 0x80, 0x00, 0x11, 0x01, 0xff, 0x00))).toEqual([
      { lcn: 128, length: 127 },
      { lcn: 127, length: 1 },
    ]);
    // Eight bytes of ones are -1, not a number that rounding brought to 0.
    const minusOne = [0x11, 0x01, 0x05, 0x81, 0x01, 255, 255, 255, 255, 255, 255, 255, 255, 0];
    expect(decode(Uint8Array.from(minusOne))).toEqual([
      { lcn: 5, length: 1 },
      { lcn: 4, length: 1 },
    ]);
  });

  it('of holes without clusters are passed over', () => {
    expect(decode(Uint8Array.of(0x01, 0x00, 0x11, 0x02, 0x09, 0x00))).toEqual([{ lcn: 9, length: 2 }]);
  });

  it.each([
    ['no end', [0x11, 0x01, 0x01, 0x11, 0x01, 0x01, 0x11, 0x01]],
    ['length field of 9 bytes', [0x19, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
    ['no length field', [0x10, 0x01, 0x00]],
    ['a negative length', [0x11, 0x80, 0x01, 0x00]],
    ['a run without clusters', [0x11, 0x00, 0x01, 0x00]],
    ['a negative LCN', [0x11, 0x01, 0xff, 0x00]],
    ['an LCN behind the end', [0x11, 0x02, 0x63, 0x00]],
    ['a length of 2^62', [0x08, 0, 0, 0, 0, 0, 0, 0, 0x40, 0x00]],
  ])('with %s are damage', (_, pairs) => {
    expect(() => decode(Uint8Array.from(pairs), 100)).toThrow(VmreclaimError);
  });

  it('never throw anything else, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (pairs) => {
        try {
          for (const { lcn, length } of decode(pairs, 1000)) {
            expect(length).toBeGreaterThan(0);
            expect(lcn === HOLE || (lcn >= 0 && lcn + length <= 1000)).toBe(true);
          }
        } catch (error) {
          if (!(error instanceof VmreclaimError)) throw error;
        }
      }),
      { numRuns: 500 },
    );
  });

  it('add up in a list that finds the run of each VCN', () => {
    fc.assert(
      fc.property(fc.array(aRun, { minLength: 1, maxLength: 30 }), (runs) => {
        const list = new Runlist();
        list.append(new MappingPairs(CLUSTERS).open(attributeWith(encodePairs(runs))));
        let vcn = 0;
        runs.forEach((run, index) => {
          expect(list.at(index)).toEqual({ vcn, ...run });
          for (const inside of [vcn, vcn + run.length - 1]) expect(list.indexOf(inside)).toBe(index);
          vcn += run.length;
        });
        expect(list.endVcn).toBe(vcn);
        expect(() => list.indexOf(vcn)).toThrow(VmreclaimError);
      }),
    );
  });
});

describe('bits', () => {
  const isSet = (bytes: Uint8Array, bit: number): boolean =>
    (((bytes[bit >> 3] ?? 0) >> (bit & 7)) & 1) === 1;
  // Bytes of all ones and all zeros, so that long stretches occur.
  const byte = fc.oneof(fc.constant(0), fc.constant(255), fc.integer({ min: 0, max: 255 }));
  const bitmap = fc.array(byte, { minLength: 1, maxLength: 40 }).map((bytes) => Uint8Array.from(bytes));

  it('stretches, counts and tests agree with looking at every bit', () => {
    fc.assert(
      fc.property(bitmap, fc.nat(320), fc.nat(320), (bytes, a, b) => {
        const end = Math.min(Math.max(a, b), bytes.length * 8);
        const from = Math.min(a, b, end);
        const expected = [];
        for (let bit = from; bit < end; bit++) if (isSet(bytes, bit)) expected.push(bit);
        const found: number[] = [];
        let last = -2;
        forEachSetRun(bytes, from, end, (bit, count) => {
          expect(bit).toBeGreaterThan(last + 1);
          for (let index = 0; index < count; index++) found.push(bit + index);
          last = bit + count - 1;
        });
        expect(found).toEqual(expected);
        expect(allSet(bytes, from, end - from)).toBe(expected.length === end - from);
        let inFront = 0;
        for (let bit = 0; bit < end; bit++) inFront += isSet(bytes, bit) ? 1 : 0;
        expect(countSet(bytes, end)).toBe(inFront);
      }),
      { numRuns: 500 },
    );
  });
});
