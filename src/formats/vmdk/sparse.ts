import { ascii, size64le, u8, u16le, u32le } from '../../codec/fields.js';
import { defineLayout } from '../../codec/layout.js';
import { damaged } from '../../core/errors.js';
import { MAX_DESCRIPTOR_BYTES, type VmdkDescriptor } from './descriptor.js';
import { parseDescriptor } from './parse.js';

/** Bytes of a file's head that sparseKind and sparseHeader need. */
export const SPARSE_HEAD_BYTES = 512;

/** Hosted sparse (Workstation, streamOptimized), ESX copy-on-write delta, space-efficient sparse delta. */
export type SparseKind = 'hosted sparse (KDMV)' | 'ESX sparse (COWD)' | 'SESparse';

/** Magic bytes: VMware's Virtual Disk Format 5.0; SESparse as qemu's block/vmdk.c reads it (0xcafebabe, u64). */
const MAGICS: readonly (readonly [SparseKind, readonly number[]])[] = [
  ['hosted sparse (KDMV)', [0x4b, 0x44, 0x4d, 0x56]],
  ['ESX sparse (COWD)', [0x43, 0x4f, 0x57, 0x44]],
  ['SESparse', [0xbe, 0xba, 0xfe, 0xca, 0, 0, 0, 0]],
];

/** Header of a hosted sparse extent; sectors are of 512 bytes. Source: Virtual Disk Format 5.0, libvmdk. */
const HOSTED_SPARSE_HEADER = defineLayout('hosted sparse extent header', 79, {
  magic: { at: 0, type: ascii(4) },
  version: { at: 4, type: u32le },
  flags: { at: 8, type: u32le },
  capacitySectors: { at: 12, type: size64le },
  grainSectors: { at: 20, type: size64le },
  descriptorOffsetSectors: { at: 28, type: size64le },
  descriptorSizeSectors: { at: 36, type: size64le },
  uncleanShutdown: { at: 72, type: u8 },
  compression: { at: 77, type: u16le },
});

/** What a sparse extent file is, going by its magic; undefined when it is none. */
export function sparseKind(head: Uint8Array): SparseKind | undefined {
  const found = MAGICS.find(([, magic]) => magic.every((byte, at) => head[at] === byte));
  return found?.[0];
}

/** What a hosted sparse file says of itself. */
export interface HostedSparseHeader {
  /** Count of 512-byte sectors of the disk. */
  readonly capacitySectors: number;
  /** Where the embedded descriptor lies in the file, in bytes; null for an extent of a split disk. */
  readonly descriptorAt: { readonly at: number; readonly length: number } | null;
}

/** Reads the header of a hosted sparse file (`head` begins with KDMV). Damaged when it makes no sense. */
export function parseHostedSparseHeader(head: Uint8Array): HostedSparseHeader {
  const header = HOSTED_SPARSE_HEADER.decode(head);
  const at = header.descriptorOffsetSectors * 512;
  const length = header.descriptorSizeSectors * 512;
  if (at === 0 || length === 0) return { capacitySectors: header.capacitySectors, descriptorAt: null };
  if (length > MAX_DESCRIPTOR_BYTES || !Number.isSafeInteger(at + length)) {
    throw damaged('sparse-header', 'the sparse header names an embedded descriptor too large to be one', {
      offset: 36,
      expected: MAX_DESCRIPTOR_BYTES,
      actual: length,
    });
  }
  return { capacitySectors: header.capacitySectors, descriptorAt: { at, length } };
}

/** Reads the descriptor embedded in a sparse file: text up to the first zero byte. */
export function parseEmbeddedDescriptor(bytes: Uint8Array): VmdkDescriptor {
  const end = bytes.indexOf(0);
  return parseDescriptor(end < 0 ? bytes : bytes.subarray(0, end));
}
