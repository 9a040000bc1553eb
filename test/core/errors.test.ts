import { describe, expect, it } from 'vitest';
import {
  conflict,
  damaged,
  deviceError,
  internalError,
  interrupted,
  isFamily,
  refused,
  unsupported,
  usageError,
  VmreclaimError,
  verifyError,
} from '../../src/core/errors.js';

describe('an error', () => {
  it.each([
    [usageError, 'usage'],
    [unsupported, 'unsupported'],
    [refused, 'refused'],
    [damaged, 'damaged'],
    [deviceError, 'device'],
    [conflict, 'conflict'],
    [verifyError, 'verify'],
    [interrupted, 'interrupted'],
    [internalError, 'internal'],
  ] as const)('has the family of its constructor', (make, family) => {
    const error = make('some-code', 'a sentence', { offset: 512 });
    expect(error).toBeInstanceOf(VmreclaimError);
    expect(error).toMatchObject({
      family,
      code: 'some-code',
      message: 'a sentence',
      detail: { offset: 512 },
    });
    expect(isFamily(error, family)).toBe(true);
    expect(isFamily(error, family === 'usage' ? 'device' : 'usage')).toBe(false);
  });

  it('keeps its cause, and is a reason without what does not belong there', () => {
    const cause = new Error('EIO');
    const error = deviceError('io', 'the read failed', { cause, hint: 'look at the storage', offset: 7 });
    expect(error.cause).toBe(cause);
    expect(error.toReason()).toEqual({ code: 'io', message: 'the read failed', hint: 'look at the storage' });
    expect(refused('x', 'y').toReason()).toEqual({ code: 'x', message: 'y' });
    expect('cause' in refused('x', 'y')).toBe(false);
  });

  it('of another kind belongs to no family', () => {
    for (const thrown of [new Error('x'), undefined, null, 'text', { family: 'usage' }])
      expect(isFamily(thrown, 'usage')).toBe(false);
  });
});
