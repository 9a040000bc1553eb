import { conflict, VmreclaimError } from '../../core/errors.js';
import { shellQuote } from '../../core/text.js';
import { openSource } from '../../disk/open.js';
import type { DiskSource } from '../../disk/types.js';
import type { FilesystemState } from '../../formats/types.js';
import { inspectDisk } from '../../inspect/inspect.js';
import type { DiskFacts, PartitionFacts } from '../../inspect/types.js';
import { makePlan } from '../../plan/plan.js';
import type { OpenOptions } from '../open.js';
import { withDisk } from '../open.js';
import { planDisk, type Wish } from '../plan.js';
import { asIfOff, isUnfinished, type Machine } from './machine.js';
import type { DiskForecast } from './types.js';

/** What a file system that is mounted looks like from outside. A clean shutdown ends all of it. */
const IN_USE: readonly string[] = ['ntfs-dirty', 'ntfs-log-unclean', 'ext-needs-recovery', 'ext-dirty'];

const MOUNTED: readonly FilesystemState[] = ['dirty', 'needs-recovery'];

/**
 * What is expected to become of each disk. Of a machine that is off it is the plan itself. Of one that runs it is an estimate,
 * from what the file systems have in use; what would be refused for another reason than that it runs is refused here, while
 * nothing was switched off.
 */
export async function forecastDisks(
  machine: Machine,
  runs: boolean,
  wish: Wish,
  options: OpenOptions,
  signal: AbortSignal,
): Promise<DiskForecast[]> {
  const forecasts: DiskForecast[] = [];
  for (const disk of machine.disks) {
    signal.throwIfAborted();
    const source = await openSource(machine.store, disk, options);
    if (isUnfinished(source)) forecasts.push(await unfinished(source, runs));
    else if (runs) forecasts.push(await estimate(asIfOff(source), wish));
    else forecasts.push({ disk, plan: (await planDisk(disk, wish, options, signal)).plan, note: null });
  }
  return forecasts;
}

async function unfinished(source: DiskSource, runs: boolean): Promise<DiskForecast> {
  if (runs) {
    throw conflict('running', 'the virtual machine runs, and one of its disks is half-changed', {
      path: source.path,
      hint: `power it off at once, and do not start it before: vmreclaim resume ${shellQuote(source.path)}`,
    });
  }
  return { disk: source.path, plan: null, note: 'a run on it did not end: it is finished first' };
}

async function estimate(source: DiskSource, wish: Wish): Promise<DiskForecast> {
  const unknown = (note: string): DiskForecast => ({ disk: source.path, plan: null, note });
  try {
    // Nothing is measured: that walks volumes which somebody changes meanwhile.
    const look = () =>
      withDisk(source, { writable: false }, (disk) => inspectDisk(disk, { forChange: true }));
    const facts = asUnmounted(await look());
    const request = wish.request(facts);
    if (request.free?.kind === 'minimum') return unknown('its smallest size is worked out when it is off');
    return { disk: source.path, plan: makePlan(facts, request), note: null };
  } catch (error) {
    if (!(error instanceof VmreclaimError)) throw error;
    // A file that the host has open, or metadata in the middle of a change.
    if (error.family !== 'device' && error.family !== 'damaged') throw error;
    return unknown('it cannot be looked at while the virtual machine runs');
  }
}

/** The facts as they are expected to be behind a clean shutdown. */
function asUnmounted(facts: DiskFacts): DiskFacts {
  return { ...facts, partitions: facts.partitions.map(unmounted) };
}

function unmounted(partition: PartitionFacts): PartitionFacts {
  const { filesystem } = partition;
  if (filesystem === null) return partition;
  const isLasting = ({ code }: { readonly code: string }): boolean => !IN_USE.includes(code);
  const reasons = filesystem.reasons.filter(isLasting);
  const move = { ...filesystem.move, blockers: filesystem.move.blockers.filter(isLasting) };
  const state = reasons.length === 0 && MOUNTED.includes(filesystem.state) ? 'clean' : filesystem.state;
  return { ...partition, filesystem: { ...filesystem, state, reasons, move } };
}
