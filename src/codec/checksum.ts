import { crc32 as zlibCrc32 } from 'node:zlib';

/** CRC-32 (IEEE 802.3, as in GPT and the run journal). `seed` continues an earlier checksum. */
export function crc32(bytes: Uint8Array, seed = 0): number {
  return zlibCrc32(bytes, seed);
}

/** Tables for eight bytes a step; `polynomial` is bit-reversed. Row k holds the effect of a byte k positions back. */
function slicingTables(polynomial: number): Uint32Array {
  const tables = new Uint32Array(8 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let rest = byte;
    for (let bit = 0; bit < 8; bit++) rest = rest & 1 ? (rest >>> 1) ^ polynomial : rest >>> 1;
    tables[byte] = rest;
  }
  for (let i = 256; i < tables.length; i++) {
    const before = at(tables, i - 256);
    tables[i] = (before >>> 8) ^ at(tables, before & 0xff);
  }
  return tables;
}

/** An element that is known to be there. */
const at = (table: Uint8Array | Uint32Array, index: number): number => table[index] as number;

/** Castagnoli polynomial 0x1EDC6F41, bit-reversed (RFC 3720, section 12.1). */
const CRC32C = slicingTables(0x82f63b78);

/**
 * CRC-32C as a bare register: the value before in, the value after out, neither end inverted. ext4 metadata
 * uses it like this (seed 0xFFFFFFFF), and it chains: crc32cRegister(crc32cRegister(s, a), b) is that of a then b.
 */
export function crc32cRegister(register: number, bytes: Uint8Array): number {
  let crc = register;
  let i = 0;
  for (; i + 8 <= bytes.length; i += 8) {
    const word = at(bytes, i) | (at(bytes, i + 1) << 8) | (at(bytes, i + 2) << 16) | (at(bytes, i + 3) << 24);
    const low = crc ^ word;
    crc =
      at(CRC32C, 0x700 + (low & 0xff)) ^
      at(CRC32C, 0x600 + ((low >>> 8) & 0xff)) ^
      at(CRC32C, 0x500 + ((low >>> 16) & 0xff)) ^
      at(CRC32C, 0x400 + (low >>> 24)) ^
      at(CRC32C, 0x300 + at(bytes, i + 4)) ^
      at(CRC32C, 0x200 + at(bytes, i + 5)) ^
      at(CRC32C, 0x100 + at(bytes, i + 6)) ^
      at(CRC32C, at(bytes, i + 7));
  }
  for (; i < bytes.length; i++) crc = (crc >>> 8) ^ at(CRC32C, (crc ^ at(bytes, i)) & 0xff);
  return crc >>> 0;
}

/** CRC-32C (RFC 3720), both ends inverted: btrfs, XFS, Stratis. */
export function crc32c(bytes: Uint8Array): number {
  return ~crc32cRegister(0xffff_ffff, bytes) >>> 0;
}

/** Polynomial 0x8005, bit-reversed; its first 256 entries serve a step of one byte. */
const CRC16 = slicingTables(0xa001);

/** CRC-16 (ANSI, as in ext4 group descriptors with gdt_csum): the register before in, the register after out. */
export function crc16Register(register: number, bytes: Uint8Array): number {
  let crc = register;
  for (let i = 0; i < bytes.length; i++) crc = (crc >>> 8) ^ at(CRC16, (crc ^ at(bytes, i)) & 0xff);
  return crc;
}
