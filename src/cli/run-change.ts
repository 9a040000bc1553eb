import { readFile } from 'node:fs/promises';
import { changeDisk } from '../app/change.js';
import { abandonRecord, type RecordContext, runRecord } from '../app/history.js';
import { type Outcome, runResult } from '../app/outcome.js';
import { measureNone, planDisk, requestFromPlan, type Wish } from '../app/plan.js';
import { punchOnHost } from '../app/punch.js';
import { goOn } from '../app/resume.js';
import { sayingStartOwed } from '../app/run/owed.js';
import type { Services } from '../app/services.js';
import { usageError } from '../core/errors.js';
import type { RunRecord } from '../history/types.js';
import type { DiskFacts } from '../inspect/types.js';
import { type FreeRule, type LayoutRequest, layoutRequest, type Plan } from '../plan/types.js';
import { EXIT_DONE } from '../report/error.js';
import { renderExplanation } from '../report/explain.js';
import { toJson } from '../report/json.js';
import { renderPlan } from '../report/plan-table.js';
import { type RunResult, renderRunResult } from '../report/run-result.js';
import { askToGoOn } from './confirm.js';
import type {
  ChangeFlags,
  CommonOptions,
  LayoutFlags,
  MoveFlags,
  PlanFlags,
  PlanFor,
  ZeroFlags,
} from './options.js';
import { peakMemoryBytes } from './peak-memory.js';
import type { ProfileWish } from './profile-wish.js';
import { type Progress, startProgress } from './progress.js';
import { recorded } from './record.js';
import { openOptions } from './remote.js';
import { printDropped } from './run-abandon.js';
import type { Surroundings } from './surroundings.js';
import { printData, printTalk, renderOptions } from './terminal.js';

/** What the options ask for. Without a rule and sizes shrink and enlarge go by the advised free space. */
function layoutWish(command: PlanFor, flags: LayoutFlags): Wish {
  const { size: sizes = [], partition: only = [] } = flags;
  const free = freeRule(command, flags);
  const request = layoutRequest({
    command,
    boundaryBytes: flags.boundary,
    cylinders: flags.cylinders === true,
    doNotAlign: flags.doNotAlign ?? [],
    only,
    grow: flags.grow === true,
    diskSizeBytes: flags.diskSize ?? null,
    sizes,
    free,
    dropShadowCopies: flags.dropShadowCopies === true,
    scheduleChkdsk: flags.scheduleChkdsk === true,
    allocate: flags.allocate ?? 'sparse',
    skipBootFixups: flags.skipBootFixups ?? [],
  });
  const isNamed = (number: number) => sizes.some((size) => size.number === number || size.number === null);
  const byRule = (number: number) => free !== null && (only.length === 0 || only.includes(number));
  const measure: Wish['measure'] = ({ number }) =>
    command === 'enlarge' ? isNamed(number) : isNamed(number) || byRule(number);
  return { request: () => request, measure, repair: flags.repair === true };
}

function freeRule(command: PlanFor, { free, min, size, diskSize }: LayoutFlags): FreeRule | null {
  if (min === true && command === 'enlarge') {
    throw usageError('command-line', '--min makes file systems smaller', { hint: 'use shrink, or --free' });
  }
  if (min === true) return { kind: 'minimum' };
  if (free !== undefined) return free;
  const isTold = size !== undefined || (command === 'enlarge' && diskSize !== undefined);
  return command === 'align' || isTold ? null : { kind: 'default' };
}

