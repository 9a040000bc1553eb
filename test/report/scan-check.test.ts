import { describe, expect, it } from 'vitest';
import { conflict, damaged, deviceError, internalError, refused } from '../../src/core/errors.js';
import { lba, MIB } from '../../src/core/units.js';
import { findingsOf, RECLAIM_FINDING_BYTES, scanExitCode } from '../../src/report/scan-check.js';
import { scanDocument } from '../../src/report/scan-json.js';
import { disk, partition } from './sample.js';

const documentOf = (...facts: ReturnType<typeof disk>[]) =>
  scanDocument({ entries: facts.map((each) => ({ facts: each })), boundaryBytes: 65536 });

/** A disk whose partition is aligned, with `tail` bytes behind it. */
const alignedDisk = (tail: number) =>
  disk({
    partitions: [partition({ startLba: lba(128), sectorCount: 1000, filesystem: null })],
    usable: { first: lba(1), end: lba(1128 + tail / 512) },
  });

describe('findings', () => {
  it('are misaligned partitions', () => {
    expect(findingsOf(documentOf(disk()))).toEqual([
      { path: '/vms/demo/demo.vmdk', kind: 'misaligned', partition: 1 },
      { path: '/vms/demo/demo.vmdk', kind: 'misaligned', partition: 2 },
    ]);
  });

  it('are 64 MiB to reclaim, not less', () => {
    expect(RECLAIM_FINDING_BYTES).toBe(64 * MIB);
    expect(findingsOf(documentOf(alignedDisk(64 * MIB - 512)))).toEqual([]);
    expect(findingsOf(documentOf(alignedDisk(64 * MIB)))).toEqual([
      { path: '/vms/demo/demo.vmdk', kind: 'reclaimable', partition: null },
    ]);
  });
});

describe('scanExitCode', () => {
  it('is 3 for findings, and only with --check', () => {
    expect(scanExitCode(documentOf(disk()), { check: true })).toBe(3);
    expect(scanExitCode(documentOf(disk()), { check: false })).toBe(0);
    expect(scanExitCode(documentOf(alignedDisk(0)), { check: true })).toBe(0);
  });

  it('is 5 for a damaged disk, with and without findings', () => {
    const broken = disk({ state: 'damaged', path: '/b' });
    expect(scanExitCode(documentOf(broken, disk()), { check: true })).toBe(5);
    expect(scanExitCode(documentOf(broken), { check: false })).toBe(5);
  });

  it('is 0 for a disk that is refused for changes: it was scanned well', () => {
    expect(scanExitCode(documentOf(disk({ state: 'refused' })), { check: false })).toBe(0);
  });

  it('is the worst failure, before damage and findings', () => {
    const code = (...failures: unknown[]) => scanExitCode(documentOf(disk()), { check: true, failures });
    expect(code(refused('a', 'a'))).toBe(4);
    expect(code(refused('a', 'a'), damaged('b', 'b'))).toBe(5);
    expect(code(conflict('a', 'a'), damaged('b', 'b'), deviceError('c', 'c'))).toBe(6);
    expect(code(deviceError('c', 'c'), internalError('d', 'd'))).toBe(1);
    expect(code(new TypeError('e'))).toBe(1);
  });

  it('does not pass over a failure that only the document tells of', () => {
    const document = scanDocument({
      entries: [{ path: '/x', error: damaged('a', 'a') }],
      boundaryBytes: 65536,
    });
    expect(scanExitCode(document, { check: true })).toBe(6);
  });
});
