import { damaged, type Reason, refused, unsupported, usageError } from '../core/errors.js';
import { formatSize } from '../core/size.js';
import { GIB, MIB } from '../core/units.js';
import type { Blocker, DiskFacts, PartitionFacts } from '../inspect/types.js';
import { cylinderSectors } from './cylinders.js';
import type { FreeRule, LayoutRequest } from './types.js';

/** What `--free` is when nobody says: a tenth of the new size, this much at the least. */
const DEFAULT_FREE_SHARE = 0.1;
const DEFAULT_FREE_BYTES = GIB;
/** Of counting what maps need for what they need themselves. */
const MAX_ROUNDS = 20;
/** A rule does not change a file system by less: disks are cut to whole MiB. */
const LEAST_CHANGE_BYTES = MIB;

/** Nor by less than an end may be rounded up by: else the next run would take back what this one gave. */
function leastChange({ geometry, sectorSize }: DiskFacts, request: LayoutRequest): number {
  const onCylinders = request.cylinders || request.doNotAlign.length > 0;
  const cylinder = onCylinders ? cylinderSectors(geometry) * sectorSize : 0;
  return Math.max(LEAST_CHANGE_BYTES, request.boundaryBytes, cylinder);
}

/**
 * What rules leave alone, because firmware or the guest's recovery made it and counts on it: EFI system, Microsoft
 * reserved, Windows recovery (MBR 0x27), diagnostics (0x12). By name they can be resized like all others.
 */
export const LEFT_ALONE: ReadonlySet<string> = new Set([
  '0x12',
  '0x27',
  '0xef',
  'c12a7328-f81f-11d2-ba4b-00a0c93ec93b',
  'e3c9e316-0b5c-4db8-817d-f92df00215ae',
  'de94bba4-06d1-4d40-a16a-bfd50179d6ac',
]);

/** Wanted sizes of partitions whose file systems are to be resized, in bytes by number, and what to know about them. */
export interface TargetSizes {
  readonly bytes: ReadonlyMap<number, number>;
  readonly warnings: readonly Reason[];
}

/**
 * The sizes that a request comes to. Sizes by name count before the rule of `free`, which leaves alone what cannot be
 * resized and what it would only change the wrong way. Throws Usage for what makes no sense, Refused, Unsupported or
 * Damaged for a volume that must not be resized.
 */
export function targetSizes(facts: DiskFacts, request: LayoutRequest): TargetSizes {
  const bytes = new Map<number, number>();
  const warnings: Reason[] = [];
  const named = new Map(request.sizes.map(({ number, sizeBytes }) => [numberOf(facts, number), sizeBytes]));
  if (named.size < request.sizes.length) {
    throw usageError('size-twice', 'a partition has two sizes', { hint: 'give each partition one --size' });
  }
  for (const partition of facts.partitions) {
    if (partition.kind === 'extended') continue;
    const wanted = named.get(partition.number);
    const target =
      wanted === undefined
        ? bySizeRule(facts, request, partition, warnings)
        : bySize(facts, partition, wanted, warnings);
    if (target !== undefined) bytes.set(partition.number, target);
  }
  return { bytes, warnings };
}

const sizeOf = (facts: DiskFacts, partition: PartitionFacts): number =>
  partition.sectorCount * facts.sectorSize;

/** True for what a rule may resize, in the direction of the command. */
export function isCandidate(
  request: Pick<LayoutRequest, 'command' | 'only'>,
  partition: PartitionFacts,
): boolean {
  const { resizing, type, number } = partition;
  if (request.only.length > 0 ? !request.only.includes(number) : LEFT_ALONE.has(type.toLowerCase()))
    return false;
  return request.command === 'enlarge' ? resizing?.canEnlarge === true : resizing?.canShrink === true;
}

/** The partition that a size without a number means. */
function numberOf({ partitions }: DiskFacts, number: number | null): number {
  if (number !== null) return number;
  const able = partitions.filter((partition) => isCandidate({ command: 'enlarge', only: [] }, partition));
  const [only] = able;
  if (only !== undefined && able.length === 1) return only.number;
  const numbers = able.map((partition) => partition.number).join(', ');
  throw usageError('size-without-number', 'the size does not say which partition it is for', {
    hint:
      able.length === 0
        ? 'no partition of this disk can be resized'
        : `say --size N=SIZE; can be resized: ${numbers}`,
  });
}

function bySize(
  facts: DiskFacts,
  partition: PartitionFacts,
  wanted: number,
  warnings: Reason[],
): number | undefined {
  const today = sizeOf(facts, partition);
  if (wanted === today) return undefined;
  requireResizable(partition, wanted < today ? 'shrink' : 'enlarge');
  const minimum = partition.resizing?.minimum ?? null;
  if (wanted > today || minimum === null) return wanted;
  if (wanted < minimum.technicalBytes) {
    const { number } = partition;
    throw refused('below-minimum', `partition ${number} cannot become as small as ${formatSize(wanted)}`, {
      expected: `at least ${minimum.technicalBytes} bytes (${formatSize(minimum.technicalBytes)})`,
      actual: wanted,
      hint: `choose at least ${formatSize(minimum.recommendedBytes)}, or --min; smaller: delete files in the guest first`,
    });
  }
  warnWhenTight(partition, wanted, warnings);
  return wanted;
}

