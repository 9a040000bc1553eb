import type { Reason } from '../core/errors.js';
import { type ByteRange, complement, mergeRanges } from '../core/range.js';
import { formatSize } from '../core/size.js';
import { MIB } from '../core/units.js';
import type { BlockDevice } from '../device/types.js';
import type { DiskFacts } from '../inspect/types.js';
import { sectorsBehind } from '../plan/lay-out.js';
import { DEFAULT_RATES } from '../plan/moves.js';
import type { Plan, PlannedFixup, PlannedResize } from '../plan/types.js';
import { type WorkOutOptions, workOut } from '../program/resize.js';
import { completeZero } from './zero.js';

/** What the disk itself says to a plan. */
interface Additions {
  readonly resizes: PlannedResize[];
  readonly fixups: PlannedFixup[];
  readonly warnings: Reason[];
}

/** Bytes read at a time while looking for forgotten data. */
const LOOK_BYTES = MIB;

/**
 * A plan with what only the disk can tell: every resize is worked out to its end, so that what it refuses is refused
 * here, and what would be cut off is looked at. Reads metadata of the volumes and the unallocated end of the disk.
 */
export async function completePlan(
  device: BlockDevice,
  facts: DiskFacts,
  plan: Plan,
  options: WorkOutOptions & { readonly signal: AbortSignal },
): Promise<Plan> {
  if (plan.status === 'nothing-to-do') return plan;
  if (plan.zero !== undefined) return completeZero(device, facts, plan, plan.zero, options.signal);
  const found: Additions = { resizes: [], fixups: [], warnings: [] };
  for (const resize of plan.resizes) await addResize(device, plan, resize, found, options);
  if (plan.after.sizeBytes < plan.before.sizeBytes) {
    found.warnings.push(...(await forgottenData(device, facts, plan.after.sizeBytes, options.signal)));
  }
  const relocated = found.resizes.reduce((sum, { relocatedBytes }) => sum + (relocatedBytes ?? 0), 0);
  const seconds = plan.estimatedSeconds + relocated / DEFAULT_RATES.bytesPerSecond;
  return {
    ...plan,
    resizes: found.resizes,
    fixups: [...found.fixups, ...plan.fixups],
    warnings: [...plan.warnings, ...found.warnings],
    bytesToCopy: plan.bytesToCopy + relocated,
    estimatedSeconds: Math.round(seconds * 10) / 10,
  };
}

async function addResize(
  device: BlockDevice,
  plan: Plan,
  resize: PlannedResize,
  found: Additions,
  options: WorkOutOptions,
): Promise<void> {
  const partition = plan.before.partitions.find(({ number }) => number === resize.number);
  const { work } = await workOut(device, plan, resize, partition?.startLba ?? 0, options);
  await work.close?.();
  found.resizes.push({ ...resize, relocatedBytes: work.relocatedBytes });
  found.fixups.push(...work.fixups.map((fixup) => ({ ...fixup, partition: resize.number })));
  found.warnings.push(...work.warnings);
}

/**
 * Data in unallocated space that would be cut off: a deleted partition that somebody still wants back, or something
 * that keeps itself there. Said once, with the place of the first of it.
 */
async function forgottenData(
  device: BlockDevice,
  facts: DiskFacts,
  newSizeBytes: number,
  signal: AbortSignal,
): Promise<Reason[]> {
  const { sectorSize, sizeBytes } = facts;
  const partitions = facts.partitions
    .map(({ startLba, sectorCount }) => ({ at: startLba * sectorSize, length: sectorCount * sectorSize }))
    .sort((a, b) => a.at - b.at);
  const end = sizeBytes - sectorsBehind(facts) * sectorSize;
  const cut = { at: newSizeBytes, length: Math.max(0, end - newSizeBytes) };
  for (const gap of complement(mergeRanges(partitions), cut)) {
    const at = await firstData(device, gap, signal);
    if (at === undefined) continue;
    return [
      {
        code: 'unallocated-not-zero',
        message: `unallocated space that is cut off is not empty: data at byte ${at} of the disk (${formatSize(at)})`,
        hint: 'if a partition was deleted there and is still wanted, stop and recover it first; else go on',
      },
    ];
  }
  return [];
}

async function firstData(
  device: BlockDevice,
  gap: ByteRange,
  signal: AbortSignal,
): Promise<number | undefined> {
  const buffer = new Uint8Array(LOOK_BYTES);
  for (const { at, length } of await device.dataRanges(gap.at, gap.length)) {
    for (let done = 0; done < length; done += LOOK_BYTES) {
      const part = buffer.subarray(0, Math.min(LOOK_BYTES, length - done));
      await device.readInto(at + done, part, signal);
      const index = Buffer.from(part.buffer, 0, part.length).findIndex((byte) => byte !== 0);
      if (index >= 0) return at + done + index;
    }
  }
  return undefined;
}
