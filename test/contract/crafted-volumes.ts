import { crc32c } from '../../src/codec/checksum.js';
import { KIB, MIB } from '../../src/core/units.js';
import { sealRegion } from '../../src/formats/exfat/boot.js';
import { type Crafted, type Patch, word } from '../inspect/crafted.js';
import type { Seal } from './format-laws.js';

const UUID_BYTES = Uint8Array.from({ length: 16 }, (_, i) => 0x20 + i);

function build(size: number, fill: (view: DataView, bytes: Uint8Array) => void): Uint8Array {
  const bytes = new Uint8Array(size);
  fill(new DataView(bytes.buffer), bytes);
  return bytes;
}

function sealed(seal: Seal, bytes: Uint8Array): Patch {
  seal.apply(bytes);
  return [seal.at, bytes];
}

const setU32 = (bytes: Uint8Array, at: number, value: number): void =>
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(at, value, true);

/** The checksum covers the sector with zeros in its own place, and is little-endian in a big-endian world. */
const XFS_SEAL: Seal = {
  at: 0,
  length: 512,
  apply: (bytes) => {
    setU32(bytes, 224, 0);
    setU32(bytes, 224, crc32c(bytes));
  },
};

const BTRFS_SEAL: Seal = {
  at: 64 * KIB,
  length: 4 * KIB,
  apply: (bytes) => setU32(bytes, 0, crc32c(bytes.subarray(32))),
};

/** Of a volume with sectors of 512 bytes; the main region. */
const EXFAT_SEAL: Seal = { at: 0, length: 12 * 512, apply: (bytes) => sealRegion(bytes, 512) };

/** By the id of the format. */
export const SEALS: Readonly<Record<string, Seal>> = {
  xfs: XFS_SEAL,
  btrfs: BTRFS_SEAL,
  exfat: EXFAT_SEAL,
};

const SIZE = 16 * MIB;

function xfsSuperblock(version: number): Uint8Array {
  return build(512, (view, bytes) => {
    bytes.set(word('XFSB'));
    view.setUint32(4, 4096);
    view.setBigUint64(8, BigInt(SIZE / 4096));
    bytes.set(UUID_BYTES, 32);
    view.setUint16(100, version);
    view.setUint16(102, 512);
    bytes.set(word('exes'), 108);
    view.setBigUint64(144, 1000n);
  });
}

const btrfsSuperblock = (): Uint8Array =>
  build(4 * KIB, (view, bytes) => {
    bytes.set(UUID_BYTES, 32);
    view.setBigUint64(48, BigInt(64 * KIB), true);
    bytes.set(word('_BHRfS_M'), 64);
    view.setBigUint64(120, BigInt(MIB), true);
    view.setBigUint64(136, 1n, true);
    view.setUint32(144, 4096, true);
    view.setBigUint64(209, BigInt(SIZE), true);
    bytes.set(word('butter'), 299);
  });

const luksHeader = (version: number): Uint8Array =>
  build(592, (view, bytes) => {
    bytes.set([...word('LUKS'), 0xba, 0xbe]);
    view.setUint16(6, version);
    bytes.set(word('safe'), 24);
    bytes.set(word('6a5e9f5c-1d5b-4a0e-9c39-0c1f2a3b4c5d'), 168);
  });

const hfsplusHeader = (): Uint8Array =>
  build(512, (view, bytes) => {
    bytes.set(word('H+'));
    view.setUint16(2, 4);
    view.setUint32(4, 0x100);
    view.setUint32(40, 4096);
    view.setUint32(44, SIZE / 4096);
    view.setUint32(48, 3000);
  });

const apfsSuperblock = (): Uint8Array =>
  build(4096, (view, bytes) => {
    bytes.set(word('NXSB'), 32);
    view.setUint32(36, 4096, true);
    view.setBigUint64(40, BigInt(SIZE / 4096), true);
    bytes.set(UUID_BYTES, 72);
  });

const BCACHE_MAGIC = Uint8Array.from(Buffer.from('c68573f64e1a45ca8265f57f48ba6d81', 'hex'));
const BSD_MAGIC = Uint8Array.of(0x57, 0x45, 0x56, 0x82);

const volume = (
  kind: string,
  name: string,
  patches: readonly Patch[],
): Crafted & { readonly kind: string } => ({
  kind,
  name: `${name}, crafted`,
  sizeBytes: SIZE,
  patches,
});

/** Headers alone, for formats that no tool here makes or whose tool may be missing. By the id of the format. */
export const MORE_CRAFTED: readonly (Crafted & { readonly kind: string })[] = [
  volume('xfs', 'XFS', [sealed(XFS_SEAL, xfsSuperblock(5))]),
  volume('xfs', 'XFS version 4', [[0, xfsSuperblock(4)]]),
  volume('btrfs', 'btrfs', [sealed(BTRFS_SEAL, btrfsSuperblock())]),
  volume('luks', 'LUKS1', [[0, luksHeader(1)]]),
  volume('luks', 'LUKS2', [[0, luksHeader(2)]]),
  volume('hfsplus', 'HFS+', [[KIB, hfsplusHeader()]]),
  volume('apfs', 'APFS', [[0, apfsSuperblock()]]),
  volume('bcache', 'bcache', [
    [4096 + 24, BCACHE_MAGIC],
    [4096 + 40, UUID_BYTES],
    [4096 + 72, word('cached')],
  ]),
  volume('storage-spaces', 'Storage Spaces', [[0, word('SPACEDB ')]]),
  volume('nested-label', 'BSD label', [
    [512, BSD_MAGIC],
    [512 + 132, BSD_MAGIC],
  ]),
  volume('nested-label', 'Solaris label', [[512 + 12, Uint8Array.of(0xee, 0xde, 0x0d, 0x60)]]),
];
