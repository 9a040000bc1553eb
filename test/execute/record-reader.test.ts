import { describe, expect, it } from 'vitest';
import { decodeRecord, encodeRecord } from '../../src/execute/record.js';
import { RecordReader } from '../../src/execute/record-reader.js';
import { CrashStore } from '../support/crash-store.js';
import { MemoryDevice } from '../support/memory-device.js';

/** Around the size of the first buffer and its multiples, and far away from them. */
const LENGTHS = [1, 10, 262_130, 262_144, 5, 524_288, 700_000, 3, 3_000_000, 0, 262_143, 262_145, 12];
const VALUES = LENGTHS.map((length, index) => ({ index, text: 'x'.repeat(length), name: 'Gr\u00f6\u00dfe' }));

function fileOf(values: readonly unknown[], cutBytes = 0) {
  const whole = Buffer.concat(values.map(encodeRecord));
  const store = new CrashStore();
  store.put('/program', MemoryDevice.of(whole.subarray(0, whole.length - cutBytes)));
  return store.open('/program', 'read');
}

describe('reading records', () => {
  it('gives records of any length, and where each ends', async () => {
    const reader = new RecordReader(await fileOf(VALUES), 0);
    let end = 0;
    for (const value of VALUES) {
      expect(decodeRecord(await reader.next())).toEqual(value);
      end += encodeRecord(value).length;
      expect(reader.offset).toBe(end);
    }
    await expect(reader.next()).rejects.toMatchObject({ family: 'damaged', code: 'journal' });
  });

  it('begins at any record', async () => {
    const at = VALUES.slice(0, 6).reduce((sum, value) => sum + encodeRecord(value).length, 0);
    const reader = new RecordReader(await fileOf(VALUES), at);
    for (const value of VALUES.slice(6)) expect(decodeRecord(await reader.next())).toEqual(value);
  });

  it('does not take a record without its end for one', async () => {
    const reader = new RecordReader(await fileOf(VALUES.slice(0, 3), 1), 0);
    await reader.next();
    await reader.next();
    await expect(reader.next()).rejects.toMatchObject({ family: 'damaged', code: 'journal' });
  });
});
