import { formatExactSize, formatSize } from '../core/size.js';
import { alignUp } from '../core/units.js';
import { LEFT_ALONE } from '../plan/sizes.js';
import { matchesPattern } from './pattern.js';
import { resolveSettings } from './resolve.js';
import type { Profile, Resolved, SettingName, Settings, Subject, SubjectPartition } from './types.js';

/** One number of a target and the rule that gave it. */
export interface Because {
  readonly setting: SettingName;
  readonly value: string;
  readonly source: string;
}

/** What a profile wants of one partition. Sizes are bytes. */
export interface PartitionTarget {
  readonly number: number;
  readonly action: 'shrink' | 'enlarge' | 'keep';
  readonly sizeBytes: number;
  /** The size wanted; today's where nothing is to be done. A multiple of the boundary, unless kept. */
  readonly wantedBytes: number;
  readonly align: boolean;
  readonly boundaryBytes: number;
  /** It must neither move nor change its size. */
  readonly untouched: boolean;
  /** Bytes its use grows by in a month: of the profile, or measured. */
  readonly growthPerMonth: number | null;
  /** One sentence: how the size came about, or why nothing is done. */
  readonly why: string;
  readonly because: readonly Because[];
}

/** Measured growth of a partition's use in bytes a month; null where there are too few scans. */
export type MeasuredGrowth = (number: number) => number | null;

/** Targets for all partitions that hold data, in order of their place: pure, equal input gives equal targets. */
export function partitionTargets(
  profile: Profile,
  subject: Subject,
  measured: MeasuredGrowth = () => null,
  options: Partial<Settings> = {},
): PartitionTarget[] {
  return subject.partitions
    .filter(({ kind }) => kind !== 'extended')
    .sort((a, b) => a.startBytes - b.startBytes)
    .map((partition) =>
      partitionTarget(
        partition,
        resolveSettings(profile, subject, partition, options),
        measured(partition.number),
      ),
    );
}

function partitionTarget(
  partition: SubjectPartition,
  resolved: Resolved,
  measured: number | null,
): PartitionTarget {
  const { settings } = resolved;
  const { number, sizeBytes } = partition;
  const untouched = isUntouched(partition, settings);
  const growthPerMonth = settings.growthPerMonth === 'measured' ? measured : settings.growthPerMonth;
  const { action, wantedBytes, why } = untouched
    ? keep(partition, 'the profile says that it is never touched')
    : wanted(partition, resolved, Math.max(0, growthPerMonth ?? 0));
  return {
    number,
    action,
    sizeBytes,
    wantedBytes,
    align: settings.align && !untouched && !settings.doNotAlign.includes(number),
    boundaryBytes: settings.boundaryBytes,
    untouched,
    growthPerMonth: measured ?? (settings.growthPerMonth === 'measured' ? null : settings.growthPerMonth),
    why,
    because: reasons(resolved, untouched),
  };
}

type Decision = Pick<PartitionTarget, 'action' | 'wantedBytes' | 'why'>;

const keep = ({ sizeBytes }: SubjectPartition, why: string): Decision => ({
  action: 'keep',
  wantedBytes: sizeBytes,
  why,
});

function isUntouched({ number, filesystem }: SubjectPartition, { untouched }: Settings): boolean {
  const label = filesystem?.label ?? null;
  return untouched.some((each) =>
    typeof each === 'number' ? each === number : label !== null && matchesPattern(label, each),
  );
}

