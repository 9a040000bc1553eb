import { isFamily, type Reason, type VmreclaimError } from '../core/errors.js';
import type { Reader } from '../device/types.js';
import { apfs } from '../formats/apfs/index.js';
import { bcache } from '../formats/bcache/index.js';
import { bitlocker } from '../formats/bitlocker/index.js';
import { btrfs } from '../formats/btrfs/index.js';
import { drbd } from '../formats/drbd/index.js';
import { exfat } from '../formats/exfat/index.js';
import { ext } from '../formats/ext/index.js';
import { volumeFacts } from '../formats/facts.js';
import { fat } from '../formats/fat/index.js';
import { hfsplus } from '../formats/hfsplus/index.js';
import { jfs } from '../formats/jfs/index.js';
import { luks } from '../formats/luks/index.js';
import { lvm } from '../formats/lvm/index.js';
import { md } from '../formats/md/index.js';
import { nestedLabel } from '../formats/nested-label/index.js';
import { ntfs } from '../formats/ntfs/index.js';
import { refs } from '../formats/refs/index.js';
import { reiserfs } from '../formats/reiserfs/index.js';
import { storageSpaces } from '../formats/storage-spaces/index.js';
import { stratis } from '../formats/stratis/index.js';
import { swap } from '../formats/swap/index.js';
import type { FilesystemFacts, FilesystemFormat } from '../formats/types.js';
import { vdo } from '../formats/vdo/index.js';
import { vmfs } from '../formats/vmfs/index.js';
import { xfs } from '../formats/xfs/index.js';
import { zfs } from '../formats/zfs/index.js';
import { cacheEdges, type EdgeCache } from './edge-cache.js';

/**
 * Every format that a volume is probed for. The order decides what a volume with two signatures is, and
 * follows libblkid: what is found by the end of the volume first, because the file system it carries starts
 * where the volume starts; then containers and encryption; then file systems; the weakest signature last.
 */
export const FILESYSTEM_FORMATS: readonly FilesystemFormat[] = [
  ...[md, drbd, zfs],
  ...[bcache, lvm, luks, vmfs, vdo, stratis, bitlocker, storageSpaces],
  ...[swap, xfs, ext, jfs, reiserfs, hfsplus, apfs, btrfs],
  ...[refs, ntfs, exfat, nestedLabel, fat],
];

/** A recognised volume: its format and what it says of itself. */
export interface RecognisedVolume {
  readonly format: FilesystemFormat;
  readonly facts: FilesystemFacts;
}

/**
 * Finds the format of a volume; null when none recognises it. A volume that is damaged, or that its format
 * does not support, is a fact and must not move; errors of the device pass.
 */
export async function probeFilesystem(volume: Reader): Promise<RecognisedVolume | null> {
  const cached = await cacheEdges(volume);
  const found = await firstMatch(cached, FILESYSTEM_FORMATS);
  if (found === undefined) return null;
  const facts = await inspectSafely(found, cached);
  if (facts.move.copies === 'all') return { format: found, facts };
  const others = FILESYSTEM_FORMATS.slice(FILESYSTEM_FORMATS.indexOf(found) + 1);
  const second = await firstMatch(cached, others);
  return { format: found, facts: second === undefined ? facts : ambiguous(facts, second) };
}

async function firstMatch(
  volume: EdgeCache,
  formats: readonly FilesystemFormat[],
): Promise<FilesystemFormat | undefined> {
  for (const format of formats) {
    if (await format.probe(volume.head, volume)) return format;
  }
  return undefined;
}

async function inspectSafely(format: FilesystemFormat, volume: Reader): Promise<FilesystemFacts> {
  try {
    return await format.inspect(volume);
  } catch (error) {
    if (isFamily(error, 'damaged')) return unusable(format, error, 'damaged');
    if (isFamily(error, 'unsupported')) return unusable(format, error, 'unknown');
    throw error;
  }
}

function unusable(
  format: FilesystemFormat,
  error: VmreclaimError,
  state: 'damaged' | 'unknown',
): FilesystemFacts {
  return volumeFacts({
    kind: format.id,
    state,
    blockers: [error.toReason()],
    toleratesLargerPartition: false,
  });
}

/**
 * One of two signatures is stale, and which is a guess: the allocation bitmaps of the first must not decide
 * what is copied. Moving the whole partition is right either way.
 */
function ambiguous(facts: FilesystemFacts, second: FilesystemFormat): FilesystemFacts {
  const reason: Reason = {
    code: 'ambiguous-signature',
    message: `the partition also carries the signature of ${second.id}: one of the two is stale`,
    hint: 'erase the stale signature in the guest (wipefs)',
  };
  return {
    ...facts,
    reasons: [...facts.reasons, reason],
    move: { ...facts.move, copies: 'all', toleratesLargerPartition: false },
  };
}
