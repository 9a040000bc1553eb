import fc from 'fast-check';
import type { RecordedLayout, RunRecord, ScanRecord } from '../../src/history/types.js';

export const GIB = 2 ** 30;

export function layout(usedBytes: number | null = GIB, sizeBytes = 10 * GIB): RecordedLayout {
  const partition = {
    number: 1,
    kind: 'primary',
    startLba: 2048,
    startBytes: 2048 * 512,
    sizeBytes: sizeBytes - 2048 * 512,
    aligned: true,
    filesystem: 'ntfs',
    label: 'System',
    usedBytes,
  };
  return { sizeBytes, partitions: [partition] };
}

export function scan(change: Partial<ScanRecord> = {}): ScanRecord {
  return {
    v: 1,
    kind: 'scan',
    at: '2026-11-20T03:00:00.000Z',
    by: 'root@host',
    version: '0.1.0',
    disk: '/vms/a/a.vmdk',
    vm: 'a',
    state: 'ready',
    allocatedBytes: null,
    layout: layout(),
    ...change,
  };
}

export function run(change: Partial<RunRecord> = {}): RunRecord {
  return {
    v: 1,
    kind: 'run',
    at: '2026-11-20T04:00:00.000Z',
    by: 'root@host',
    version: '0.1.0',
    disk: '/vms/a/a.vmdk',
    vm: 'a',
    command: 'shrink',
    runId: '20261120T040000Z-abcdef',
    status: 'done',
    exitCode: 0,
    error: null,
    before: layout(GIB, 10 * GIB),
    after: layout(GIB, 4 * GIB),
    savedBytes: 6 * GIB,
    bytesCopied: GIB,
    bytesWritten: GIB,
    bytesDiscarded: 0,
    seconds: 12.5,
    fixups: [{ kind: 'hidden-sectors', message: 'boot sector' }],
    warnings: [],
    ...change,
  };
}

/** Runs with whatever text a guest or a store may put into them. */
export const anyRun = fc
  .record({
    disk: fc.string({ unit: 'binary', maxLength: 40 }),
    vm: fc.option(fc.string({ unit: 'grapheme', maxLength: 20 })),
    by: fc.string({ maxLength: 20 }),
    savedBytes: fc.maxSafeInteger(),
    seconds: fc.double({ min: 0, max: 1e6, noNaN: true }),
  })
  .map((change) => run(change));
