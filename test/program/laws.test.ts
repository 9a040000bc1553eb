import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isFamily } from '../../src/core/errors.js';
import { checkLaws, copiedBytes, sourceOf, targetOf } from '../../src/program/laws.js';
import type { Operation, Phase } from '../../src/program/types.js';

const copy = (from: number, to: number, length: number): Operation => ({ op: 'copy', from, to, length });
const write = (at: number, length: number): Operation => ({
  op: 'write',
  at,
  bytes: new Uint8Array(length),
});
const discard = (at: number, length: number): Operation => ({ op: 'discard', at, length });
const shift = (from: number, to: number, length: number): Operation => ({ op: 'shift', from, to, length });
const resize: Operation = { op: 'resize', to: 4096 };
const remove: Operation = { op: 'remove', file: '/disk-ctk.vmdk' };

function phase(operations: readonly Operation[], spill = false): Phase {
  const plain: Phase = { stage: 'change', why: 'test', operations };
  return spill ? { ...plain, spill } : plain;
}

const keeps = (operations: readonly Operation[], spill = false): boolean => {
  try {
    checkLaws(phase(operations, spill));
    return true;
  } catch (error) {
    if (isFamily(error, 'internal') && error.code === 'law') return false;
    throw error;
  }
};

describe('the laws of a phase', () => {
  it.each<[string, Operation[]]>([
    ['nothing at all', []],
    ['copies beside each other', [copy(0, 10, 10), copy(20, 30, 10)]],
    ['two copies from the same place', [copy(0, 10, 10), copy(0, 20, 10)]],
    ['targets that touch', [write(0, 10), discard(10, 10), copy(40, 20, 10)]],
    ['a copy of nothing onto itself', [copy(5, 5, 0)]],
    ['a resize alone', [resize]],
    ['a file operation alone', [remove]],
    ['a shift by less than its length', [shift(30, 10, 40)]],
    ['a shift by its length', [shift(50, 10, 40)]],
  ])('are kept by %s', (_, operations) => {
    expect(keeps(operations)).toBe(true);
  });

  it.each<[string, Operation[]]>([
    ['a copy onto its own source', [copy(0, 9, 10)]],
    ['a copy from what another one writes', [copy(0, 10, 10), copy(19, 30, 1)]],
    ['a write into a source', [copy(0, 10, 10), write(9, 1)]],
    ['a discard of a source', [copy(0, 10, 10), discard(0, 1)]],
    ['a long source before short ones', [copy(0, 200, 100), copy(10, 300, 5), write(50, 1)]],
  ])('are broken by %s, unless the sources are saved first', (_, operations) => {
    expect(keeps(operations)).toBe(false);
    expect(keeps(operations, true)).toBe(true);
  });

  it.each<[string, Operation[]]>([
    ['two targets that share a byte', [write(0, 10), copy(40, 9, 10)]],
    ['a target inside another', [discard(0, 100), write(50, 1)]],
    ['a shift to the right', [shift(10, 30, 40)]],
    ['a shift over what lies between', [shift(60, 10, 40)]],
    ['a shift beside a write', [shift(30, 10, 40), write(200, 1)]],
    ['a resize beside a write', [resize, write(0, 1)]],
    ['two changes of files', [remove, remove]],
    ['a resize beside a change of a file', [resize, remove]],
  ])('are broken by %s, saved or not', (_, operations) => {
    expect(keeps(operations)).toBe(false);
    expect(keeps(operations, true)).toBe(false);
  });

  it('name the phase and the place', () => {
    expect(() => checkLaws(phase([copy(0, 5, 10)]))).toThrow(
      expect.objectContaining({ message: expect.stringContaining('"test"'), detail: { offset: 5 } }),
    );
  });
});

/** The laws, byte by byte. */
function keepsByteMap(operations: readonly Operation[], spill: boolean): boolean {
  const targets = new Map<number, number>();
  const sources = new Set<number>();
  for (const operation of operations) {
    const target = targetOf(operation);
    const source = sourceOf(operation);
    for (let i = 0; i < (target?.length ?? 0); i++) {
      const at = (target?.at ?? 0) + i;
      targets.set(at, (targets.get(at) ?? 0) + 1);
    }
    for (let i = 0; i < (source?.length ?? 0); i++) sources.add((source?.at ?? 0) + i);
  }
  const once = [...targets.values()].every((count) => count === 1);
  return once && (spill || [...targets.keys()].every((at) => !sources.has(at)));
}

const position = fc.integer({ min: 0, max: 60 });
const length = fc.integer({ min: 0, max: 9 });
const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.tuple(position, position, length).map(([from, to, count]) => copy(from, to, count)),
  fc.tuple(position, length).map(([at, count]) => write(at, count)),
  fc.tuple(position, length).map(([at, count]) => discard(at, count)),
);

describe('checkLaws', () => {
  it('agrees with a map of bytes', () => {
    const seen = { true: 0, false: 0 };
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 5 }), fc.boolean(), (operations, spill) => {
        const wanted = keepsByteMap(operations, spill);
        seen[`${wanted}`]++;
        expect(keeps(operations, spill)).toBe(wanted);
      }),
      { numRuns: 3000 },
    );
    expect(Math.min(seen.true, seen.false)).toBeGreaterThan(300);
  });

  it('allows exactly the phases that end the same in any order, run any number of times', () => {
    const run = (image: number[], operations: readonly Operation[]): void => {
      for (const each of operations) {
        const part = each.op === 'copy' ? image.slice(each.from, each.from + each.length) : [];
        const target = targetOf(each);
        for (let i = 0; i < (target?.length ?? 0); i++) {
          image[(target?.at ?? 0) + i] =
            each.op === 'copy' ? (part[i] ?? 0) : each.op === 'write' ? 1000 : 2000;
        }
      }
    };
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 5 }), (operations) => {
        fc.pre(keeps(operations));
        const once = Array.from({ length: 70 }, (_, i) => i);
        const often = [...once];
        run(once, operations);
        run(often, operations.slice(1));
        run(often, [...operations].reverse());
        run(often, operations);
        expect(often).toEqual(once);
      }),
      { numRuns: 2000 },
    );
  });

  it('takes little time for a phase as large as they come', () => {
    const operations = Array.from({ length: 4096 }, (_, i) => copy(i * 20, 100_000 + i * 20, 10));
    expect(keeps(operations)).toBe(true);
    expect(keeps([...operations, write(20 * 4000, 1)])).toBe(false);
    expect(copiedBytes(phase([...operations, write(0, 7), discard(0, 7)]))).toBe(40_960);
  });
});
