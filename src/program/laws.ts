import { internalError } from '../core/errors.js';
import { type ByteRange, intersects, rangeEnd } from '../core/range.js';
import { isShift } from '../device/bounds.js';
import type { Operation, Phase } from './types.js';

/** The bytes of the disk an operation changes. */
export function targetOf(operation: Operation): ByteRange | undefined {
  if (operation.op === 'copy') return { at: operation.to, length: operation.length };
  if (operation.op === 'write') return { at: operation.at, length: operation.bytes.length };
  if (operation.op === 'discard' || operation.op === 'fill') {
    return { at: operation.at, length: operation.length };
  }
  return undefined;
}

/** The bytes of the disk an operation reads. */
export function sourceOf(operation: Operation): ByteRange | undefined {
  return operation.op === 'copy' ? { at: operation.from, length: operation.length } : undefined;
}

/** Bytes that a phase copies: what a spill holds. */
export function copiedBytes(phase: Phase): number {
  return phase.operations.reduce((total, each) => total + (each.op === 'copy' ? each.length : 0), 0);
}

const isRange = (range: ByteRange | undefined): range is ByteRange => range !== undefined && range.length > 0;
const byStart = (a: ByteRange, b: ByteRange): number => a.at - b.at;

/**
 * Checks the laws of one phase and throws Internal when one is broken: no target intersects a source (unless the
 * phase spills), no two targets intersect, a change of the disk's size or of a file stands alone among its kind.
 * Every phase is checked when it is compiled and again before it runs.
 */
export function checkLaws(phase: Phase): void {
  const targets = targetsOf(phase);
  targets.forEach((target, index) => {
    const next = targets[index + 1];
    if (next !== undefined && intersects(target, next)) broken(phase, 'two targets share bytes', next);
  });
  const shared = phase.spill !== undefined ? undefined : sharedBytes(targets, sourcesOf(phase));
  if (shared !== undefined) broken(phase, 'a target is also a source', shared);
  const others = phase.operations.filter((operation) => targetOf(operation) === undefined);
  others.forEach((operation) => {
    if (operation.op === 'shift' && !isShift(operation))
      broken(phase, 'no shift to the left onto itself', { at: operation.to, length: 0 });
  });
  if (others.length > 1 || (others.length === 1 && targets.length > 0)) {
    throw internalError(
      'law',
      `phase "${phase.why}": a change of size or of a file needs a phase of its own`,
    );
  }
}

const sourcesOf = (phase: Phase): ByteRange[] => phase.operations.map(sourceOf).filter(isRange).sort(byStart);
const targetsOf = (phase: Phase): ByteRange[] => phase.operations.map(targetOf).filter(isRange).sort(byStart);

/** Does the phase copy from where the other one writes? Then it cannot be read before that one is done. */
export function readsWhatItWrites(phase: Phase, other: Phase): boolean {
  return sharedBytes(targetsOf(other), sourcesOf(phase)) !== undefined;
}

/** The first of the sorted targets that shares bytes with one of the sorted sources: one sweep. */
function sharedBytes(targets: readonly ByteRange[], sources: readonly ByteRange[]): ByteRange | undefined {
  let index = 0;
  let reach = 0;
  for (const target of targets) {
    for (; index < sources.length && (sources[index]?.at ?? 0) < rangeEnd(target); index++) {
      const source = sources[index];
      if (source !== undefined) reach = Math.max(reach, rangeEnd(source));
    }
    if (reach > target.at) return target;
  }
  return undefined;
}

function broken(phase: Phase, law: string, at: ByteRange): never {
  throw internalError('law', `phase "${phase.why}": ${law}`, { offset: at.at });
}