/** The size by the rule of `free`; undefined where it changes nothing. */
function bySizeRule(
  facts: DiskFacts,
  request: LayoutRequest,
  partition: PartitionFacts,
  warnings: Reason[],
): number | undefined {
  const { free, command } = request;
  if (free === null) return undefined;
  if (!isCandidate(request, partition)) {
    if (request.only.includes(partition.number)) requireResizable(partition, direction(command));
    return undefined;
  }
  const today = sizeOf(facts, partition);
  const used = partition.filesystem?.usedBytes ?? null;
  if (used === null && partition.filesystem?.reasons.length === 0) return undefined;
  requireResizable(partition, direction(command));
  if (used === null) return undefined;
  const byRule =
    command === 'enlarge' ? grownFree(facts, used, free, partition) : withFree(used, free, partition);
  if (command === 'enlarge') return byRule - today >= leastChange(facts, request) ? byRule : undefined;
  const minimum = partition.resizing?.minimum ?? null;
  const target = Math.max(byRule, minimum?.technicalBytes ?? 0);
  if (today - target < leastChange(facts, request)) return undefined;
  warnWhenTight(partition, target, warnings);
  return target;
}

const direction = (command: LayoutRequest['command']) => (command === 'enlarge' ? 'enlarge' : 'shrink');

/** Used bytes with the free ones that the rule wants beside them. */
function withFree(used: number, rule: FreeRule, { resizing }: PartitionFacts): number {
  switch (rule.kind) {
    case 'bytes':
      return used + rule.bytes;
    case 'percent':
      return Math.ceil((used * 100) / (100 - rule.percent));
    case 'default':
      return Math.max(used + DEFAULT_FREE_BYTES, Math.ceil(used / (1 - DEFAULT_FREE_SHARE)));
    case 'minimum':
      return resizing?.minimum?.recommendedBytes ?? Number.MAX_SAFE_INTEGER;
  }
}

/** The same for a volume that grows, and with it its maps and tables: the rule has to hold of the new size. */
function grownFree(facts: DiskFacts, used: number, rule: FreeRule, partition: PartitionFacts): number {
  const plain = withFree(used, rule, partition);
  const cost = partition.resizing?.growthCost;
  const total = partition.filesystem?.totalBytes ?? sizeOf(facts, partition);
  if (cost === undefined || rule.kind === 'minimum') return plain;
  let size = plain;
  // What is added for the maps grows them again, by a part of a part: this ends soon.
  for (let round = 0; round < MAX_ROUNDS && size > total; round++) {
    const own = Math.ceil((size - total) / cost.unitBytes + 1) * cost.ownBytes;
    const next = withFree(used + own, rule, partition);
    if (next <= size) break;
    size = next;
  }
  return size;
}

function warnWhenTight({ number, resizing }: PartitionFacts, target: number, warnings: Reason[]): void {
  const advised = resizing?.minimum?.recommendedBytes ?? 0;
  if (target >= advised) return;
  warnings.push({
    code: 'tight',
    message: `partition ${number} keeps less free space than a guest needs to start and work safely`,
    hint: `advised: ${formatSize(advised)} or more`,
  });
}

const STOPS = { refused, damaged, unsupported } as const;

/**
 * Throws what stands against resizing the volume: Unsupported where its format cannot, Refused or Damaged for the state
 * it is in.
 */
export function requireResizable(partition: PartitionFacts, how: 'shrink' | 'enlarge'): void {
  const { number, filesystem, resizing } = partition;
  const can = how === 'shrink' ? resizing?.canShrink : resizing?.canEnlarge;
  if (can !== true) {
    const what = filesystem === null ? 'holds nothing that is recognised' : `holds ${filesystem.kind}`;
    throw unsupported('cannot-resize', `partition ${number} cannot be resized: it ${what}`, {
      hint: 'it can be moved; resize it with the guest’s own tools',
    });
  }
  const blocker = blockerOf(partition, how);
  if (blocker === undefined) return;
  const rest = `leave it as it is: name the others with --partition`;
  throw STOPS[blocker.family](blocker.code, `partition ${number} cannot be resized: ${blocker.message}`, {
    hint: blocker.hint === undefined ? rest : `${blocker.hint}; or ${rest}`,
  });
}

function blockerOf({ filesystem, resizing }: PartitionFacts, how: 'shrink' | 'enlarge'): Blocker | undefined {
  const [reason] = filesystem?.reasons ?? [];
  if (reason !== undefined) {
    return { ...reason, family: filesystem?.state === 'damaged' ? 'damaged' : 'refused' };
  }
  return how === 'shrink' ? (resizing?.blocker ?? undefined) : resizing?.enlargeBlocker;
}
