import { lba } from '../../src/core/units.js';
import { type LayoutPartition, layoutRequest, type Plan, type PlannedMove } from '../../src/plan/types.js';
import type { RunResult } from '../../src/report/run-result.js';
import { layoutDocument } from '../../src/report/run-result.js';
import { disk, partition } from './sample.js';

export function extent(change: Partial<LayoutPartition> = {}): LayoutPartition {
  return {
    number: 1,
    kind: 'primary',
    type: '0x07',
    startLba: lba(63),
    sectorCount: 112392,
    ebrLba: null,
    filesystem: 'ntfs',
    label: 'System',
    serial: '0123456789ABCDEF',
    usedBytes: 10391552,
    aligned: false,
    ...change,
  };
}

const ext4 = { number: 2, type: '0x83', filesystem: 'ext4', label: 'data', usedBytes: 9957376 };

const directMove: PlannedMove = {
  number: 2,
  fromLba: lba(112455),
  toLba: lba(112640),
  sectorCount: 64260,
  direction: 'right',
  mode: 'direct',
  copies: 'used',
  copiedBy: 'program',
  windowBytes: 94720,
  bytesToCopy: 9957376,
  estimatedSeconds: 0.4,
};

const journaledMove: PlannedMove = {
  number: 1,
  fromLba: lba(63),
  toLba: lba(128),
  sectorCount: 112392,
  direction: 'right',
  mode: 'journaled',
  copies: 'all',
  copiedBy: 'program',
  windowBytes: 16777216,
  bytesToCopy: 57544704,
  estimatedSeconds: 75,
};

/** The plan of aligning the demo disk to 64 KiB. */
export function alignPlan(change: Partial<Plan> = {}): Plan {
  return {
    formatVersion: 1,
    command: 'align',
    disk: {
      path: '/vms/demo/demo.vmdk',
      createType: 'monolithicFlat',
      table: 'mbr',
      sectorSize: 512,
      identity: { sizeBytes: 100663296, contentId: null, diskId: null, tableChecksum: 1 },
    },
    request: layoutRequest({ command: 'align' }),
    resizes: [],
    status: 'change',
    before: {
      sizeBytes: 100663296,
      partitions: [extent(), extent({ ...ext4, startLba: lba(112455), sectorCount: 64260 })],
    },
    after: {
      sizeBytes: 100663296,
      partitions: [
        extent({ startLba: lba(128), sectorCount: 112512, aligned: true }),
        extent({ ...ext4, startLba: lba(112640), sectorCount: 64384, aligned: true }),
      ],
    },
    moves: [directMove, journaledMove],
    fixups: [
      { kind: 'hidden-sectors', partition: 1, message: 'Hidden sectors become 128 in both boot sectors.' },
    ],
    warnings: [
      { code: 'boot-files', message: 'The BCD is not checked.', hint: 'Have an installation disc at hand.' },
    ],
    bytesToCopy: 67502080,
    savedBytes: 0,
    estimatedSeconds: 75.4,
    ...change,
  };
}

/** The result of aligning the first partition of the demo disk. */
export function runResult(change: Partial<RunResult> = {}): RunResult {
  const after = disk({ partitions: [partition({ startLba: lba(128), sectorCount: 112512 })] });
  return {
    formatVersion: 1,
    command: 'align',
    disk: '/vms/demo/demo.vmdk',
    runId: '20260101-1',
    status: 'done',
    before: layoutDocument(disk(), 65536),
    after: layoutDocument(after, 65536),
    bytesCopied: 10391552,
    bytesWritten: 10400000,
    bytesDiscarded: 0,
    savedBytes: 0,
    seconds: 1.25,
    peakMemoryBytes: 62914560,
    verified: true,
    fixups: [
      { kind: 'hidden-sectors', partition: 1, message: 'Hidden sectors are 128.' },
      { kind: 'content-id', file: 'demo.vmdk', message: 'The content id is new.' },
    ],
    warnings: [],
    ...change,
  };
}
