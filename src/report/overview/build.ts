import { sum } from '../../core/sum.js';
import { baseName } from '../../core/text.js';
import type { Advice } from '../../profile/advise.js';
import { mapOfDocument } from '../disk-map.js';
import type { MapDisk } from '../map-segments.js';
import type { DiskDocument, ScanSort } from '../scan-json.js';
import { costOf } from './cost.js';
import { doneRows } from './done.js';
import type {
  Amounts,
  Cost,
  DatastoreRow,
  DiskRow,
  Overview,
  OverviewInput,
  SavingRow,
  VmRow,
} from './types.js';

/** A disk of the scan with what is recommended for it. */
interface Advised {
  readonly disk: DiskDocument;
  readonly advice: Advice;
}

/** The overview of a scan: pure, equal input gives an equal value. */
export function buildOverview(input: OverviewInput): Overview {
  const { scan, cost } = input;
  const all = scan.disks.map((disk) => ({ disk, advice: input.advise(disk) }));
  const vms = sortRows(
    grouped(all, vmKey).map((group) => vmRow(group, cost)),
    input.sort,
    pathOfRow,
  );
  const savings = grouped(all, ({ disk }) => groupFolder(disk)).map((group) => savingRow(group, cost));
  const done = doneRows(input.runs, new Set(scan.disks.map(({ path }) => path)), cost);
  const doneBytes = sum(done.map(({ savedBytes }) => savedBytes));
  return {
    formatVersion: 1,
    generatedAt: input.generatedAt,
    cost,
    totals: {
      vms: vms.length,
      ...amounts(all, cost),
      blockedBytes: blocked(all),
      doneBytes,
      doneCost: costOf(doneBytes, cost),
      errors: scan.errors.length,
    },
    vms,
    datastores: datastoreRows(input, all),
    savings: sortRows(savings, input.sort, ({ folder }) => folder),
    done,
    disks: sortRows(all.map(diskRow), input.sort, pathOfRow),
    errors: scan.errors,
  };
}

const pathOfRow = ({ path }: { readonly path: string }): string => path;

/** Largest first where asked for; equal ones by path, by code unit. */
function sortRows<Row extends { readonly sizeBytes: number; readonly reclaimableBytes: number }>(
  rows: readonly Row[],
  sort: ScanSort,
  pathOf: (row: Row) => string,
): Row[] {
  const weight = (row: Row): number => {
    if (sort === 'path') return 0;
    return sort === 'size' ? row.sizeBytes : row.reclaimableBytes;
  };
  const byPath = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
  return [...rows].sort((a, b) => weight(b) - weight(a) || byPath(pathOf(a), pathOf(b)));
}

function grouped(all: readonly Advised[], keyOf: (each: Advised) => string): [Advised, ...Advised[]][] {
  const groups = new Map<string, [Advised, ...Advised[]]>();
  for (const each of all) {
    const key = keyOf(each);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [each]);
    else group.push(each);
  }
  return [...groups.values()];
}

const vmKey = ({ disk }: Advised): string => disk.vm?.path ?? disk.path;

/** Works for local paths and URLs alike. */
const folderOf = (path: string): string => path.slice(0, Math.max(1, path.lastIndexOf('/')));

/** What disks are summed up by: the folder that holds the folders of machines; of a loose disk its own folder. */
const groupFolder = ({ path, vm }: DiskDocument): string =>
  vm === null ? folderOf(path) : folderOf(folderOf(vm.path));

function amounts(all: readonly Advised[], cost: Cost | null): Amounts {
  const partitions = all.flatMap(({ disk }) => disk.partitions);
  const savedBytes = sum(all.map(({ advice }) => advice.savedBytes));
  return {
    disks: all.length,
    partitions: partitions.length,
    misaligned: partitions.filter(({ aligned }) => !aligned).length,
    sizeBytes: sum(all.map(({ disk }) => disk.sizeBytes)),
    usedBytes: sum(partitions.map(({ filesystem }) => filesystem?.usedBytes ?? 0)),
    freeBytes: sum(partitions.map(({ filesystem }) => filesystem?.freeBytes ?? 0)),
    reclaimableBytes: sum(all.map(({ disk }) => disk.reclaimableBytes)),
    savedBytes,
    growthBytes: sum(all.map(({ advice }) => advice.growthBytes)),
    plannedBytes: sum(all.map(({ advice }) => advice.plannedBytes)),
    savedCost: costOf(savedBytes, cost),
  };
}

const blocked = (all: readonly Advised[]): number =>
  sum(all.map(({ disk, advice }) => (disk.state === 'ready' ? 0 : advice.savedBytes)));

