import { damaged, type Reason } from '../core/errors.js';
import { cleanText, shellQuote } from '../core/text.js';
import type { Store } from '../device/store.js';
import { isFlat, parseDescriptor, sparseKind, writeRefusals } from '../formats/vmdk/index.js';
import { findExtents, otherNames, readHead, VMDK_SECTOR_BYTES } from './extents.js';
import { FolderCache } from './folder.js';
import { locateDisk, type Place } from './locate.js';
import { hiddenNameOf } from './names.js';
import { inspectNeighbours } from './neighbours.js';
import { describeSparse } from './sparse-source.js';
import { stemOfDisk } from './subject.js';
import type { DiskSource } from './types.js';

export { type OpenDiskOptions, openDisk } from './open-device.js';

export interface OpenSourceOptions {
  /** Extent files may lie outside the descriptor's folder (`--allow-outside-extents`). */
  readonly allowOutsideExtents?: boolean;
  /** Folders already read by the same scan. Never for a command that changes something. */
  readonly folders?: FolderCache;
}

/** The part of a source that its own files tell. */
type OwnFacts = Pick<
  DiskSource,
  'createType' | 'descriptor' | 'extents' | 'sizeBytes' | 'allocatedBytes' | 'reasons' | 'warnings'
>;

/**
 * Finds the disk at a path and everything around it that matters, reading metadata only. What stands against
 * a change is in `reasons`; a disk whose bytes cannot be read has no extents. Throws Usage when there is no
 * disk, Damaged when descriptor and extents do not fit.
 */
export async function openSource(
  store: Store,
  path: string,
  options: OpenSourceOptions = {},
): Promise<DiskSource> {
  const folders = options.folders ?? new FolderCache(store);
  const place = await locateDisk(store, path, folders);
  const facts =
    place.descriptorBytes === null
      ? await bareFacts(store, place)
      : await descriptorFacts(store, place, place.descriptorBytes, options);
  const folder = await folders.view(store.folderOf(place.path));
  const stem = stemOfDisk(store.nameOf(place.path));
  const neighbours = await inspectNeighbours({
    store,
    folder,
    stem,
    path: facts.descriptor?.path ?? store.join(folder.path, `${stem}.vmdk`),
    descriptor: facts.descriptor?.parsed ?? null,
    fileNames: [place.path, ...facts.extents.map((extent) => extent.path)].map(store.nameOf),
  });
  return {
    ...facts,
    store,
    path: place.path,
    vm: neighbours.vm,
    changeTracking: neighbours.changeTracking,
    reasons: [...interruption(place), ...facts.reasons, ...neighbours.reasons],
    warnings: [...place.warnings, ...facts.warnings, ...neighbours.warnings],
  };
}

async function descriptorFacts(
  store: Store,
  place: Place,
  bytes: Uint8Array,
  options: OpenSourceOptions,
): Promise<OwnFacts> {
  const parsed = parseDescriptor(bytes);
  const sectors = parsed.extents.reduce((sum, extent) => sum + extent.sectors, 0);
  const facts = {
    createType: parsed.createType,
    descriptor: { path: place.path, bytes, parsed },
    sizeBytes: sectors * VMDK_SECTOR_BYTES,
    allocatedBytes: null,
    reasons: writeRefusals(parsed),
  };
  if (!isFlat(parsed)) return { ...facts, extents: [], warnings: [] };
  const found = await findExtents(store, store.folderOf(place.path), parsed, {
    allowOutsideExtents: options.allowOutsideExtents ?? false,
    inFlight: place.inFlight,
  });
  const last = found.extents.at(-1);
  return {
    ...facts,
    ...found,
    sizeBytes: last === undefined ? facts.sizeBytes : last.diskOffset + last.sizeBytes,
    reasons: [...facts.reasons, ...found.reasons],
  };
}

async function bareFacts(store: Store, { path, stat }: Place): Promise<OwnFacts> {
  const { sizeBytes, allocatedBytes, inode } = stat;
  if (sizeBytes < VMDK_SECTOR_BYTES) {
    const detail = { path, expected: `at least ${VMDK_SECTOR_BYTES} bytes`, actual: sizeBytes };
    throw damaged('no-disk', `${cleanText(path)} is too small for a disk and no descriptor`, detail);
  }
  const kind = sparseKind(await readHead(store, path, sizeBytes));
  if (kind !== undefined) {
    const sparse = await describeSparse(store, path, sizeBytes, kind);
    return { ...sparse, descriptor: null, extents: [], allocatedBytes, warnings: [] };
  }
  return {
    createType: 'raw',
    descriptor: null,
    extents: [{ path, sizeBytes, inode, diskOffset: 0 }],
    sizeBytes,
    allocatedBytes,
    reasons: [
      ...(sizeBytes % VMDK_SECTOR_BYTES === 0 ? [] : [oddSize(sizeBytes)]),
      ...otherNames(path, stat),
    ],
    warnings: [],
  };
}

const oddSize = (sizeBytes: number): Reason => ({
  code: 'odd-size',
  message: `the image has ${sizeBytes} bytes, which is no whole number of sectors`,
  hint: 'an incomplete copy? If not, extend the file to the next multiple of 512 bytes',
});

function interruption({ path, inFlight, hidden }: Place): Reason[] {
  if (inFlight) {
    const message = 'a run of vmreclaim on this disk did not come to its end';
    return [{ code: 'interrupted', message, hint: `vmreclaim resume ${shellQuote(path)}` }];
  }
  if (!hidden) return [];
  return [
    {
      code: 'hidden-descriptor',
      message: `the descriptor is hidden as ${cleanText(hiddenNameOf(path))}, but no run is in flight`,
      hint: `if ${cleanText(path)} is not there, rename it back; if it is there, remove the hidden one`,
    },
  ];
}
