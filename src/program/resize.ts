import { internalError } from '../core/errors.js';
import { type ByteRange, intersection } from '../core/range.js';
import type { BlockDevice } from '../device/types.js';
import { windowDevice } from '../device/window.js';
import type { ResizeTools } from '../formats/resize-tools.js';
import type { VolumeResize, VolumeStep } from '../formats/types.js';
import { probeFilesystem } from '../inspect/registry.js';
import type { Plan, PlannedResize } from '../plan/types.js';
import type { Operation, Phase } from './types.js';

/** A resize that was worked out, and where its volume lies on the disk. */
export interface ResizeJob {
  readonly resize: PlannedResize;
  readonly work: VolumeResize;
  /** First byte of the volume when the steps are carried out. */
  readonly at: number;
}

/** What works resizes out besides the formats themselves. */
export interface WorkOutOptions {
  readonly tools?: ResizeTools;
  readonly signal?: AbortSignal;
}

/**
 * Works a planned resize out on a disk that does not change meanwhile; `startLba` is where the partition lies there.
 * Throws what the format or its tools refuse. The caller closes the work.
 */
export async function workOut(
  disk: BlockDevice,
  plan: Plan,
  resize: PlannedResize,
  startLba: number,
  { tools, signal }: WorkOutOptions,
): Promise<ResizeJob> {
  const { number, fromBytes, toBytes, direction } = resize;
  const at = startLba * plan.disk.sectorSize;
  const volume = windowDevice(disk, at, fromBytes, `partition ${number}`);
  const found = await probeFilesystem(volume);
  if (found?.format.resizedBy !== undefined) {
    if (tools === undefined)
      throw internalError('resize', `partition ${number} is resized by outside programs`);
    await tools.require(volume, found.facts);
    return { resize, work: await tools.resize(volume, toBytes, signal), at };
  }
  const method = found?.format[direction];
  if (method === undefined) throw internalError('resize', `partition ${number} cannot be resized`);
  const { dropShadowCopies, scheduleChkdsk } = plan.request;
  const work = await method(volume, { newSizeBytes: toBytes, dropShadowCopies, scheduleChkdsk }, signal);
  return { resize, work, at };
}

/**
 * The phases of one stage of a resize. `gather` writes only where the old file system has free space; `change` is all
 * the rest. What lies behind the new end of a shrunk volume belongs to the layout, which clears it or cuts it off.
 */
export async function* resizePhases(
  { resize, work, at }: ResizeJob,
  stage: 'gather' | 'change',
  signal?: AbortSignal,
): AsyncGenerator<Phase> {
  const inside = { at: 0, length: resize.toBytes };
  const why = `${resize.direction} ${resize.filesystem} in partition ${resize.number}`;
  for await (const step of work.steps(signal)) {
    const isGathering = step.stage === 'gather';
    if (stage === 'gather' && !isGathering) return;
    if (stage !== 'gather' && isGathering) continue;
    const operations = operationsOf(step, at, inside);
    if (operations.length > 0) yield { stage, why: `${why}: ${step.why}`, operations };
  }
}

/** A step of a volume that begins at `at`, in bytes of the disk; what is discarded outside `inside` is not its business. */
export function operationsOf(step: VolumeStep, at: number, inside: ByteRange): Operation[] {
  const operations: Operation[] = [];
  for (const { from, to, length } of step.copies) {
    operations.push({ op: 'copy', from: at + from, to: at + to, length });
  }
  for (const write of step.writes) operations.push({ op: 'write', at: at + write.at, bytes: write.bytes });
  for (const discard of step.discards) {
    const part = intersection(discard, inside);
    if (part !== undefined) operations.push({ op: 'discard', at: at + part.at, length: part.length });
  }
  return operations;
}
