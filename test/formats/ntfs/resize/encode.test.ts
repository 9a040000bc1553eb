import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HOLE, MappingPairs } from '../../../../src/formats/ntfs/mapping-pairs.js';
import { FileRecord } from '../../../../src/formats/ntfs/record.js';
import { replacePairs, stampRecord } from '../../../../src/formats/ntfs/resize/edit-record.js';
import { encodeMappingPairs, type PlacedRun } from '../../../../src/formats/ntfs/resize/encode-pairs.js';
import { FreeSpace } from '../../../../src/formats/ntfs/resize/free-space.js';
import { Demand } from '../../../../src/formats/ntfs/resize/relocation.js';
import { codeOf } from '../volumes.js';

const CLUSTERS = 2 ** 32 - 1;

/** A record with `before` and `after` around one non-resident attribute that has the given mapping pairs. */
function recordWith(pairs: Uint8Array, size: number, tail: Uint8Array): FileRecord {
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  bytes.set([0x46, 0x49, 0x4c, 0x45]);
  view.setUint16(4, 0x30, true);
  view.setUint16(6, size / 512 + 1, true);
  view.setUint16(0x14, 0x48, true);
  view.setUint16(0x16, 1, true);
  const length = Math.ceil((0x40 + pairs.length) / 8) * 8;
  view.setUint32(0x48, 0x80, true);
  view.setUint32(0x4c, length, true);
  view.setUint8(0x50, 1);
  view.setUint16(0x68, 0x40, true);
  bytes.set(pairs, 0x88);
  const tailAt = 0x48 + length;
  view.setUint32(tailAt, 0x100, true);
  view.setUint32(tailAt + 4, 0x18 + tail.length, true);
  view.setUint32(tailAt + 0x10, tail.length, true);
  view.setUint16(tailAt + 0x14, 0x18, true);
  bytes.set(tail, tailAt + 0x18);
  const end = tailAt + 0x18 + tail.length;
  view.setUint32(end, 0xffff_ffff, true);
  view.setUint32(0x18, end + 8, true);
  for (let at = 510; at < size; at += 512) view.setUint16(at, view.getUint16(0x30, true), true);
  return FileRecord.decode(bytes, 7, 0);
}

const TAIL = Uint8Array.from({ length: 40 }, (_, index) => 200 - index);

function decode(record: FileRecord): PlacedRun[] {
  const attribute = record.find(0x80);
  if (attribute === undefined) throw new Error('no attribute');
  const pairs = new MappingPairs(CLUSTERS).open(attribute);
  const runs: PlacedRun[] = [];
  while (pairs.next()) runs.push({ lcn: pairs.lcn, length: pairs.length });
  return runs;
}

const run = fc.oneof(
  fc.record({ lcn: fc.constant(HOLE), length: fc.integer({ min: 1, max: 2 ** 40 }) }),
  fc.record({ lcn: fc.integer({ min: 0, max: 2 ** 31 }), length: fc.integer({ min: 1, max: 2 ** 31 - 2 }) }),
  fc.record({ lcn: fc.integer({ min: 0, max: 300 }), length: fc.integer({ min: 1, max: 300 }) }),
);

describe('mapping pairs', () => {
  it('come back as they were, through a record that is edited, stamped and decoded', () => {
    fc.assert(
      fc.property(fc.array(run, { maxLength: 30 }), fc.constantFrom(1024, 4096), (runs, size) => {
        const record = recordWith(encodeMappingPairs([{ lcn: 5, length: 1 }]), size, TAIL);
        const attribute = record.find(0x80);
        if (attribute === undefined) throw new Error('no attribute');
        expect(replacePairs(attribute, { runs })).toBe(true);
        const again = FileRecord.decode(stampRecord(record), 7, 0);
        expect(decode(again)).toEqual(runs);
        expect(again.find(0x100)?.value()).toEqual(TAIL);
      }),
    );
  });

  it('take as few bytes as hold the sign', () => {
    expect([...encodeMappingPairs([{ lcn: 127, length: 127 }])]).toEqual([0x11, 127, 127, 0]);
    expect([...encodeMappingPairs([{ lcn: 128, length: 128 }])]).toEqual([0x22, 128, 0, 128, 0, 0]);
    const back = [
      ...encodeMappingPairs([
        { lcn: 200, length: 1 },
        { lcn: HOLE, length: 2 },
        { lcn: 72, length: 1 },
      ]),
    ];
    expect(back).toEqual([0x21, 1, 200, 0, 0x01, 2, 0x11, 1, 0x80, 0]);
  });

  it('that do not fit leave the record as it was', () => {
    const record = recordWith(encodeMappingPairs([{ lcn: 5, length: 1 }]), 1024, TAIL);
    const before = record.bytes.slice();
    const runs = Array.from({ length: 300 }, (_, index) => ({ lcn: (index * 7919) % 100_000, length: 300 }));
    const attribute = record.find(0x80);
    if (attribute === undefined) throw new Error('no attribute');
    expect(replacePairs(attribute, { runs })).toBe(false);
    expect(record.bytes).toEqual(before);
  });

  it('the update sequence number skips 0 and 0xFFFF', () => {
    const record = recordWith(encodeMappingPairs([]), 1024, TAIL);
    record.view.setUint16(0x30, 0xfffe, true);
    expect(new DataView(stampRecord(record).buffer).getUint16(0x30, true)).toBe(1);
    expect(new DataView(stampRecord(record).buffer).getUint16(0x30, true)).toBe(2);
  });
});

describe('placing', () => {
  it('no two moves share a target, all lie in free space, everything is mapped', () => {
    const extents = fc.array(fc.tuple(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 50 })), {
      minLength: 1,
      maxLength: 40,
    });
    const units = fc.array(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 4 }), {
      maxLength: 30,
    });
    fc.assert(
      fc.property(extents, units, (gaps, wanted) => {
        const space = new FreeSpace(64);
        const free = new Set<number>();
        let at = 0;
        for (const [used, length] of gaps) {
          at += used;
          space.add(at, length);
          for (let lcn = at; lcn < at + length; lcn++) free.add(lcn);
          at += length;
        }
        const demand = new Demand();
        let from = 1_000_000;
        for (const unit of wanted) {
          demand.begin(false);
          for (const length of unit) {
            demand.add(from, length);
            from += length + 3;
          }
        }
        const total = wanted.flat().reduce((sum, length) => sum + length, 0);
        if (total > free.size) {
          expect(() => demand.place(space)).toThrow(/too little free space/);
          return;
        }
        const moves = demand.place(space);
        let moved = 0;
        for (let index = 0; index < moves.count; index++) {
          const { to, length } = moves.at(index);
          moved += length;
          for (let lcn = to; lcn < to + length; lcn++) expect(free.delete(lcn)).toBe(true);
        }
        expect(moved).toBe(total);
        const mapped: PlacedRun[] = [];
        moves.map(999_998, from - 999_998, mapped);
        expect(mapped.reduce((sum, { length }) => sum + length, 0)).toBe(from - 999_998);
        expect(mapped.filter(({ lcn }) => lcn < 900_000).reduce((sum, { length }) => sum + length, 0)).toBe(
          total,
        );
      }),
    );
  });

  it('forgets the shortest extents when there are too many', async () => {
    const space = new FreeSpace(4);
    for (let index = 0; index < 10; index++) space.add(index * 100, index + 1);
    expect(space.take(10)).toBe(900);
    const demand = new Demand();
    demand.begin(true);
    demand.add(5000, 60);
    expect(await codeOf((async () => demand.place(space))())).toBe('ntfs-no-space');
  });
});
