import { type PlannedPartition, placeTargets } from './place.js';
import { categoriesOf, resolveSettings } from './resolve.js';
import { type MeasuredGrowth, type PartitionTarget, partitionTargets } from './target.js';
import type { Profile, Settings, Subject, SubjectPartition } from './types.js';

export type AdviceFinding = 'over-allocated' | 'running-low' | 'misaligned';
export type AdviceAction = 'shrink' | 'enlarge' | 'align' | 'zero';

/** What should be done about a disk. Sizes are bytes. */
export interface Advice {
  readonly findings: readonly AdviceFinding[];
  readonly actions: readonly AdviceAction[];
  /** Names of the categories that hold for the disk or for one of its partitions. */
  readonly categories: readonly string[];
  /** Size of the disk afterwards: whole MiB where it changes. */
  readonly plannedBytes: number;
  /** What the disk becomes smaller by; 0 when it does not. */
  readonly savedBytes: number;
  /** What it becomes larger by; 0 when it does not. */
  readonly growthBytes: number;
  readonly partitions: readonly PlannedPartition[];
  /** What its use grows by in a month, and in how many months the first file system is full; null: not known. */
  readonly growthPerMonth: number | null;
  readonly monthsLeft: number | null;
}

/**
 * What a profile recommends for a disk: pure, and asked by scan, plan and report alike, so that they tell the same
 * numbers. Nothing is recommended for a disk whose layout is not known.
 */
export function advise(
  profile: Profile,
  subject: Subject,
  measured: MeasuredGrowth = () => null,
  options: Partial<Settings> = {},
): Advice {
  const known = subject.state === 'ready' || subject.state === 'refused';
  const targets =
    known && subject.table !== 'none' ? partitionTargets(profile, subject, measured, options) : [];
  const { settings } = resolveSettings(profile, subject, null, options);
  const { sizeBytes: plannedBytes, partitions: planned } = placeTargets(subject, targets, settings);
  const misaligned = planned.some(
    ({ startBytes, boundaryBytes, align }) => align && startBytes % boundaryBytes !== 0,
  );
  const shrinks = plannedBytes < subject.sizeBytes || targets.some(({ action }) => action === 'shrink');
  return {
    findings: findings(targets, shrinks, misaligned),
    actions: actions(subject, targets, settings, { shrinks, misaligned }),
    categories: categoryNames(profile, subject),
    plannedBytes,
    savedBytes: Math.max(0, subject.sizeBytes - plannedBytes),
    growthBytes: Math.max(0, plannedBytes - subject.sizeBytes),
    partitions: planned,
    ...growth(subject, targets),
  };
}

const enlarges = (targets: readonly PartitionTarget[]): boolean =>
  targets.some(({ action }) => action === 'enlarge');

function findings(
  targets: readonly PartitionTarget[],
  shrinks: boolean,
  misaligned: boolean,
): AdviceFinding[] {
  return [
    ...(shrinks ? (['over-allocated'] as const) : []),
    ...(enlarges(targets) ? (['running-low'] as const) : []),
    ...(misaligned ? (['misaligned'] as const) : []),
  ];
}

function actions(
  subject: Subject,
  targets: readonly PartitionTarget[],
  settings: Settings,
  { shrinks, misaligned }: { readonly shrinks: boolean; readonly misaligned: boolean },
): AdviceAction[] {
  const used = subject.partitions.reduce((sum, { filesystem }) => sum + (filesystem?.usedBytes ?? 0), 0);
  const zero =
    settings.zero &&
    targets.length > 0 &&
    subject.allocatedBytes !== null &&
    subject.allocatedBytes - used >= settings.worthBytes;
  return [
    ...(shrinks ? (['shrink'] as const) : []),
    ...(enlarges(targets) ? (['enlarge'] as const) : []),
    ...(misaligned ? (['align'] as const) : []),
    ...(zero ? (['zero'] as const) : []),
  ];
}

function categoryNames(profile: Profile, subject: Subject): string[] {
  const places: (SubjectPartition | null)[] = [null, ...subject.partitions];
  const names = places.flatMap((each) => categoriesOf(profile, subject, each).map(({ name }) => name));
  return [...new Set(names)];
}

function growth(
  subject: Subject,
  targets: readonly PartitionTarget[],
): Pick<Advice, 'growthPerMonth' | 'monthsLeft'> {
  const known = targets.filter(({ growthPerMonth }) => (growthPerMonth ?? 0) !== 0);
  if (known.length === 0) return { growthPerMonth: null, monthsLeft: null };
  const byNumber = new Map(subject.partitions.map(({ number, filesystem }) => [number, filesystem]));
  const left = known.flatMap(({ number, growthPerMonth }) => {
    const filesystem = byNumber.get(number);
    if (filesystem?.usedBytes == null || filesystem.totalBytes === null || (growthPerMonth ?? 0) <= 0)
      return [];
    return [(filesystem.totalBytes - filesystem.usedBytes) / (growthPerMonth ?? 1)];
  });
  return {
    growthPerMonth: Math.round(known.reduce((sum, { growthPerMonth }) => sum + (growthPerMonth ?? 0), 0)),
    monthsLeft: left.length === 0 ? null : Math.round(Math.min(...left) * 10) / 10,
  };
}
