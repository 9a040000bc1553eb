import type { Reason } from '../core/errors.js';
import { sum } from '../core/sum.js';
import { lbaToBytes } from '../core/units.js';
import { alignmentBytes, isAligned } from '../inspect/alignment.js';
import type { DiskFacts, PartitionFacts, PartitionKind } from '../inspect/types.js';
import type { Advice } from '../profile/advise.js';
import { errorDocument } from './error.js';
import { minimumOf, reclaimableBytes } from './reclaimable.js';

/** What a scan came to at one path: facts, or what was thrown there. */
export type ScanEntry = { readonly facts: DiskFacts } | { readonly path: string; readonly error: unknown };

export type ScanSort = 'path' | 'reclaimable' | 'size';

export interface ScanInput {
  readonly entries: readonly ScanEntry[];
  /** What "aligned" is judged by. */
  readonly boundaryBytes: number;
  /** `path` when absent; the others put the largest first. */
  readonly sort?: ScanSort;
  /** The file systems that hold the disks, by path; none where the store does not tell. */
  readonly datastores?: readonly DatastoreDocument[];
}

export interface ReasonDocument {
  readonly code: string;
  readonly message: string;
}

export interface FilesystemDocument {
  readonly kind: string;
  readonly label: string | null;
  readonly clusterBytes: number | null;
  readonly totalBytes: number | null;
  readonly usedBytes: number | null;
  readonly freeBytes: number | null;
  readonly minimumBytes: number | null;
  /** Whether this program can resize such a file system; its state may stand against it. */
  readonly canShrink: boolean;
  readonly canEnlarge: boolean;
  readonly state: string;
  readonly reasons: readonly ReasonDocument[];
}

export interface PartitionDocument {
  readonly number: number;
  readonly kind: PartitionKind;
  readonly type: string;
  readonly active: boolean;
  readonly startLba: number;
  readonly sectorCount: number;
  readonly startBytes: number;
  readonly sizeBytes: number;
  readonly alignmentBytes: number;
  readonly aligned: boolean;
  readonly filesystem: FilesystemDocument | null;
  /** Of `scan --deep` only. */
  readonly deep?: DeepDocument;
}

/** What walking a volume found. Sizes are bytes; null where its size cannot be changed. */
export interface DeepDocument {
  readonly findings: readonly (ReasonDocument & { readonly severity: 'damage' | 'note' })[];
  /** The smallest size for which a whole resize was worked out; `minimumBytes` adds the room that a guest needs. */
  readonly technicalMinimumBytes: number | null;
  /** Why there is no smaller size. */
  readonly blocker: ReasonDocument | null;
}

/** The operating system on a disk. */
export interface GuestDocument {
  readonly os: 'windows' | 'linux';
  readonly name: string | null;
  readonly version: string | null;
  readonly partition: number;
}

/** Something on the disk that follows when partitions move. */
export interface BootFixupDocument {
  readonly kind: string;
  /** Null: in front of all partitions. */
  readonly partition: number | null;
  readonly message: string;
  /** Why it could not be adapted, so that a move of what it holds is refused; null: it can. */
  readonly obstacle: ReasonDocument | null;
}

export interface DiskDocument {
  readonly path: string;
  readonly createType: string;
  readonly sizeBytes: number;
  readonly allocatedBytes: number | null;
  readonly sectorSize: number;
  readonly table: DiskFacts['table'];
  readonly vm: { readonly name: string; readonly guestOs: string | null; readonly path: string } | null;
  readonly guest: GuestDocument | null;
  readonly bootFixups: readonly BootFixupDocument[];
  readonly state: DiskFacts['state'];
  readonly reasons: readonly ReasonDocument[];
  readonly partitions: readonly PartitionDocument[];
  readonly reclaimableBytes: number;
}

export interface ScanTotals {
  readonly disks: number;
  /** Extended containers included, as they are in `partitions`. */
  readonly partitions: number;
  readonly misaligned: number;
  readonly sizeBytes: number;
  /** What file systems say they use; partitions that nothing recognises add nothing. */
  readonly usedBytes: number;
  readonly reclaimableBytes: number;
}

/** A file system that holds disks, as its store tells. Sizes are bytes. */
export interface DatastoreDocument {
  readonly name: string;
  readonly path: string;
  readonly type: string | null;
  readonly capacityBytes: number;
  readonly usedBytes: number;
  readonly freeBytes: number;
  /** Disks of the scan on it. */
  readonly disks: number;
}

/** The JSON of `scan`, key by key as docs/cli.md promises it. */
export interface ScanDocument {
  readonly formatVersion: 1;
  readonly disks: readonly DiskDocument[];
  readonly datastores: readonly DatastoreDocument[];
  readonly totals: ScanTotals;
  readonly errors: readonly { readonly path: string; readonly code: string; readonly message: string }[];
}

/** The JSON of `scan`. Text from disks stands in it as it is: print it with toJson, which escapes. */
export function scanDocument(input: ScanInput): ScanDocument {
  const disks = sortedFacts(input).map((facts) => diskDocument(facts, input.boundaryBytes));
  return {
    formatVersion: 1,
    disks,
    datastores: input.datastores ?? [],
    totals: totalsOf(disks),
    errors: sortedFailures(input).map(({ path, error }) => {
      const { code, message } = errorDocument(error).error;
      return { path, code, message };
    }),
  };
}

