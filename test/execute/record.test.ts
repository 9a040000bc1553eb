import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isFamily } from '../../src/core/errors.js';
import {
  decodePhase,
  decodeRecord,
  decodeSlot,
  encodePhase,
  encodeRecord,
  encodeSlot,
  type PathMap,
} from '../../src/execute/record.js';
import type { Operation, Phase } from '../../src/program/types.js';

const FOLDER = '/vmfs/volumes/a b/vm';

const paths: PathMap = {
  shorten: (path) => (path.startsWith(`${FOLDER}/`) ? path.slice(FOLDER.length + 1) : path),
  lengthen: (name) => (name.startsWith('/') ? name : `${FOLDER}/${name}`),
};

const count = fc.maxSafeNat();
const bytes = fc.uint8Array({ maxLength: 40 });
const path = fc
  .tuple(fc.constantFrom(FOLDER, '/other', ''), fc.string({ unit: 'binary', minLength: 1 }))
  .map(([folder, name]) => `${folder}/${name.replaceAll('/', '_')}`);

const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({ op: fc.constant('copy' as const), from: count, to: count, length: count }),
  fc.record({ op: fc.constant('shift' as const), from: count, to: count, length: count }),
  fc.record({ op: fc.constant('write' as const), at: count, bytes }),
  fc.record({ op: fc.constant('discard' as const), at: count, length: count }),
  fc.record({ op: fc.constant('resize' as const), to: count }),
  fc.record({ op: fc.constant('text' as const), file: path, before: bytes, after: bytes }),
  fc.record({ op: fc.constant('rename' as const), from: path, to: path }),
  fc.record({ op: fc.constant('remove' as const), file: path }),
);

const anyPhase: fc.Arbitrary<Phase> = fc
  .record({
    stage: fc.constantFrom('prepare' as const, 'change' as const, 'finish' as const),
    why: fc.string({ unit: 'binary' }),
    operations: fc.array(operation, { maxLength: 6 }),
    spill: fc.constantFrom(undefined, true as const, 'shared' as const),
  })
  .map(({ spill, ...phase }) => (spill === undefined ? phase : { ...phase, spill }));

/** One line as the journal reads it. */
const line = (value: unknown): Uint8Array => encodeRecord(value).subarray(0, -1);

describe('a record', () => {
  it('gives any phase back', () => {
    fc.assert(
      fc.property(anyPhase, (phase) => {
        const record = line(encodePhase(phase, paths));
        expect(record.includes(0x0a)).toBe(false);
        expect(decodePhase(decodeRecord(record), paths)).toEqual(phase);
      }),
      { numRuns: 500 },
    );
  });

  it('keeps names instead of paths in the folder of the disk, which may be mounted elsewhere', () => {
    const rename = { op: 'rename' as const, from: `${FOLDER}/a.vmdk`, to: '/elsewhere/a.vmdk' };
    const phase: Phase = { stage: 'prepare', why: 'hide', operations: [rename] };
    const record = decodeRecord(line(encodePhase(phase, paths)));
    const moved: PathMap = { ...paths, lengthen: (name) => (name.startsWith('/') ? name : `/mnt/${name}`) };
    expect(decodePhase(record, moved).operations).toEqual([
      { op: 'rename', from: '/mnt/a.vmdk', to: '/elsewhere/a.vmdk' },
    ]);
  });

  it('is nothing when it is torn at any length or a bit is flipped anywhere', () => {
    const whole = line({ stage: 'change', why: 'm\u00f6ve', ops: [['copy', 1, 2, 3]] });
    expect(decodeRecord(whole)).toBeDefined();
    for (let at = 0; at < whole.length; at++) {
      expect(decodeRecord(whole.subarray(0, at))).toBeUndefined();
      for (const bit of [1, 0x10, 0x80]) {
        const flipped = whole.slice();
        flipped[at] = (flipped[at] ?? 0) ^ bit;
        // The byte between sum and JSON carries nothing.
        if (at !== 8) expect(decodeRecord(flipped)).toBeUndefined();
      }
    }
  });

  it.each<[string, unknown]>([
    ['nothing', null],
    ['a number', 7],
    ['a list', []],
    ['no stage', { why: '', ops: [] }],
    ['a stage of another version', { stage: 'undo', why: '', ops: [] }],
    ['no operations', { stage: 'change', why: '' }],
    ['an operation that is none', { stage: 'change', why: '', ops: [7] }],
    ['an unknown operation', { stage: 'change', why: '', ops: [['format', 0]] }],
    ['a negative offset', { stage: 'change', why: '', ops: [['discard', -1, 1]] }],
    ['a fraction', { stage: 'change', why: '', ops: [['discard', 0.5, 1]] }],
    ['a number as text', { stage: 'change', why: '', ops: [['copy', '0', 1, 1]] }],
    ['a missing length', { stage: 'change', why: '', ops: [['copy', 0, 1]] }],
    ['a number as path', { stage: 'change', why: '', ops: [['remove', 1]] }],
  ])('with a good sum that holds %s is damage', (_, value) => {
    expect(() => decodePhase(decodeRecord(line(value)), paths)).toThrow(
      expect.objectContaining({ family: 'damaged', code: 'journal' }),
    );
  });

  it('of any JSON is a phase or damage', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        try {
          decodePhase(value, paths);
        } catch (error) {
          expect(isFamily(error, 'damaged')).toBe(true);
        }
      }),
    );
  });
});

describe('a slot', () => {
  const value = { sequence: 7, phase: 3 };

  it('gives its value back and is nothing before it is written', () => {
    expect(decodeSlot(encodeSlot(value, 4096))).toEqual(value);
    expect(encodeSlot(value, 4096)).toHaveLength(4096);
    expect(decodeSlot(new Uint8Array(4096))).toBeUndefined();
    expect(decodeSlot(new Uint8Array(4096).fill(0xff))).toBeUndefined();
  });

  it('is the old value, the new one or nothing when its write was torn', () => {
    const old = encodeSlot({ sequence: 5, phase: 12345 }, 4096);
    const now = encodeSlot(value, 4096);
    for (let at = 0; at <= 64; at++) {
      const torn = old.slice();
      torn.set(now.subarray(0, at));
      const found = decodeSlot(torn);
      if (found !== undefined) expect([{ sequence: 5, phase: 12345 }, value]).toContainEqual(found);
    }
  });

  it('is never too small in silence', () => {
    expect(() => encodeSlot({ text: 'x'.repeat(90) }, 100)).toThrow(
      expect.objectContaining({ family: 'internal' }),
    );
  });
});