/** What was found on the disk, for machines whose .vmx does not tell. */
const guestName = ({ guest }: DiskDocument): string | null => guest?.name ?? guest?.os ?? null;

const STATES_WORST_FIRST = ['damaged', 'interrupted', 'refused', 'ready'] as const;

function vmRow(group: readonly [Advised, ...Advised[]], cost: Cost | null): VmRow {
  const [{ disk }] = group;
  const values = amounts(group, cost);
  const told = group
    .flatMap((each) => each.disk.partitions)
    .filter(({ filesystem }) => filesystem?.freeBytes != null);
  const total = sum(told.map(({ filesystem }) => filesystem?.totalBytes ?? 0));
  const growths = group.flatMap(({ advice }) => advice.growthPerMonth ?? []);
  const left = group.flatMap(({ advice }) => advice.monthsLeft ?? []);
  const unique = <T>(values: readonly T[]): T[] => [...new Set(values)];
  return {
    name: disk.vm?.name ?? baseName(disk.path),
    path: disk.vm?.path ?? disk.path,
    guestOs:
      disk.vm?.guestOs ?? group.map((each) => guestName(each.disk)).find((name) => name !== null) ?? null,
    folder: groupFolder(disk),
    ...values,
    freePercent: total === 0 ? null : Math.round((values.freeBytes / total) * 1000) / 10,
    alignment: alignment(values),
    state: STATES_WORST_FIRST.find((state) => group.some((each) => each.disk.state === state)) ?? 'ready',
    findings: unique(group.flatMap(({ advice }) => advice.findings)),
    actions: unique(group.flatMap(({ advice }) => advice.actions)),
    categories: unique(group.flatMap(({ advice }) => advice.categories)),
    growthPerMonth: growths.length === 0 ? null : sum(growths),
    monthsLeft: left.length === 0 ? null : Math.min(...left),
  };
}

function alignment({ partitions, misaligned }: Amounts): VmRow['alignment'] {
  if (misaligned > 0) return 'misaligned';
  return partitions === 0 ? 'unknown' : 'aligned';
}

function savingRow(group: readonly [Advised, ...Advised[]], cost: Cost | null): SavingRow {
  const [{ disk }] = group;
  return { folder: groupFolder(disk), ...amounts(group, cost), blockedBytes: blocked(group) };
}

/** A disk lies on the datastore whose path is the longest beginning of its own. */
function datastoreRows({ scan, cost }: OverviewInput, all: readonly Advised[]): DatastoreRow[] {
  const inside = (path: string, root: string) => path.startsWith(root.endsWith('/') ? root : `${root}/`);
  const byLength = [...scan.datastores].sort((a, b) => b.path.length - a.path.length);
  const homes = new Map<string, Advised[]>();
  for (const each of all) {
    const home = byLength.find(({ path }) => inside(each.disk.path, path));
    if (home !== undefined) homes.set(home.path, [...(homes.get(home.path) ?? []), each]);
  }
  return scan.datastores.map(({ name, path, type, capacityBytes, usedBytes, freeBytes }) => {
    const held = amounts(homes.get(path) ?? [], cost);
    const { disks, sizeBytes, reclaimableBytes, savedBytes, savedCost } = held;
    const own = { name, path, type, capacityBytes, usedBytes, freeBytes };
    return { ...own, disks, diskBytes: sizeBytes, reclaimableBytes, savedBytes, savedCost };
  });
}

function diskRow({ disk, advice }: Advised): DiskRow {
  const today = mapOfDocument(disk);
  return {
    path: disk.path,
    vm: disk.vm?.name ?? null,
    state: disk.state,
    reasons: disk.reasons,
    actions: advice.actions,
    sizeBytes: disk.sizeBytes,
    plannedBytes: advice.plannedBytes,
    reclaimableBytes: disk.reclaimableBytes,
    partitions: advice.partitions.map(({ number, action, sizeBytes, wantedBytes, why }) => ({
      number,
      action,
      sizeBytes,
      wantedBytes,
      why,
    })),
    maps: { today, planned: plannedMap(today, disk.sectorSize, advice) },
  };
}

function plannedMap(today: MapDisk, sectorSize: number, advice: Advice): MapDisk {
  const targets = new Map(advice.partitions.map((target) => [target.number, target]));
  const partitions = today.partitions.map((partition) => {
    const target = targets.get(partition.number);
    if (target === undefined) return partition;
    const { plannedStartBytes, wantedBytes, boundaryBytes } = target;
    return {
      ...partition,
      startBytes: plannedStartBytes,
      startLba: plannedStartBytes / sectorSize,
      sizeBytes: wantedBytes,
      aligned: partition.container || plannedStartBytes % boundaryBytes === 0,
    };
  });
  return { sizeBytes: advice.plannedBytes, partitions };
}
