import { VmreclaimError } from '../core/errors.js';
import { lba } from '../core/units.js';
import type { DiskFacts, PartitionFacts } from '../inspect/types.js';
import { layOut } from '../plan/lay-out.js';
import { type LayoutRequest, layoutRequest } from '../plan/types.js';
import type { PartitionTarget } from './target.js';
import type { Settings, Subject, SubjectPartition } from './types.js';

/** A partition as it would be: its place and size in bytes. */
export interface PlannedPartition extends PartitionTarget {
  readonly startBytes: number;
  readonly plannedStartBytes: number;
}

/** A disk as it would be. */
export interface PlannedDisk {
  readonly sizeBytes: number;
  readonly partitions: readonly PlannedPartition[];
}

/** The command that brings a disk to its targets. What shrinks and grows at once is a shrink that may grow. */
export function commandFor(targets: readonly PartitionTarget[], cuts: boolean): LayoutRequest['command'] {
  if (cuts || targets.some(({ action }) => action === 'shrink')) return 'shrink';
  return targets.some(({ action }) => action === 'enlarge') ? 'enlarge' : 'align';
}

/** What the planner is asked for, for these targets and no others. */
export function requestFor(
  command: LayoutRequest['command'],
  targets: readonly PartitionTarget[],
  { boundaryBytes, doNotAlign }: Pick<Settings, 'boundaryBytes' | 'doNotAlign'>,
): LayoutRequest {
  const numbers = (wanted: (target: PartitionTarget) => boolean) =>
    targets.filter(wanted).map(({ number }) => number);
  return layoutRequest({
    command,
    boundaryBytes,
    doNotAlign: [...new Set([...doNotAlign, ...numbers(({ align }) => !align)])],
    pinned: numbers(({ untouched }) => untouched),
    grow: targets.some(({ action }) => action === 'enlarge'),
    sizes: targets
      .filter(({ action }) => action !== 'keep')
      .map(({ number, wantedBytes }) => ({ number, sizeBytes: wantedBytes })),
  });
}

/**
 * Where the planner would put everything. Nothing is cut, and nothing added, unless a file system changes its size or
 * what lies unallocated at the end is worth it by itself. What cannot be laid out stays as it is.
 */
export function placeTargets(
  subject: Subject,
  targets: readonly PartitionTarget[],
  settings: Settings,
): PlannedDisk {
  if (targets.length === 0) return { sizeBytes: subject.sizeBytes, partitions: [] };
  const worth = Math.max(settings.worthBytes, (subject.sizeBytes * settings.worthPercent) / 100);
  const changes = targets.some(({ action }) => action !== 'keep');
  if (!changes && settings.shrink) {
    const cut = tryLayOut(subject, targets, settings, true);
    if (subject.sizeBytes - cut.sizeBytes >= worth) return cut;
  }
  return tryLayOut(subject, targets, settings, false);
}

function tryLayOut(
  subject: Subject,
  targets: readonly PartitionTarget[],
  settings: Settings,
  cuts: boolean,
): PlannedDisk {
  const facts = layoutFacts(subject);
  const request = requestFor(commandFor(targets, cuts), targets, settings);
  const sizes = new Map(request.sizes.map(({ number, sizeBytes }) => [number ?? 0, sizeBytes]));
  const starts = new Map(subject.partitions.map(({ number, startBytes }) => [number, startBytes]));
  try {
    const { sizeBytes, places } = layOut(facts, request, sizes);
    const partitions = targets.map((target) => {
      const place = places.get(target.number);
      return {
        ...target,
        startBytes: starts.get(target.number) ?? 0,
        plannedStartBytes: (place?.startLba ?? 0) * subject.sectorSize,
      };
    });
    return { sizeBytes, partitions };
  } catch (error) {
    if (!(error instanceof VmreclaimError)) throw error;
    const stay = targets.map((target) => {
      const startBytes = starts.get(target.number) ?? 0;
      return { ...target, wantedBytes: target.sizeBytes, startBytes, plannedStartBytes: startBytes };
    });
    return { sizeBytes: subject.sizeBytes, partitions: stay };
  }
}

/** A GPT of the usual 128 entries of 128 bytes, and what cylinders are when nobody says. */
const GPT_ENTRIES = { entryCount: 128, entrySize: 128 };
const GEOMETRY = { heads: 255, sectorsPerTrack: 63 };

/**
 * As much of the facts of a disk as the layout looks at. A saved scan does not say where EBRs are and how a table is
 * made, so the usual is taken; the plan, which sees the disk, decides.
 */
function layoutFacts(subject: Subject): DiskFacts {
  const { sizeBytes, sectorSize, table, path } = subject;
  const tableSectors = 1 + Math.ceil((GPT_ENTRIES.entryCount * GPT_ENTRIES.entrySize) / sectorSize);
  const isGpt = table === 'gpt';
  const end = Math.floor(sizeBytes / sectorSize) - (isGpt ? tableSectors : 0);
  return {
    path,
    createType: 'raw',
    sizeBytes,
    allocatedBytes: null,
    sectorSize,
    table,
    mbr: null,
    // Only the size of the entries is looked at.
    gpt: isGpt ? (GPT_ENTRIES as DiskFacts['gpt']) : null,
    geometry: GEOMETRY,
    usable: { first: lba(isGpt ? 1 + tableSectors : 1), end: lba(end) },
    partitions: subject.partitions.map((partition) => partitionFacts(partition, subject)),
    identity: { sizeBytes, contentId: null, diskId: null, tableChecksum: 0 },
    vm: null,
    guest: null,
    boot: [],
    changeTracking: false,
    storeCopies: false,
    windowBytes: null,
    shiftBlockBytes: null,
    sharesBlocks: false,
    thinOnVmfs: false,
    state: subject.state,
    reasons: [],
    warnings: [],
  };
}

function partitionFacts(partition: SubjectPartition, subject: Subject): PartitionFacts {
  const { number, kind, type, startLba, sectorCount, filesystem } = partition;
  return {
    number,
    kind,
    type,
    typeName: type,
    active: false,
    startLba: lba(startLba),
    sectorCount,
    ebrLba: kind === 'logical' ? lba(ebrBefore(partition, subject)) : null,
    filesystem:
      filesystem === null
        ? null
        : {
            ...filesystem,
            serial: null,
            freeBytes: null,
            state: 'clean',
            reasons: [],
            move: { blockers: [], copies: 'all', toleratesLargerPartition: true },
          },
  };
}

/** The first EBR is the first sector of the container; the others lie as far before their logicals as the first does. */
function ebrBefore(logical: SubjectPartition, { partitions }: Subject): number {
  const container = partitions.find(({ kind }) => kind === 'extended');
  const logicals = partitions.filter(({ kind }) => kind === 'logical').map(({ startLba }) => startLba);
  const first = Math.min(...logicals);
  const gap = container === undefined ? 1 : Math.max(1, first - container.startLba);
  return logical.startLba - gap;
}