export async function runPlan(disk: string, flags: PlanFlags, around: Surroundings): Promise<void> {
  const resizes = flags.size !== undefined || flags.free !== undefined || flags.min === true;
  const wish = await wishOf(flags.for ?? (resizes ? 'shrink' : null), flags);
  if (flags.explain === true && !('targets' in wish)) {
    throw usageError('command-line', '--explain says what the rules of a --profile come to');
  }
  const { plan } = await planDisk(
    disk,
    { ...wish, safetyCopy: flags.safetyCopy === true },
    openOptions(flags, around.signals.signal),
    around.signals.signal,
  );
  const targets = flags.explain === true && 'targets' in wish ? wish.targets() : undefined;
  const options = renderOptions(process.stdout, flags);
  const explained = targets === undefined ? '' : `\n${renderExplanation(targets, options)}`;
  if (flags.json === true) printData(toJson(targets === undefined ? plan : { ...plan, targets }), flags);
  else printData(renderPlan(plan, options).text + explained, flags);
}

/** The wish of a command: of the options alone, or of a profile below them. */
export async function wishOf(command: PlanFor | null, flags: LayoutFlags): Promise<Wish | ProfileWish> {
  const base = layoutWish(command ?? 'align', flags);
  if (flags.profile === undefined) return base;
  const [{ loadProfile }, { profileWish }, { growthMeter }] = await Promise.all([
    import('./profile-source.js'),
    import('./profile-wish.js'),
    import('./run-history.js'),
  ]);
  const profile = await loadProfile(flags.profile);
  const meter = await growthMeter();
  return profileWish(command, flags, base, profile, (disk) => (number) => meter.perMonth(disk, number));
}

type ResizeFlags = ChangeFlags & LayoutFlags;

export const runAlign = async (disk: string, flags: ResizeFlags, around: Surroundings): Promise<void> =>
  runChange(disk, await wishOf('align', flags), 'align', flags, around);

export const runShrink = async (disk: string, flags: ResizeFlags, around: Surroundings): Promise<void> =>
  runChange(disk, await wishOf('shrink', flags), 'shrink', flags, around);

export const runEnlarge = async (disk: string, flags: ResizeFlags, around: Surroundings): Promise<void> =>
  runChange(disk, await wishOf('enlarge', flags), 'enlarge', flags, around);

export async function runMoveExtents(disk: string, flags: MoveFlags, around: Surroundings): Promise<void> {
  const request = await moveRequest(flags);
  await runChange(
    disk,
    { request, measure: measureNone, repair: flags.repair === true },
    'move-extents',
    flags,
    around,
  );
}

async function moveRequest(flags: MoveFlags): Promise<(facts: DiskFacts) => LayoutRequest> {
  if ((flags.plan === undefined) === (flags.to === undefined)) {
    throw usageError('move-target', 'move-extents needs either --plan FILE or --to N=LBA');
  }
  const { skipBootFixups = [] } = flags;
  if (flags.plan !== undefined) {
    // The validator is a third of all code: loaded only for this.
    const { parsePlan } = await import('../plan/plan-file.js');
    const plan = parsePlan(await readPlanFile(flags.plan));
    return (facts) => {
      const request = requestFromPlan(plan, facts);
      return { ...request, skipBootFixups: [...request.skipBootFixups, ...skipBootFixups] };
    };
  }
  const targets = (flags.to ?? []).map((target) => ({ ...target, sectorCount: null, ebrLba: null }));
  const { boundary: boundaryBytes, grow = false } = flags;
  return () => layoutRequest({ command: 'move-extents', boundaryBytes, targets, grow, skipBootFixups });
}

async function readPlanFile(path: string): Promise<string> {
  try {
    return await readFile(path === '-' ? '/dev/stdin' : path, 'utf8');
  } catch (error) {
    throw usageError('plan-file', `the plan file cannot be read: ${path}`, { cause: error });
  }
}

export async function runZero(disk: string, flags: ZeroFlags, around: Surroundings): Promise<void> {
  const request = layoutRequest({
    command: 'zero',
    only: flags.partition ?? [],
    zero: {
      gapsOnly: flags.gapsOnly === true,
      swap: flags.swap === true,
      pagefile: flags.pagefile === true,
      punch: flags.punch,
    },
  });
  await runChange(disk, { request: () => request, measure: measureNone }, 'zero', flags, around);
}

