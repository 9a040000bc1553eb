import type { Subject, SubjectPartition } from '../../src/profile/types.js';

export const MIB = 2 ** 20;
export const GIB = 2 ** 30;

export function volume(
  change: Partial<NonNullable<SubjectPartition['filesystem']>> = {},
): NonNullable<SubjectPartition['filesystem']> {
  return {
    kind: 'ntfs',
    label: 'System',
    clusterBytes: 4096,
    totalBytes: 10 * GIB,
    usedBytes: 2 * GIB,
    minimumBytes: 2 * GIB + 64 * MIB,
    canShrink: true,
    canEnlarge: true,
    ...change,
  };
}

export function place(change: Partial<SubjectPartition> = {}): SubjectPartition {
  const { startBytes = MIB, sizeBytes = 10 * GIB } = change;
  return {
    number: 1,
    kind: 'primary',
    type: '0x07',
    startLba: startBytes / 512,
    sectorCount: sizeBytes / 512,
    startBytes,
    sizeBytes,
    filesystem: volume(),
    ...change,
  };
}

/** One NTFS partition of 10 GiB with 2 GiB used, on a disk that ends 1 MiB behind it. */
export function subject(change: Partial<Subject> = {}): Subject {
  return {
    path: '/vmfs/volumes/ds1/web01/web01.vmdk',
    sizeBytes: 10 * GIB + 2 * MIB,
    allocatedBytes: null,
    sectorSize: 512,
    table: 'mbr',
    state: 'ready',
    guest: null,
    vm: { name: 'web01', guestOs: 'windows2019srv-64' },
    partitions: [place()],
    ...change,
  };
}
