import { lba } from '../../src/core/units.js';
import type { FilesystemFacts } from '../../src/formats/types.js';
import type { DiskFacts, PartitionFacts } from '../../src/inspect/types.js';
import type { RenderOptions } from '../../src/report/types.js';

export const plain = (width: number): RenderOptions => ({ color: false, width, unicode: true });
export const ascii = (width: number): RenderOptions => ({ color: false, width, unicode: false });
export const coloured = (width: number): RenderOptions => ({ color: true, width, unicode: true });

/** What a label must not be able to do: colour, move the cursor, turn the text around, end a line. */
export const HOSTILE = '\u001b[31mred\u001b[2J\u202edlrow\u009b31m\r\nsecond\u0007\tend';

/** What may not reach a terminal from outside: control characters but line ends, and bidi marks. */
export const UNSAFE = /(?!\n)[\p{Control}\p{Bidi_Control}]/u;

export function filesystem(change: Partial<FilesystemFacts> = {}): FilesystemFacts {
  return {
    kind: 'ntfs',
    label: 'System',
    serial: '0123456789ABCDEF',
    clusterBytes: 4096,
    totalBytes: 57544192,
    usedBytes: 10391552,
    freeBytes: 47152640,
    minimumBytes: 12000256,
    state: 'clean',
    reasons: [],
    move: { blockers: [], copies: 'used', toleratesLargerPartition: true },
    ...change,
  };
}

export function partition(change: Partial<PartitionFacts> = {}): PartitionFacts {
  return {
    number: 1,
    kind: 'primary',
    type: '0x07',
    typeName: 'NTFS/exFAT/HPFS',
    active: true,
    startLba: lba(63),
    sectorCount: 112392,
    ebrLba: null,
    filesystem: filesystem(),
    ...change,
  };
}

/** The demo disk: NTFS at 63, ext4 at 112455, 9.7 MiB unallocated. */
export function disk(change: Partial<DiskFacts> = {}): DiskFacts {
  const ext4 = filesystem({
    kind: 'ext4',
    label: 'data',
    totalBytes: 32899072,
    usedBytes: 9957376,
    freeBytes: 22941696,
    minimumBytes: null,
  });
  return {
    path: '/vms/demo/demo.vmdk',
    createType: 'monolithicFlat',
    sizeBytes: 100663296,
    allocatedBytes: 20971520,
    sectorSize: 512,
    table: 'mbr',
    mbr: null,
    gpt: null,
    geometry: { heads: 255, sectorsPerTrack: 63 },
    usable: { first: lba(1), end: lba(196608) },
    partitions: [
      partition(),
      partition({
        number: 2,
        type: '0x83',
        typeName: 'Linux',
        active: false,
        startLba: lba(112455),
        sectorCount: 64260,
        filesystem: ext4,
      }),
    ],
    guest: null,
    boot: [],
    identity: { sizeBytes: 100663296, contentId: '5e1f0a1d', diskId: '5e1f0a1d', tableChecksum: 1 },
    vm: { name: 'demo', guestOs: 'winxppro', path: '/vms/demo/demo.vmx', otherDisks: [] },
    changeTracking: false,
    thinOnVmfs: false,
    storeCopies: false,
    windowBytes: null,
    shiftBlockBytes: null,
    sharesBlocks: false,
    state: 'ready',
    reasons: [],
    warnings: [],
    ...change,
  };
}
