import { refused } from '../../../core/errors.js';
import { RECORD } from '../layout.js';
import { HOLE, MappingPairs } from '../mapping-pairs.js';
import type { Attribute, FileRecord } from '../record.js';
import type { PlacedRun } from './encode-pairs.js';
import { FreeSpace } from './free-space.js';
import type { Geometry } from './geometry.js';
import { Demand, joinRuns, type Moves } from './relocation.js';
import {
  isBadClusterMap,
  isBitmapContent,
  isUnnamedContent,
  type NewLayout,
  pieceKey,
  RecordRewriter,
} from './rewrite.js';
import { runsOf, type Subject } from './subject.js';
import { fileNumber, walkRecords } from './walk-records.js';

/** ntfs-3g and this program find $MFT's other pieces through its first records; they must lie in its first run. */
const BOOTSTRAP_RECORDS = 16;
/** Each round gathers streams whose records overflowed in the one before; real volumes need one or two. */
const MAX_ROUNDS = 6;
/** Streams that may need gathering: bounds memory. */
const MAX_GATHERED = 65536;

/** A layout that was tried on every record of the volume. */
export interface ProvenLayout extends NewLayout {
  /** Clusters that $Bitmap no longer needs, at their old place. */
  readonly bitmapFreed: readonly PlacedRun[];
}

/**
 * Finds a place below the new end for everything behind it, and proves that every FILE record can express its new
 * runs. Where one cannot, that piece of a stream is moved as a whole, to as few runs as possible, and the layout is
 * made anew. Throws Refused: ntfs-no-space, ntfs-too-fragmented, ntfs-record-full, ntfs-no-contiguous-space.
 * Reads $MFT twice a round and the part of $Bitmap below the new end once.
 */
export async function planMoves(
  subject: Subject,
  geometry: Geometry,
  signal?: AbortSignal,
): Promise<ProvenLayout> {
  const gather = new Set<string>();
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const layout = await tryLayout(subject, geometry, gather, signal);
    const full = await findFull(subject, layout, signal);
    if (full.length === 0) return layout;
    for (const { key, record } of full) {
      if (gather.has(key) || gather.size >= MAX_GATHERED) throw recordFull(record);
      gather.add(key);
    }
  }
  throw refused('ntfs-record-full', 'the NTFS volume has too little contiguous free space for its files', {
    hint: 'defragment the volume in the guest, or choose a larger size',
  });
}

const recordFull = (record: number) =>
  refused('ntfs-record-full', `FILE record ${record} has no room to tell where its clusters would go`, {
    actual: `record ${record}`,
    hint: 'defragment that file in the guest, or choose a larger size',
  });

async function tryLayout(
  subject: Subject,
  geometry: Geometry,
  gather: ReadonlySet<string>,
  signal: AbortSignal | undefined,
): Promise<ProvenLayout> {
  const { volume, bitmap } = subject;
  const split = splitRuns(runsOf(subject.bitmapStream), geometry.bitmapClusters);
  const collector = new Collector(volume.clusterCount, geometry.clusterCount, split.kept, gather);
  for await (const records of walkRecords(volume, signal)) {
    for (const record of records) collector.collect(record);
  }
  const moves = collector.demand.place(await FreeSpace.read(bitmap, geometry.clusterCount));
  const { clusterBytes } = volume;
  const bitmapRuns = mapRuns(split.kept, moves);
  const layout = { geometry, clusterBytes, moves, bitmapRuns, bitmapFreed: split.rest };
  checkSystemFiles(subject, layout);
  return layout;
}

/** The runs after the moves, joined where they can be. */
export function mapRuns(runs: readonly PlacedRun[], moves: Moves): PlacedRun[] {
  const placed: PlacedRun[] = [];
  for (const { lcn, length } of runs) moves.map(lcn, length, placed);
  return joinRuns(placed);
}

