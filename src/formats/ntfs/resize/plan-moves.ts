import { isFamily, refused } from '../../../core/errors.js';
import { ATTRIBUTE_TYPE, RECORD } from '../layout.js';
import { HOLE, MappingPairs } from '../mapping-pairs.js';
import type { Attribute, FileRecord } from '../record.js';
import type { PlacedRun } from './encode-pairs.js';
import { FreeSpace } from './free-space.js';
import type { Geometry } from './geometry.js';
import { recordFull } from './refusals.js';
import { Demand, joinRuns, type Moves } from './relocation.js';
import { planRepack, type Repack } from './repack.js';
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
/** Each round gathers or repacks what overflowed in the one before; real volumes need one or two. */
const MAX_ROUNDS = 12;
/** Streams that may need gathering: bounds memory. */
const MAX_GATHERED = 65536;
/** Files that every driver reads before it knows attribute lists, or that this program knows by their records. */
const NEVER_REPACKED: readonly number[] = [
  RECORD.mft,
  RECORD.mftMirror,
  RECORD.logFile,
  RECORD.volume,
  RECORD.bitmap,
  RECORD.badClusters,
];

/** A layout that was tried on every record of the volume. */
export interface ProvenLayout extends NewLayout {
  /** Clusters that $Bitmap and attribute lists no longer need, at their old place. */
  readonly freed: readonly PlacedRun[];
  readonly repack: Repack;
}

/**
 * Finds a place below the new end for everything behind it, and proves that every FILE record can express its new
 * runs. Where one cannot, that piece of a stream is moved as a whole, to as few runs as possible; where this does
 * not help, its file gets further records and an attribute list. After each change the layout is made anew. Throws
 * Refused: ntfs-no-space, ntfs-too-fragmented, ntfs-record-full, ntfs-mft-full, ntfs-no-contiguous-space.
 * Reads $MFT twice a round, once more when files are packed anew, and the part of $Bitmap below the new end once.
 */
export async function planMoves(
  subject: Subject,
  geometry: Geometry,
  signal?: AbortSignal,
): Promise<ProvenLayout> {
  const overflow = new Overflow();
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const tried = await overflow.attempt(() => tryLayout(subject, geometry, overflow, signal));
    if (tried === undefined) continue;
    const full = await findFull(subject, tried.layout, overflow.repacked, signal);
    for (const piece of full) overflow.note(piece);
    if (full.length > 0) continue;
    const repack = await planRepack(subject, tried.layout, tried.space, overflow.repacked);
    await requireRoomInOrphans(subject, tried.layout, overflow.repacked, repack, signal);
    return { ...tried.layout, freed: [...tried.bitmapFreed, ...repack.freed], repack };
  }
  throw refused('ntfs-record-full', 'the NTFS volume has too little contiguous free space for its files', {
    hint: 'defragment the volume in the guest, or choose a larger size',
  });
}

/** What is done about pieces that do not fit: first they are gathered, then their file is repacked. */
class Overflow {
  /** Keys of the pieces that move as a whole, and their files. */
  readonly gathered = new Map<string, FullPiece>();
  readonly repacked = new Set<number>();

  note(piece: FullPiece): void {
    if (this.gathered.delete(piece.key)) this.repack(piece);
    else if (this.gathered.size >= MAX_GATHERED) throw recordFull({ number: piece.record });
    else if (!this.repacked.has(piece.file)) this.gathered.set(piece.key, piece);
  }

  /** Undefined when there is no space to gather into: then all that was gathered is repacked instead. */
  async attempt<T>(layout: () => Promise<T>): Promise<T | undefined> {
    try {
      return await layout();
    } catch (error) {
      const isShort = isFamily(error, 'refused') && error.code === 'ntfs-no-space';
      if (!isShort || this.gathered.size === 0) throw error;
      for (const piece of this.gathered.values()) this.repack(piece);
      this.gathered.clear();
      return undefined;
    }
  }

  private repack({ file, record }: FullPiece): void {
    if (NEVER_REPACKED.includes(file)) throw recordFull({ number: record });
    this.repacked.add(file);
  }
}

interface TriedLayout {
  readonly layout: NewLayout;
  /** What the moves left free. */
  readonly space: FreeSpace;
  readonly bitmapFreed: readonly PlacedRun[];
}

async function tryLayout(
  subject: Subject,
  geometry: Geometry,
  overflow: Overflow,
  signal: AbortSignal | undefined,
): Promise<TriedLayout> {
  const { volume, bitmap } = subject;
  const split = splitRuns(runsOf(subject.bitmapStream), geometry.bitmapClusters);
  const collector = new Collector(volume.clusterCount, geometry.clusterCount, split.kept, overflow);
  for await (const records of walkRecords(volume, signal)) {
    for (const record of records) collector.collect(record);
  }
  const space = await FreeSpace.read(bitmap, geometry.clusterCount);
  const moves = collector.demand.place(space);
  const { clusterBytes } = volume;
  const bitmapRuns = mapRuns(split.kept, moves);
  const layout = { geometry, clusterBytes, moves, bitmapRuns };
  checkSystemFiles(subject, layout);
  return { layout, space, bitmapFreed: split.rest };
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
    private readonly overflow: Overflow,
  ) {
    this.pairs = new MappingPairs(clusterCount);
  }

  collect(record: FileRecord): void {
    for (const attribute of record.attributes()) {
      if (attribute.isResident || isBadClusterMap(attribute) || this.isRenewed(attribute)) continue;
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

  /** The attribute list of a file that is packed anew gets new clusters. */
  private isRenewed({ type, record }: Attribute): boolean {
    return type === ATTRIBUTE_TYPE.attributeList && this.overflow.repacked.has(fileNumber(record));
  }

  /** Moves as a whole: what overflowed its record, and $MFTMirr, which must stay in one run. */
  private isWhole(attribute: Attribute): boolean {
    const { gathered } = this.overflow;
    if (gathered.size > 0 && gathered.has(pieceKey(attribute))) return true;
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
  /** The file the record belongs to. */
  readonly file: number;
}

/** Tries the layout on every record; nothing is kept of it but the pieces that do not fit. */
async function findFull(
  subject: Subject,
  layout: NewLayout,
  repacked: ReadonlySet<number>,
  signal: AbortSignal | undefined,
): Promise<FullPiece[]> {
  const full: FullPiece[] = [];
  const rewriter = new RecordRewriter(layout, subject.volume.clusterCount);
  for await (const records of walkRecords(subject.volume, signal)) {
    for (const record of records) {
      const file = fileNumber(record);
      if (repacked.has(file)) continue;
      rewriter.rewrite(record, (attribute) => {
        if (full.length > MAX_GATHERED) throw recordFull(record);
        full.push({ key: pieceKey(attribute), record: record.number, file });
      });
    }
  }
  return full;
}

/** Packing a file anew leaves out what its list does not lead to: there the layout has to fit as it is. */
async function requireRoomInOrphans(
  { volume }: Subject,
  layout: NewLayout,
  repacked: ReadonlySet<number>,
  repack: Repack,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (repacked.size === 0) return;
  const rewriter = new RecordRewriter(layout, volume.clusterCount);
  for await (const records of walkRecords(volume, signal)) {
    for (const record of records) {
      if (!repacked.has(fileNumber(record)) || repack.records.has(record.number)) continue;
      rewriter.rewrite(record, () => {
        throw recordFull(record);
      });
    }
  }
}
