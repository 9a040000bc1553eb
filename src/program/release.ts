import { type ByteRange, complement, intersection, intersectLists, mergeRanges } from '../core/range.js';
import type { BlockDevice } from '../device/types.js';
import { MAX_OPERATIONS, type MoveJob, mergeGap, SCAN_BYTES, usedIn } from './move.js';
import type { Operation, Phase } from './types.js';

/** A stretch of the disk whose used bytes are somewhere else by now. */
export type LeftBehind = Pick<MoveJob, 'from' | 'length' | 'used'>;

/** Stretches shorter than this part of the merge gap are not worth an operation of their own. */
const SHARE_OF_GAP = 4;

/**
 * Gives back what moves left behind inside the new place of a partition: bytes that a volume used where it was, and
 * that this one does not use where it is. Without this a thin disk would grow by every move, up to twice its used
 * bytes. Comes after all moves; what lies outside all new places belongs to the layout. Nothing on stores without
 * holes, and nothing where every byte was moved.
 */
export async function* releasePhases(
  device: BlockDevice,
  job: MoveJob,
  moves: readonly LeftBehind[],
): AsyncGenerator<Phase> {
  if (job.used === null || !device.capabilities.discard) return;
  const end = Math.min(job.to + job.length, device.sizeBytes);
  const phase = (operations: Operation[]): Phase => ({
    stage: 'change',
    why: `${job.why}: give back what was left there`,
    operations,
  });
  let operations: Operation[] = [];
  for (let at = job.to; at < end; at += SCAN_BYTES) {
    const scan = { at, length: Math.min(SCAN_BYTES, end - at) };
    for (const range of await staleIn(device, job, moves, scan)) {
      operations.push({ op: 'discard', ...range });
      if (operations.length < MAX_OPERATIONS) continue;
      yield phase(operations);
      operations = [];
    }
  }
  if (operations.length > 0) yield phase(operations);
}

async function staleIn(
  device: BlockDevice,
  job: MoveJob,
  moves: readonly LeftBehind[],
  scan: ByteRange,
): Promise<ByteRange[]> {
  const gap = mergeGap(job);
  const left: ByteRange[] = [];
  for (const move of moves) {
    const old = intersection(scan, { at: move.from, length: move.length });
    if (old !== undefined) left.push(...(await usedIn(move, old)));
  }
  left.sort((a, b) => a.at - b.at);
  const shift = job.to - job.from;
  const moved = await usedIn(job, { at: scan.at - shift, length: scan.length });
  // Gaps were moved along with what is around them, so both their old and their new place count.
  const now = mergeRanges(
    moved.map(({ at, length }) => ({ at: at + shift, length })),
    gap,
  );
  const data = mergeRanges(await device.dataRanges(scan.at, scan.length));
  const stale = intersectLists(intersectLists(mergeRanges(left, gap), data), complement(now, scan));
  return stale.filter(({ length }) => length >= gap / SHARE_OF_GAP);
}