function wanted(partition: SubjectPartition, resolved: Resolved, growthPerMonth: number): Decision {
  const { settings, sources } = resolved;
  const { filesystem, sizeBytes, type } = partition;
  const usedBytes = filesystem?.usedBytes ?? null;
  if (filesystem === null || usedBytes === null) return keep(partition, 'its use is not known');
  if (LEFT_ALONE.has(type.toLowerCase()))
    return keep(partition, 'firmware or the guest counts on it as it is');
  const needed = usedBytes + Math.round(growthPerMonth * settings.growthMonths);
  const worth = Math.max(settings.worthBytes, (sizeBytes * settings.worthPercent) / 100);
  const target = sizeWith(needed, settings, filesystem.minimumBytes);
  if (sizeBytes - target.sizeBytes >= worth) {
    if (!settings.shrink) return keep(partition, 'the profile does not shrink it');
    if (!filesystem.canShrink || filesystem.minimumBytes === null)
      return keep(partition, `${filesystem.kind} cannot be shrunk`);
    return { action: 'shrink', wantedBytes: target.sizeBytes, why: sumText(usedBytes, needed, target) };
  }
  // The built-in least of free bytes is what a shrink leaves; a small volume below it is not running low.
  const low = sources.freeBytes === 'built-in' ? { ...settings, freeBytes: 0 } : settings;
  const larger = sizeWith(needed, low, null);
  if (larger.sizeBytes - sizeBytes >= worth) {
    if (!settings.enlarge) return keep(partition, 'the profile does not enlarge it');
    if (!filesystem.canEnlarge) return keep(partition, `${filesystem.kind} cannot be enlarged`);
    return { action: 'enlarge', wantedBytes: larger.sizeBytes, why: sumText(usedBytes, needed, larger) };
  }
  return keep(partition, `${sumText(usedBytes, needed, target)}: the difference is not worth a change`);
}

interface Sum {
  readonly sizeBytes: number;
  readonly free: number;
  readonly atMinimum: boolean;
}

/** Bytes that are needed and free ones beside them, on a boundary, and never below the minimum. */
function sizeWith(needed: number, settings: Settings, minimumBytes: number | null): Sum {
  const free = freeBytes(needed, settings);
  const least = minimumBytes ?? 0;
  const atMinimum = least > needed + free;
  return { sizeBytes: alignUp(Math.max(needed + free, least), settings.boundaryBytes), free, atMinimum };
}

function sumText(usedBytes: number, needed: number, { free, atMinimum }: Sum): string {
  const growth = needed === usedBytes ? '' : `${formatSize(needed - usedBytes)} growth + `;
  const floor = atMinimum ? ', at its minimum' : '';
  return `${formatSize(usedBytes)} used + ${growth}${formatSize(free)} free${floor}`;
}

/** Bytes to keep free beside `needed` bytes in use: percent are of the new size, as `--free` counts them. */
function freeBytes(needed: number, { freePercent, freeBytes: least }: Settings): number {
  return Math.max(Math.ceil((needed * freePercent) / (100 - freePercent)), least);
}

function reasons({ settings, sources }: Resolved, untouched: boolean): Because[] {
  const told: SettingName[] = untouched
    ? ['untouched']
    : [
        'freePercent',
        'freeBytes',
        'growthPerMonth',
        'growthMonths',
        'boundaryBytes',
        'worthBytes',
        'worthPercent',
      ];
  const switches = (['shrink', 'enlarge', 'align', 'doNotAlign'] as const).filter(
    (name) => !sources[name].startsWith('built-in'),
  );
  return [...told, ...switches].map((setting) => ({
    setting,
    value: valueText(setting, settings[setting]),
    source: sources[setting],
  }));
}

const IN_BYTES: ReadonlySet<SettingName> = new Set(['freeBytes', 'growthPerMonth', 'worthBytes']);
const IN_PERCENT: ReadonlySet<SettingName> = new Set(['freePercent', 'worthPercent']);

function valueText(name: SettingName, value: Settings[SettingName]): string {
  if (name === 'boundaryBytes' && typeof value === 'number') return formatExactSize(value);
  if (typeof value === 'number' && IN_BYTES.has(name)) return formatSize(value);
  if (IN_PERCENT.has(name)) return `${value} %`;
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  return Array.isArray(value) ? value.join(', ') : String(value);
}
