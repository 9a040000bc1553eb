import type { BlockDevice } from '../device/types.js';
import { writeZerosDevice } from '../device/write-zeros.js';
import type { Disk } from '../disk/types.js';
import type { Journal } from '../execute/journal.js';
import type { DiskFacts } from '../inspect/types.js';
import { DEFAULT_RATES } from '../plan/moves.js';
import type { Plan, ZeroArea, ZeroPlan } from '../plan/types.js';
import { dataIn, unusedRanges } from '../program/unused.js';
import { checkCleared } from '../verify/cleared.js';

/** A copy reads and writes every byte; looking only reads it. */
const READ_BYTES_PER_SECOND = 2 * DEFAULT_RATES.bytesPerSecond;

/** The plan with what there is to look at, as the disk says. What a volume refuses is refused here. */
export async function completeZero(
  device: BlockDevice,
  facts: DiskFacts,
  plan: Plan,
  zero: ZeroPlan,
  signal: AbortSignal,
): Promise<Plan> {
  const areas: ZeroArea[] = [];
  for (const area of zero.areas) areas.push(await measured(device, facts, area, signal));
  const bytesToRead = areas.reduce((sum, area) => sum + (area.bytesToRead ?? 0), 0);
  const done = bytesToRead === 0 ? ({ status: 'nothing-to-do', fixups: [] } as const) : {};
  return {
    ...plan,
    ...done,
    zero: { ...zero, areas },
    estimatedSeconds: Math.round((bytesToRead / READ_BYTES_PER_SECOND) * 10) / 10,
  };
}

async function measured(
  device: BlockDevice,
  facts: DiskFacts,
  area: ZeroArea,
  signal: AbortSignal,
): Promise<ZeroArea> {
  let bytes = 0;
  let bytesToRead = 0;
  const counted = async function* () {
    for await (const range of unusedRanges(device, facts, area)) {
      signal.throwIfAborted();
      bytes += range.length;
      yield range;
    }
  };
  for await (const { length } of dataIn(device, counted())) bytesToRead += length;
  return { ...area, bytes, bytesToRead };
}

/** True when all was looked at and nothing of it has to be cleared. */
export const isCleared = ({ zero }: Plan): boolean =>
  zero?.areas.every(({ bytesToClear }) => bytesToClear === 0) === true;

/** The disk as a run is to change it: with `--no-punch` a discard writes zeros. */
export function asPlanned(disk: Disk, { zero }: Plan): Disk {
  return zero === undefined || zero.punch ? disk : { ...disk, device: writeZerosDevice(disk.device) };
}

/** Reads back everything that the program of a `zero` discards. */
export async function verifyCleared(journal: Journal, device: BlockDevice): Promise<void> {
  if (journal.header.plan.zero === undefined) return;
  const discarded = async function* () {
    for await (const { phase } of journal.phases({ phase: 0, offset: 0 })) {
      for (const operation of phase.operations) if (operation.op === 'discard') yield operation;
    }
  };
  await checkCleared(device, discarded());
}