/** $MFTMirr in one run, $MFT with its first records in one. */
function checkSystemFiles(subject: Subject, layout: NewLayout): void {
  const { volume, mirror } = subject;
  const [first] = mapRuns(runsOf(volume.mft), layout.moves);
  const needed = Math.min(volume.mft.runs.at(0).length, bootstrapClusters(subject));
  if (mapRuns(runsOf(mirror), layout.moves).length === 1 && (first?.length ?? 0) >= needed) return;
  throw refused('ntfs-no-contiguous-space', 'no free space is long enough for the beginning of $MFT', {
    hint: 'defragment the volume in the guest, or choose a larger size',
  });
}

const bootstrapClusters = ({ volume }: Subject): number =>
  Math.ceil((BOOTSTRAP_RECORDS * volume.boot.recordBytes) / volume.clusterBytes);

/** The first `clusters` of the runs, and the others. */
function splitRuns(
  runs: readonly PlacedRun[],
  clusters: number,
): { readonly kept: PlacedRun[]; readonly rest: PlacedRun[] } {
  const kept: PlacedRun[] = [];
  const rest: PlacedRun[] = [];
  let left = clusters;
  for (const { lcn, length } of runs) {
    const keep = Math.min(left, length);
    if (keep > 0) kept.push({ lcn, length: keep });
    if (keep < length) rest.push({ lcn: lcn + keep, length: length - keep });
    left -= keep;
  }
  return { kept, rest };
}

/** Collects what must move, one unit for each piece of a stream. */
class Collector {
  readonly demand = new Demand();
  private readonly pairs: MappingPairs;

  constructor(
    clusterCount: number,
    private readonly newEnd: number,
    private readonly bitmapRuns: readonly PlacedRun[],
    private readonly gather: ReadonlySet<string>,
  ) {
    this.pairs = new MappingPairs(clusterCount);
  }

  collect(record: FileRecord): void {
    for (const attribute of record.attributes()) {
      if (attribute.isResident || isBadClusterMap(attribute)) continue;
      const from = this.isWhole(attribute) ? 0 : this.newEnd;
      let isOpen = false;
      this.forEachRun(attribute, (lcn, length) => {
        const first = Math.max(lcn, from);
        if (first >= lcn + length) return;
        if (!isOpen) this.demand.begin(isUrgent(record));
        isOpen = true;
        this.demand.add(first, lcn + length - first);
      });
    }
  }

  /** Moves as a whole: what overflowed its record, and $MFTMirr, which must stay in one run. */
  private isWhole(attribute: Attribute): boolean {
    if (this.gather.size > 0 && this.gather.has(pieceKey(attribute))) return true;
    return isUnnamedContent(attribute, RECORD.mftMirror) && this.reachesBehind(attribute);
  }

  private reachesBehind(attribute: Attribute): boolean {
    let reaches = false;
    this.forEachRun(attribute, (lcn, length) => {
      reaches ||= lcn + length > this.newEnd;
    });
    return reaches;
  }

  private forEachRun(attribute: Attribute, found: (lcn: number, length: number) => void): void {
    if (isBitmapContent(attribute)) {
      for (const { lcn, length } of this.bitmapRuns) found(lcn, length);
      return;
    }
    this.pairs.open(attribute);
    while (this.pairs.next()) if (this.pairs.lcn !== HOLE) found(this.pairs.lcn, this.pairs.length);
  }
}

/** $MFT must come out in few runs: it gets the longest free extents. $MFTMirr needs one. */
const isUrgent = (record: FileRecord): boolean => fileNumber(record) <= RECORD.mftMirror;

interface FullPiece {
  readonly key: string;
  readonly record: number;
}

/** Tries the layout on every record; nothing is kept of it but the pieces that do not fit. */
async function findFull(
  subject: Subject,
  layout: NewLayout,
  signal: AbortSignal | undefined,
): Promise<FullPiece[]> {
  const full: FullPiece[] = [];
  const rewriter = new RecordRewriter(layout, subject.volume.clusterCount);
  for await (const records of walkRecords(subject.volume, signal)) {
    for (const record of records) {
      rewriter.rewrite(record, (attribute) => {
        if (full.length > MAX_GATHERED) throw recordFull(record.number);
        full.push({ key: pieceKey(attribute), record: record.number });
      });
    }
  }
  return full;
}
