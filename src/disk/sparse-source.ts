import { damaged, type Reason } from '../core/errors.js';
import type { Store } from '../device/store.js';
import {
  parseEmbeddedDescriptor,
  parseHostedSparseHeader,
  type SparseKind,
  writeRefusals,
} from '../formats/vmdk/index.js';
import { readHead, VMDK_SECTOR_BYTES } from './extents.js';
import type { DiskSource } from './types.js';

/** What a sparse extent is called when it carries no descriptor of its own. */
const CREATE_TYPES: Readonly<Record<SparseKind, string>> = {
  'hosted sparse (KDMV)': 'twoGbMaxExtentSparse',
  'ESX sparse (COWD)': 'vmfsSparse',
  SESparse: 'seSparse',
};

/**
 * A sparse disk in one file: its kind, its size where the header tells, and why it is not changed. Its bytes
 * are not read. Damaged when header or embedded descriptor make no sense.
 */
export async function describeSparse(
  store: Store,
  path: string,
  sizeBytes: number,
  kind: SparseKind,
): Promise<Pick<DiskSource, 'createType' | 'sizeBytes' | 'reasons'>> {
  const plain = { createType: CREATE_TYPES[kind], sizeBytes: 0, reasons: [sparseReason(kind)] };
  if (kind !== 'hosted sparse (KDMV)') return plain;
  const header = parseHostedSparseHeader(await readHead(store, path, sizeBytes));
  const capacity = { sizeBytes: header.capacitySectors * VMDK_SECTOR_BYTES };
  if (!Number.isSafeInteger(capacity.sizeBytes))
    throw damaged('sparse-header', 'the capacity is beyond any disk');
  if (header.descriptorAt === null) return { ...plain, ...capacity };
  const { at, length } = header.descriptorAt;
  if (at + length > sizeBytes) {
    const detail = { path, offset: at, expected: at + length, actual: sizeBytes };
    throw damaged('truncated', 'the sparse disk is cut off before the end of its descriptor', detail);
  }
  const descriptor = parseEmbeddedDescriptor(await readRange(store, path, at, length));
  const reasons = writeRefusals(descriptor);
  return {
    ...capacity,
    createType: descriptor.createType,
    reasons: reasons.length > 0 ? reasons : [sparseReason(kind)],
  };
}

const sparseReason = (kind: SparseKind): Reason => ({
  code: 'create-type',
  message: `a ${kind} extent holds no disk that can be changed in place`,
  hint: 'name its descriptor; to change a sparse disk, convert it to a flat one first (`vmkfstools -i`, `qemu-img convert`)',
});

async function readRange(store: Store, path: string, at: number, length: number): Promise<Uint8Array> {
  const file = await store.open(path, 'read');
  try {
    return await file.readAt(at, length);
  } finally {
    await file.close();
  }
}
