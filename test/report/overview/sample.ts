import type { RunRecord } from '../../../src/history/types.js';
import { advise } from '../../../src/profile/advise.js';
import { NO_PROFILE } from '../../../src/profile/defaults.js';
import { buildOverview } from '../../../src/report/overview/build.js';
import type { Overview, OverviewInput } from '../../../src/report/overview/types.js';
import type { DiskDocument, PartitionDocument, ScanDocument } from '../../../src/report/scan-json.js';

const MIB = 2 ** 20;
const GIB = 2 ** 30;

/** A name that would be markup in HTML and Markdown, a formula in CSV and a command on a terminal. */
export const HOSTILE_NAME = '=HYPERLINK("x")</script><img src=x onerror=alert(1)>|*a*`b`\u001b[31m\u202e@me';

export function partitionOf(change: Partial<PartitionDocument> & { number: number }): PartitionDocument {
  const startBytes = change.startBytes ?? MIB;
  return {
    kind: 'primary',
    type: '0x07',
    active: false,
    startLba: startBytes / 512,
    sectorCount: (change.sizeBytes ?? GIB) / 512,
    startBytes,
    sizeBytes: GIB,
    alignmentBytes: 512,
    aligned: startBytes % 65_536 === 0,
    filesystem: null,
    ...change,
  };
}

/** An NTFS volume that fills its partition. */
export function ntfsOf(totalBytes: number, usedBytes: number, label: string | null = 'Data') {
  return {
    kind: 'ntfs',
    label,
    clusterBytes: 4096,
    totalBytes,
    usedBytes,
    freeBytes: totalBytes - usedBytes,
    minimumBytes: usedBytes + 64 * MIB,
    canShrink: true,
    canEnlarge: true,
    state: 'clean',
    reasons: [],
  };
}

export function diskOf(change: Partial<DiskDocument> & { path: string }): DiskDocument {
  const partitions = change.partitions ?? [
    partitionOf({ number: 1, sizeBytes: 40 * GIB, filesystem: ntfsOf(40 * GIB, 8 * GIB) }),
  ];
  return {
    createType: 'vmfs',
    sizeBytes: 41 * GIB,
    allocatedBytes: 20 * GIB,
    sectorSize: 512,
    table: 'mbr',
    vm: null,
    guest: null,
    bootFixups: [],
    state: 'ready',
    reasons: [],
    partitions,
    reclaimableBytes: 31 * GIB,
    ...change,
  };
}

/** `count` machines on two datastores: every third misaligned, every fifth nearly full, every seventh refused. */
export function manyDisks(count: number): DiskDocument[] {
  return Array.from({ length: count }, (_, index) => {
    const store = index % 2 === 0 ? 'ds1' : 'ds2';
    const folder = `/vmfs/volumes/${store}/vm${String(index).padStart(4, '0')}`;
    const sizeBytes = (20 + (index % 9) * 10) * GIB;
    const used = Math.round(sizeBytes * (index % 5 === 0 ? 0.93 : 0.2 + (index % 4) * 0.1));
    const startBytes = index % 3 === 0 ? 32_256 : MIB;
    const filesystem = ntfsOf(sizeBytes, used, `Data ${index}`);
    const partition = partitionOf({ number: 1, startBytes, sizeBytes, filesystem });
    const state = index % 7 === 0 ? 'refused' : 'ready';
    const vm = { name: `machine ${index}`, guestOs: 'windows2019srv-64', path: `${folder}/vm.vmx` };
    return diskOf({
      path: `${folder}/disk.vmdk`,
      sizeBytes: sizeBytes + GIB,
      vm,
      state,
      reasons: state === 'ready' ? [] : [{ code: 'snapshot-chain', message: 'the disk has a snapshot' }],
      partitions: [partition],
      reclaimableBytes: sizeBytes + GIB - used,
    });
  });
}

export function scanOf(disks: readonly DiskDocument[], change: Partial<ScanDocument> = {}): ScanDocument {
  const partitions = disks.flatMap((disk) => disk.partitions);
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  return {
    formatVersion: 1,
    disks,
    datastores: ['ds1', 'ds2'].map((name, index) => ({
      name,
      path: `/vmfs/volumes/${name}`,
      type: 'VMFS-6',
      capacityBytes: 2048 * GIB,
      usedBytes: (900 + index * 500) * GIB,
      freeBytes: (1148 - index * 500) * GIB,
      disks: disks.filter(({ path }) => path.startsWith(`/vmfs/volumes/${name}/`)).length,
    })),
    totals: {
      disks: disks.length,
      partitions: partitions.length,
      misaligned: partitions.filter(({ aligned }) => !aligned).length,
      sizeBytes: sum(disks.map(({ sizeBytes }) => sizeBytes)),
      usedBytes: sum(partitions.map(({ filesystem }) => filesystem?.usedBytes ?? 0)),
      reclaimableBytes: sum(disks.map(({ reclaimableBytes }) => reclaimableBytes)),
    },
    errors: [],
    ...change,
  };
}

export function runOf(change: Partial<RunRecord> & { disk: string }): RunRecord {
  return {
    v: 1,
    kind: 'run',
    at: '2026-11-20T03:00:00.000Z',
    by: 'root@esx1',
    version: '0.1.0',
    vm: 'machine 1',
    command: 'shrink',
    runId: '20261120T030000Z-abcdef',
    status: 'done',
    exitCode: 0,
    error: null,
    before: { sizeBytes: 100 * GIB, partitions: [] },
    after: { sizeBytes: 60 * GIB, partitions: [] },
    savedBytes: 40 * GIB,
    bytesCopied: GIB,
    bytesWritten: GIB,
    bytesDiscarded: 0,
    seconds: 93,
    fixups: [],
    warnings: [],
    ...change,
  };
}

/** An overview with every table filled, and a hostile name in each place that text comes from. */
export function overviewOf(change: Partial<OverviewInput> = {}): Overview {
  const hostile = diskOf({
    path: `/vmfs/volumes/ds1/h/${HOSTILE_NAME}.vmdk`,
    vm: { name: HOSTILE_NAME, guestOs: HOSTILE_NAME, path: '/vmfs/volumes/ds1/h/h.vmx' },
    state: 'damaged',
    reasons: [{ code: HOSTILE_NAME, message: HOSTILE_NAME }],
    partitions: [
      partitionOf({ number: 1, sizeBytes: 4 * GIB, filesystem: ntfsOf(4 * GIB, GIB, HOSTILE_NAME) }),
    ],
  });
  const disks = [...manyDisks(24), hostile];
  const errors = [{ path: `/vms/${HOSTILE_NAME}`, code: 'no-disk', message: HOSTILE_NAME }];
  return buildOverview({
    scan: scanOf(disks, { errors }),
    advise: (disk) => advise(NO_PROFILE, disk),
    runs: [
      runOf({ disk: '/vmfs/volumes/ds2/vm0001/disk.vmdk' }),
      runOf({ disk: hostile.path, vm: HOSTILE_NAME, by: HOSTILE_NAME, savedBytes: -GIB, command: 'enlarge' }),
      runOf({ disk: '/elsewhere.vmdk' }),
      runOf({ disk: '/vmfs/volumes/ds2/vm0001/disk.vmdk', status: 'failed', exitCode: 4 }),
    ],
    cost: { perGib: 0.25, currency: 'EUR' },
    sort: 'reclaimable',
    generatedAt: '2026-11-24T10:00:00.000Z',
    ...change,
  });
}