async function runChange(
  disk: string,
  wish: Wish,
  command: RunResult['command'],
  flags: ChangeFlags,
  around: Surroundings,
): Promise<void> {
  const dryRun = flags.dryRun === true;
  const options = { ...openOptions(flags, around.signals.signal), dryRun };
  const wanted = { ...wish, safetyCopy: flags.safetyCopy === true };
  const result = await recordedRun({ command, disk }, flags, around, () =>
    withServices(flags, around, true, async (services) =>
      punchOnHost(await changeDisk(disk, wanted, options, services), disk, options, services.signal),
    ),
  );
  printResult(result, command, flags, around);
}

export async function runResume(disk: string, flags: CommonOptions, around: Surroundings): Promise<void> {
  const what = { command: 'resume', disk } as const;
  const options = openOptions(flags, around.signals.signal);
  const work = () =>
    withServices(flags, around, false, (services) =>
      sayingStartOwed(disk, options, async () => {
        const ended = await goOn(disk, options, services);
        return 'restored' in ended ? ended : punchOnHost(ended, disk, options, services.signal);
      }),
    );
  const ended = await recorded(what, flags, around, work, (value, context, seconds) =>
    'restored' in value
      ? abandonRecord('resume', value, seconds, context)
      : recordOf(value, what.command, context),
  );
  if ('restored' in ended) printDropped('resume', ended, flags, around);
  else printResult(ended, 'resume', flags, around);
}

/** Runs, and leaves a record of it in the history. */
function recordedRun(
  what: { readonly command: RunResult['command']; readonly disk: string },
  flags: CommonOptions,
  around: Surroundings,
  work: () => Promise<Outcome>,
): Promise<Outcome> {
  return recorded(what, flags, around, work, (value, context) => recordOf(value, what.command, context));
}

const recordOf = (value: Outcome, command: RunResult['command'], context: RecordContext): RunRecord =>
  runRecord(runResult(value, command), value.before.vm?.name ?? null, EXIT_DONE, context);

export function printResult(
  value: Outcome,
  command: RunResult['command'],
  flags: CommonOptions,
  around: Surroundings,
): void {
  const result = runResult(value, command);
  const { text, exitCode } = renderRunResult(result, renderOptions(process.stdout, flags));
  printData(flags.json === true ? toJson(result) : text, flags);
  around.setExitCode(exitCode);
}

/** What every command that changes disks gets from its surroundings. */
export function baseServices({ version, signals }: Surroundings): Omit<Services, 'confirm' | 'onProgress'> {
  return {
    version,
    now: Date.now,
    random: Math.random,
    peakMemoryBytes,
    signal: signals.signal,
    onInFlight: (disk) => signals.setInFlight(disk),
  };
}

async function withServices<T>(
  flags: ChangeFlags,
  around: Surroundings,
  asks: boolean,
  work: (services: Services) => Promise<T>,
): Promise<T> {
  let progress: Progress | undefined;
  const services: Services = {
    ...baseServices(around),
    confirm: async (plan) => {
      showPlan(plan, flags);
      const yes = await askToGoOn('Go on?', flags.yes === true, around.signals.signal);
      if (yes) progress ??= await startProgress(flags.progress, flags.quiet === true);
      return yes;
    },
    onProgress: (event) => progress?.update(event),
  };
  // Otherwise progress begins behind the question.
  if (!asks || flags.dryRun === true) progress = await startProgress(flags.progress, flags.quiet === true);
  return work(services).finally(() => progress?.end());
}

/** Before the question, so on stderr: stdout is for the result. */
export function showPlan(plan: Plan, flags: CommonOptions): void {
  // Together with --json a program may read stderr: it gets the error document alone.
  if (flags.quiet === true || (flags.json === true && process.stderr.isTTY !== true)) return;
  printTalk(renderPlan(plan, renderOptions(process.stderr, flags)).text);
}
