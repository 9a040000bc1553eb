import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { crc32, crc32c } from '../../src/codec/checksum.js';
import { KIB, MIB } from '../../src/core/units.js';
import { MemoryDevice } from '../support/memory-device.js';

/** Bytes at an offset of a volume; the rest is zeros. */
export type Patch = readonly [at: number, bytes: Uint8Array];

/** A volume with a signature written by hand, for what no tool here can make. */
export interface Crafted {
  readonly name: string;
  readonly sizeBytes: number;
  readonly patches: readonly Patch[];
}

const UUID_BYTES = Uint8Array.from({ length: 16 }, (_, i) => 0x10 + i);

export const word = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));
const hex = (digits: string): Uint8Array => Uint8Array.from(Buffer.from(digits.replaceAll(' ', ''), 'hex'));

function build(size: number, fill: (view: DataView, bytes: Uint8Array) => void): Uint8Array {
  const bytes = new Uint8Array(size);
  fill(new DataView(bytes.buffer), bytes);
  return bytes;
}

/** md 1.x at its place. */
const mdNew = (at: number): Patch => [
  at,
  build(256, (view, bytes) => {
    view.setUint32(0, 0xa92b4efc, true);
    view.setUint32(4, 1, true);
    bytes.set(UUID_BYTES, 16);
    bytes.set(word('host:array'), 32);
    view.setBigUint64(144, BigInt(at / 512), true);
  }),
];

const mdOld = (at: number, littleEndian: boolean): Patch => [
  at,
  build(4096, (view) => {
    view.setUint32(0, 0xa92b4efc, littleEndian);
    view.setUint32(8, 90, littleEndian);
    view.setUint32(20, 0x01020304, littleEndian);
    view.setUint32(32, 1024, littleEndian);
    for (const i of [0, 1, 2]) view.setUint32(52 + i * 4, 0x05060708 + i, littleEndian);
  }),
];

function lvmLabel(sector: number): Patch {
  const label = build(512, (view, bytes) => {
    bytes.set(word('LABELONE'));
    view.setBigUint64(8, BigInt(sector), true);
    view.setUint32(20, 32, true);
    bytes.set(word('LVM2 001'), 24);
    bytes.set(word('abcdefGHIJKLmnopQRSTuvwxYZ012345'), 32);
    view.setBigUint64(64, BigInt(8 * MIB), true);
  });
  // The bare register of CRC-32 from 0xF597A6CF, which zlib inverts at both ends.
  const sum = ~crc32(label.subarray(20), ~0xf597a6cf >>> 0) >>> 0;
  new DataView(label.buffer).setUint32(16, sum, true);
  return [sector * 512, label];
}

function stratisHeader(): Patch {
  const sector = build(512, (_, bytes) => {
    bytes.set(hex('2153747261307469 7386ff025e417268'), 4);
    bytes.set(word('0123456789abcdef0123456789abcdef'), 32);
    bytes.set(word('fedcba9876543210fedcba9876543210'), 64);
  });
  new DataView(sector.buffer).setUint32(0, crc32c(sector.subarray(4)), true);
  return [512, sector];
}

const swapHeader = (signature: string): readonly Patch[] => [
  [1024, build(8, (view) => [view.setUint32(0, 1, true), view.setUint32(4, 255, true)])],
  [4096 - 10, word(signature)],
];

/** Configuration of a ZFS label as XDR: version, name, pool_guid. */
function zfsConfiguration(): Uint8Array {
  const text = (value: string): Uint8Array => word(value.padEnd(Math.ceil(value.length / 4) * 4, '\0'));
  const number = (...values: number[]): Uint8Array =>
    build(values.length * 4, (view) => {
      for (const [i, value] of values.entries()) view.setUint32(i * 4, value);
    });
  const pair = (name: string, type: number, value: Uint8Array): Uint8Array => {
    const body = Buffer.concat([number(name.length), text(name), number(type, 1), value]);
    return Buffer.concat([number(body.length + 8, 32), body]);
  };
  return Buffer.concat([
    hex('01010000'),
    number(0, 1),
    pair('version', 8, number(0, 5000)),
    pair('name', 9, Buffer.concat([number(4), text('tank')])),
    pair('pool_guid', 8, number(0x11223344, 0x55667788)),
  ]);
}

const zfsLabel = (at: number): readonly Patch[] => [
  [at + 16 * KIB, zfsConfiguration()],
  ...[4, 5, 6, 7].map(
    (slot): Patch => [at + (128 + slot) * KIB, build(8, (view) => view.setBigUint64(0, 0xbab10cn, true))],
  ),
];

const size = 16 * MIB;