/** The same document with what rules recommend for each disk (`scan --profile`). */
export function withRecommendations(
  document: ScanDocument,
  recommend: (disk: DiskDocument) => Advice,
): ScanDocument {
  const disks = document.disks.map((disk) => {
    const { partitions, ...advice } = recommend(disk);
    const targets = partitions.map(({ number, action, wantedBytes, why }) => ({
      number,
      action,
      wantedBytes,
      why,
    }));
    return { ...disk, recommendation: { ...advice, partitions: targets } };
  });
  return { ...document, disks };
}

/** What holds no place has nothing that would follow. */
function bootFixup({
  kind,
  partition,
  title,
  holds,
  obstacle,
}: DiskFacts['boot'][number]): BootFixupDocument[] {
  if (holds?.length === 0) return [];
  const reason = obstacle === null ? null : reasonDocument(obstacle);
  return [{ kind, partition, message: title, obstacle: reason }];
}

/** The facts of a scan in the order asked for. Equal ones stand by path, so that equal scans print equally. */
export function sortedFacts(input: ScanInput): DiskFacts[] {
  const rank: Readonly<Record<ScanSort, (facts: DiskFacts) => number>> = {
    path: () => 0,
    reclaimable: reclaimableBytes,
    size: (facts) => facts.sizeBytes,
  };
  const weight = rank[input.sort ?? 'path'];
  return input.entries
    .flatMap((entry) => ('facts' in entry ? [entry.facts] : []))
    .map((facts) => ({ facts, weight: weight(facts) }))
    .sort((a, b) => b.weight - a.weight || comparePaths(a.facts.path, b.facts.path))
    .map(({ facts }) => facts);
}

/** What failed, by path. */
export function sortedFailures(input: ScanInput): { readonly path: string; readonly error: unknown }[] {
  return input.entries
    .flatMap((entry) => ('facts' in entry ? [] : [entry]))
    .sort((a, b) => comparePaths(a.path, b.path));
}

/** By code unit: the order does not depend on the machine's language. */
function comparePaths(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** One disk of the JSON of `scan`. */
export function diskDocument(facts: DiskFacts, boundaryBytes: number): DiskDocument {
  const { vm } = facts;
  return {
    path: facts.path,
    createType: facts.createType,
    sizeBytes: facts.sizeBytes,
    allocatedBytes: facts.allocatedBytes,
    sectorSize: facts.sectorSize,
    table: facts.table,
    vm: vm === null ? null : { name: vm.name, guestOs: vm.guestOs, path: vm.path },
    guest: facts.guest,
    bootFixups: facts.boot.flatMap(bootFixup),
    state: facts.state,
    reasons: facts.reasons.map(reasonDocument),
    partitions: partitionDocuments(facts, boundaryBytes),
    reclaimableBytes: reclaimableBytes(facts),
  };
}

/** The partitions of a disk as the JSON of `scan` and of a run show them. */
export function partitionDocuments(facts: DiskFacts, boundaryBytes: number): PartitionDocument[] {
  return facts.partitions.map((partition) => ({
    number: partition.number,
    kind: partition.kind,
    type: partition.type,
    active: partition.active,
    startLba: partition.startLba,
    sectorCount: partition.sectorCount,
    startBytes: lbaToBytes(partition.startLba, facts.sectorSize),
    sizeBytes: partition.sectorCount * facts.sectorSize,
    alignmentBytes: alignmentBytes(partition, facts.sectorSize),
    aligned: isAligned(partition, boundaryBytes, facts.sectorSize),
    filesystem: filesystemDocument(partition),
    ...deepDocument(partition),
  }));
}

function deepDocument({ findings, resizing }: PartitionFacts): { deep?: DeepDocument } {
  if (findings === undefined) return {};
  const blocker = resizing?.blocker ?? null;
  return {
    deep: {
      findings: findings.map(({ severity, code, message }) => ({ severity, code, message })),
      technicalMinimumBytes: resizing?.minimum?.technicalBytes ?? null,
      blocker: blocker === null ? null : reasonDocument(blocker),
    },
  };
}

function filesystemDocument(partition: PartitionFacts): FilesystemDocument | null {
  const { filesystem } = partition;
  if (filesystem === null) return null;
  return {
    kind: filesystem.kind,
    label: filesystem.label,
    clusterBytes: filesystem.clusterBytes,
    totalBytes: filesystem.totalBytes,
    usedBytes: filesystem.usedBytes,
    freeBytes: filesystem.freeBytes,
    minimumBytes: minimumOf(partition),
    canShrink: partition.resizing?.canShrink ?? false,
    canEnlarge: partition.resizing?.canEnlarge ?? false,
    state: filesystem.state,
    reasons: filesystem.reasons.map(reasonDocument),
  };
}

function reasonDocument({ code, message }: Reason): ReasonDocument {
  return { code, message };
}

function totalsOf(disks: readonly DiskDocument[]): ScanTotals {
  const partitions = disks.flatMap((disk) => disk.partitions);
  return {
    disks: disks.length,
    partitions: partitions.length,
    misaligned: partitions.filter((partition) => !partition.aligned).length,
    sizeBytes: sum(disks.map((disk) => disk.sizeBytes)),
    usedBytes: sum(partitions.map((partition) => partition.filesystem?.usedBytes ?? 0)),
    reclaimableBytes: sum(disks.map((disk) => disk.reclaimableBytes)),
  };
}
