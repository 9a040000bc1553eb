import { conflict } from '../core/errors.js';
import type { Store } from '../device/store.js';
import type { Disk, DiskExtent, DiskSource } from '../disk/types.js';
import { Journal } from '../execute/journal.js';
import { sizeWithin } from '../execute/shift-file.js';
import type { RunHeader } from '../execute/types.js';

/**
 * The disk with the extents it has by now: each has its size of the beginning, or that of the end. A file may be longer
 * than its descriptor says, and what is behind the disk's end is no part of it. Conflict for any other size: somebody
 * else has cut the file. `inShift` is the one that a disk in one file may have between the two calls of a shift.
 */
export function asTheRunKnowsIt(
  source: DiskSource,
  header: RunHeader,
  inShift: number | undefined,
): DiskSource {
  let diskOffset = 0;
  const extents = source.extents.map((extent, index) => {
    const sizeBytes = extent.sizeBytes === inShift ? inShift : knownSize(extent, header, index);
    const known = { ...extent, sizeBytes, diskOffset };
    diskOffset += sizeBytes;
    return known;
  });
  return { ...source, extents, sizeBytes: diskOffset };
}

/** Bytes by which the extents before this one begin. */
export const offsetOf = ({ extents }: RunHeader, index: number): number =>
  extents.slice(0, index).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);

function knownSize({ path, sizeBytes }: DiskExtent, header: RunHeader, index: number): number {
  const before = header.extents[index]?.sizeBytes ?? 0;
  const room = Math.max(0, header.plan.after.sizeBytes - offsetOf(header, index));
  const after = index === header.extents.length - 1 ? room : Math.min(before, room);
  if (sizeBytes === after) return after;
  if (sizeBytes >= before) return before;
  throw conflict('extent-size', 'an extent file has another size than the run left it with', {
    path,
    expected: before === after ? before : `${before} or ${after}`,
    actual: sizeBytes,
    hint: 'somebody has cut it: put the disk back from a backup, and drop the run with: vmreclaim abandon --force',
  });
}

/** The size that the file has between the two calls of the shift that is under way; undefined without one. */
export async function sizeInShift(store: Store, path: string): Promise<number | undefined> {
  const journal = await Journal.open(store, path);
  try {
    const record = await journal.shiftUnderWay();
    return record && sizeWithin(record);
  } finally {
    await journal.close();
  }
}

/**
 * Gives a file that was opened with the size inside a shift its own back, so that all offsets of the disk are in it: what is
 * missing is at its end, and a hole. To be called under the lock. Conflict (changed) when the run has gone on meanwhile.
 */
export async function makeWhole(
  journal: Journal,
  { device, source }: Disk,
  inShift: number | undefined,
): Promise<void> {
  if (inShift === undefined || device.sizeBytes !== inShift) return;
  const record = await journal.shiftUnderWay();
  if (record?.map != null && sizeWithin(record) === inShift) return device.resize(record.map.sizeBytes);
  if (journal.header.plan.after.sizeBytes === inShift) return;
  throw conflict('changed', 'somebody else has gone on with the run meanwhile', {
    path: source.path,
    hint: 'run the command again',
  });
}