/** What blkid knows, by our kind and its type. */
export const CRAFTED: readonly (Crafted & { readonly kind: string; readonly type: string })[] = [
  {
    name: 'md 0.90',
    kind: 'md',
    type: 'linux_raid_member',
    sizeBytes: size + 4 * KIB,
    patches: [mdOld(size - 64 * KIB, true)],
  },
  {
    name: 'md 0.90, big-endian',
    kind: 'md',
    type: 'linux_raid_member',
    sizeBytes: size,
    patches: [mdOld(size - 64 * KIB, false)],
  },
  {
    name: 'md 1.0',
    kind: 'md',
    type: 'linux_raid_member',
    sizeBytes: size + 512,
    patches: [mdNew(size - 8 * KIB)],
  },
  { name: 'md 1.1', kind: 'md', type: 'linux_raid_member', sizeBytes: size, patches: [mdNew(0)] },
  { name: 'md 1.2', kind: 'md', type: 'linux_raid_member', sizeBytes: size, patches: [mdNew(4 * KIB)] },
  { name: 'LVM2', kind: 'lvm2-pv', type: 'LVM2_member', sizeBytes: size, patches: [lvmLabel(1)] },
  { name: 'LVM2 in sector 3', kind: 'lvm2-pv', type: 'LVM2_member', sizeBytes: size, patches: [lvmLabel(3)] },
  {
    name: 'DRBD',
    kind: 'drbd',
    type: 'drbd',
    sizeBytes: size,
    patches: [[size - 4096 + 40, hex('0102030405060708 0000000000000000 00000000 8374026b')]],
  },
  { name: 'Stratis', kind: 'stratis', type: 'stratis', sizeBytes: size, patches: [stratisHeader()] },
  {
    name: 'VDO',
    kind: 'vdo',
    type: 'vdo',
    sizeBytes: size,
    patches: [
      [0, word('dmvdo001')],
      [40, UUID_BYTES],
    ],
  },
  { name: 'ZFS', kind: 'zfs', type: 'zfs_member', sizeBytes: 64 * MIB, patches: zfsLabel(0) },
  {
    name: 'VMFS',
    kind: 'vmfs',
    type: 'VMFS_volume_member',
    sizeBytes: size,
    patches: [[MIB, hex('0dd001c0')]],
  },
  {
    name: 'BitLocker of Vista',
    kind: 'bitlocker',
    type: 'BitLocker',
    sizeBytes: size,
    patches: [
      [0, hex('eb5290')],
      [3, word('-FVE-FS-')],
    ],
  },
  { name: 'ReFS', kind: 'refs', type: 'ReFS', sizeBytes: size, patches: [[0, hex('0000005265465300')]] },
  {
    name: 'JFS',
    kind: 'jfs',
    type: 'jfs',
    sizeBytes: size,
    patches: [
      [32 * KIB, word('JFS1')],
      [32 * KIB + 16, hex('00100000 0c00 0300 00020000 0900')],
      [32 * KIB + 136, UUID_BYTES],
      [32 * KIB + 152, word('journaled')],
    ],
  },
  {
    name: 'ReiserFS',
    kind: 'reiserfs',
    type: 'reiserfs',
    sizeBytes: size,
    patches: [
      [64 * KIB, hex('00040000 00020000 00000000 12000000')],
      [64 * KIB + 44, hex('0010')],
      [64 * KIB + 52, word('ReIsEr2Fs')],
      [64 * KIB + 84, UUID_BYTES],
      [64 * KIB + 100, word('hans')],
    ],
  },
  {
    name: 'suspended swap',
    kind: 'swap',
    type: 'swsuspend',
    sizeBytes: size,
    patches: swapHeader('S1SUSPEND'),
  },
];

/** Writes a crafted volume as a sparse file. */
export function writeCrafted(path: string, { sizeBytes, patches }: Crafted): void {
  const file = openSync(path, 'w');
  ftruncateSync(file, sizeBytes);
  for (const [at, bytes] of patches) writeSync(file, bytes, 0, bytes.length, at);
  closeSync(file);
}

/** The same in memory. */
export function craftedBytes({ sizeBytes, patches }: Crafted): Uint8Array {
  const bytes = new Uint8Array(sizeBytes);
  for (const [at, patch] of patches) bytes.set(patch, at);
  return bytes;
}

/** The same as a device that keeps only what was written. */
export function memoryOf({ name, sizeBytes, patches }: Crafted): MemoryDevice {
  const device = new MemoryDevice(sizeBytes, name);
  for (const [at, bytes] of patches) device.poke(at, bytes);
  return device;
}

export { lvmLabel, mdNew, mdOld, swapHeader, zfsLabel };
