import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { damaged, deviceError, type ErrorFamily, usageError, VmreclaimError } from '../../src/core/errors.js';
import { EXIT_CODES, errorDocument, exitCodeOf, renderError } from '../../src/report/error.js';
import { displayWidth } from '../../src/report/text-width.js';
import { coloured, HOSTILE, plain, UNSAFE } from './sample.js';

const badSignature = damaged('mbr-signature', 'The MBR does not end in 55 AA.', {
  path: '/vms/x-flat.vmdk',
  offset: 510,
  expected: '0xaa55',
  actual: 0,
  hint: 'Restore the first sector from a backup.',
});

describe('exitCodeOf', () => {
  it.each<[ErrorFamily, number]>([
    ['internal', 1],
    ['usage', 2],
    ['unsupported', 4],
    ['refused', 4],
    ['damaged', 5],
    ['device', 6],
    ['conflict', 7],
    ['verify', 8],
    ['interrupted', 9],
  ])('of %s is %i', (family, code) => {
    expect(exitCodeOf(new VmreclaimError(family, 'x', 'x'))).toBe(code);
  });

  it('is 1 for what is no error of this program', () => {
    for (const thrown of [new TypeError('x'), 'text', undefined, null, { family: 'usage' }]) {
      expect(exitCodeOf(thrown)).toBe(1);
    }
  });

  it('is what docs/exit-codes.md says, family by family', () => {
    const text = readFileSync(new URL('../../docs/exit-codes.md', import.meta.url), 'utf8');
    for (const [family, code] of Object.entries(EXIT_CODES)) {
      expect(text, family).toMatch(new RegExp(`^\\| ${code} \\|[^|\\n]*\`${family}\``, 'm'));
    }
  });
});

describe('errorDocument', () => {
  it('holds what is known and nothing else', () => {
    expect(errorDocument(badSignature)).toEqual({
      error: {
        code: 'mbr-signature',
        family: 'damaged',
        message: 'The MBR does not end in 55 AA.',
        path: '/vms/x-flat.vmdk',
        offset: 510,
        expected: '0xaa55',
        actual: 0,
        hint: 'Restore the first sector from a backup.',
      },
    });
    expect(Object.keys(errorDocument(usageError('bad-size', 'x')).error)).toEqual([
      'code',
      'family',
      'message',
    ]);
  });

  it('tells the message of a cause, and no stack', () => {
    const error = deviceError('read-failed', 'Reading failed.', { cause: new Error('EIO: i/o error, read') });
    expect(errorDocument(error).error.cause).toBe('EIO: i/o error, read');
    expect(errorDocument(new TypeError('oops'))).toEqual({
      error: { code: 'internal', family: 'internal', message: 'oops' },
    });
    expect(JSON.stringify(errorDocument(error))).not.toContain('at ');
  });
});

describe('renderError', () => {
  it('says what, where, what was expected and what to do', () => {
    expect(renderError(badSignature, plain(80))).toEqual({
      text: [
        'error [mbr-signature]: The MBR does not end in 55 AA.',
        '  path: /vms/x-flat.vmdk',
        '  offset: 510 (0x1fe)',
        '  expected: 0xaa55',
        '  found: 0',
        '  remedy: Restore the first sector from a backup.',
        '',
      ].join('\n'),
      exitCode: 5,
    });
  });

  it('calls a bug a bug, without a stack', () => {
    const { text, exitCode } = renderError(new TypeError('x is undefined'), plain(80));
    expect(text).toBe('error [internal]: x is undefined\n  This is a bug of vmreclaim. Please report it.\n');
    expect(exitCode).toBe(1);
  });

  it.each([80, 200])('stays within %d columns and lets nothing hostile through', (width) => {
    const long = HOSTILE.repeat(30);
    const error = damaged(HOSTILE, long, {
      path: long,
      expected: long,
      actual: long,
      hint: long,
      cause: long,
    });
    const { text } = renderError(error, plain(width));
    expect(text).not.toMatch(UNSAFE);
    for (const options of [plain(width), coloured(width)]) {
      for (const line of renderError(error, options).text.split('\n')) {
        expect(displayWidth(line)).toBeLessThanOrEqual(width);
      }
    }
  });
});
