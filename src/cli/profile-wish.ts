import type { Wish } from '../app/plan.js';
import { refused, usageError } from '../core/errors.js';
import { MIB } from '../core/units.js';
import type { DiskFacts } from '../inspect/types.js';
import type { LayoutRequest } from '../plan/types.js';
import { advise } from '../profile/advise.js';
import { requestFor } from '../profile/place.js';
import { resolveSettings } from '../profile/resolve.js';
import type { MeasuredGrowth, PartitionTarget } from '../profile/target.js';
import type { Profile, Settings } from '../profile/types.js';
import { diskDocument } from '../report/scan-json.js';
import type { LayoutFlags, PlanFor } from './options.js';

/** What a profile makes of a disk: the wish for the planner, and the targets it came from once facts were seen. */
export interface ProfileWish extends Wish {
  targets(): readonly PartitionTarget[];
}

/** What a profile needs besides the disk: how fast its file systems grow. */
export type GrowthOf = (disk: string) => MeasuredGrowth;

/**
 * The wish of a command with `--profile`. Options count before the profile; sizes by name before everything. Without a
 * command (plan) it is what the profile recommends.
 */
export function profileWish(
  command: PlanFor | null,
  flags: LayoutFlags,
  base: Wish,
  profile: Profile,
  growthOf: GrowthOf,
): ProfileWish {
  if (flags.min === true) {
    throw usageError('command-line', '--min and --profile contradict each other', {
      hint: 'the profile says how much stays free',
    });
  }
  let seen: readonly PartitionTarget[] = [];
  const options = commandLineSettings(flags);
  const request = (facts: DiskFacts): LayoutRequest => {
    const asked = base.request(facts);
    const subject = diskDocument(facts, asked.boundaryBytes);
    const advice = advise(profile, subject, growthOf(facts.path), options);
    const { settings } = resolveSettings(profile, subject, null, options);
    seen = advice.partitions;
    const todo = command ?? advice.actions.find((action) => action !== 'zero') ?? 'align';
    if (command !== null) checkPermitted(command, settings, advice.partitions, asked);
    const targets = command === null ? seen : seen.map((target) => only(command, target));
    return mergedRequest(todo, facts, asked, targets, settings);
  };
  return { request, measure: () => command !== 'enlarge' && command !== 'align', targets: () => seen };
}

/** A command only does what it is named for. */
const only = (command: PlanFor, target: PartitionTarget): PartitionTarget =>
  target.action === command ? target : { ...target, action: 'keep' };

/** The layer of the command line: the strongest. A free space that is asked for is worth any change. */
function commandLineSettings(flags: LayoutFlags): Partial<Settings> {
  const { free, doNotAlign, boundary, boundaryGiven } = flags;
  const anyChange = { worthBytes: MIB, worthPercent: 0 };
  return {
    ...(boundaryGiven === true ? { boundaryBytes: boundary } : {}),
    ...(doNotAlign === undefined ? {} : { doNotAlign }),
    ...(free?.kind === 'percent' ? { freePercent: free.percent, freeBytes: 0, ...anyChange } : {}),
    ...(free?.kind === 'bytes' ? { freePercent: 0, freeBytes: free.bytes, ...anyChange } : {}),
  };
}

/** A profile that says no to a command is not overruled in silence. */
function checkPermitted(
  command: PlanFor,
  settings: Settings,
  targets: readonly PartitionTarget[],
  { sizes }: LayoutRequest,
): void {
  if (settings[command] || sizes.length > 0 || targets.some(({ action }) => action === command)) return;
  throw refused('profile-forbids', `the profile says that this disk is not to be treated with ${command}`, {
    hint: 'change the profile, or leave out --profile',
  });
}

function mergedRequest(
  command: PlanFor,
  facts: DiskFacts,
  base: LayoutRequest,
  targets: readonly PartitionTarget[],
  settings: Settings,
): LayoutRequest {
  const { doNotAlign, pinned, sizes, boundaryBytes, grow } = requestFor(command, targets, settings);
  const named = new Set(base.sizes.map(({ number }) => number));
  const bySize = sizes
    .filter(({ number }) => number !== null && !named.has(number) && !named.has(null))
    .filter(({ number }) => base.only.length === 0 || base.only.includes(number ?? 0))
    .map(({ number, sizeBytes }) => ({ number, sizeBytes: atLeast(facts, number, sizeBytes) }));
  const asked = new Set(base.sizes.flatMap(({ number }) => number ?? []));
  return {
    ...base,
    command,
    boundaryBytes,
    doNotAlign,
    pinned: pinned.filter((number) => !asked.has(number)),
    sizes: [...base.sizes, ...bySize],
    free: null,
    grow: base.grow || grow,
  };
}

/** Never below what was worked out on the volume since the target was set. */
function atLeast({ partitions }: DiskFacts, number: number | null, sizeBytes: number): number {
  const minimum = partitions.find((partition) => partition.number === number)?.resizing?.minimum;
  return Math.max(sizeBytes, minimum?.technicalBytes ?? 0);
}
