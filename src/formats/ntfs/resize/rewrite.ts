import { ATTRIBUTE_TYPE, COMPRESSED_MASK, RECORD } from '../layout.js';
import { HOLE, MappingPairs } from '../mapping-pairs.js';
import type { Attribute, FileRecord } from '../record.js';
import { type PieceChange, replacePairs } from './edit-record.js';
import type { PlacedRun } from './encode-pairs.js';
import type { Geometry } from './geometry.js';
import { joinRuns, type Moves } from './relocation.js';
import { fileNumber } from './walk-records.js';

/** The stream of $BadClus that covers the whole volume; its runs with clusters are bad ones. */
const BAD_STREAM = '$Bad';

/** True for $BadClus:$Bad, which stands in one record; an extension that claims to hold more of it is an orphan. */
export const isBadClusterMap = (attribute: Attribute): boolean =>
  attribute.record.number === RECORD.badClusters &&
  attribute.type === ATTRIBUTE_TYPE.data &&
  attribute.hasName(BAD_STREAM);

/** True for the content of $Bitmap, which stands in one record too. */
export const isBitmapContent = (attribute: Attribute): boolean =>
  attribute.record.number === RECORD.bitmap && isUnnamedContent(attribute, RECORD.bitmap);

/** True for a piece of the unnamed stream of that file. */
export const isUnnamedContent = (attribute: Attribute, file: number): boolean =>
  attribute.type === ATTRIBUTE_TYPE.data && attribute.hasName('') && fileNumber(attribute.record) === file;

/** Names a piece of a stream, for sets. */
export const pieceKey = (attribute: Attribute): string => `${attribute.record.number}:${attribute.instance}`;

/** What the volume's streams become. */
export interface NewLayout {
  readonly geometry: Geometry;
  readonly clusterBytes: number;
  readonly moves: Moves;
  /** All runs of $Bitmap afterwards. */
  readonly bitmapRuns: readonly PlacedRun[];
}

/** Rewrites FILE records for a new layout. */
export class RecordRewriter {
  private readonly pairs: MappingPairs;

  constructor(
    private readonly layout: NewLayout,
    /** Clusters of the volume as it is. */
    clusterCount: number,
  ) {
    this.pairs = new MappingPairs(clusterCount);
  }

  /**
   * Changes the (unstamped) record in place. `full` is called for a piece whose mapping pairs do not fit; that
   * piece is left as it was. True when anything changed.
   */
  rewrite(record: FileRecord, full: (attribute: Attribute) => void): boolean {
    let changed = false;
    // From the last to the first: an edit moves what stands behind it.
    for (const attribute of record.attributes().reverse()) {
      if (attribute.isResident) continue;
      const change = this.changeOf(attribute);
      if (change === undefined) continue;
      if (replacePairs(attribute, change)) changed = true;
      else full(attribute);
    }
    return changed;
  }

  private changeOf(attribute: Attribute): PieceChange | undefined {
    if (isBadClusterMap(attribute)) return this.badClusterMap(attribute);
    if (isBitmapContent(attribute)) return this.bitmap();
    return this.isTouched(attribute) ? { runs: this.newRuns(attribute) } : undefined;
  }

  /** Where the clusters of an ordinary piece are after the moves. */
  newRuns(attribute: Attribute): PlacedRun[] {
    const placed: PlacedRun[] = [];
    this.pairs.open(attribute);
    while (this.pairs.next()) this.layout.moves.map(this.pairs.lcn, this.pairs.length, placed);
    // The runs of compressed streams tell where a compression unit ends: they are never joined.
    const keeps = (attribute.flags & COMPRESSED_MASK) !== 0;
    return keeps ? placed : joinRuns(placed);
  }

  private isTouched(attribute: Attribute): boolean {
    this.pairs.open(attribute);
    while (this.pairs.next()) {
      const { lcn, length } = this.pairs;
      if (lcn !== HOLE && this.layout.moves.touches(lcn, length)) return true;
    }
    return false;
  }

  /** One hole as long as the volume; mostly nothing of it was ever written. */
  private badClusterMap({ initializedSize }: Attribute): PieceChange {
    const { geometry, clusterBytes } = this.layout;
    const bytes = geometry.clusterCount * clusterBytes;
    return {
      runs: [{ lcn: HOLE, length: geometry.clusterCount }],
      highestVcn: geometry.clusterCount - 1,
      allocatedSize: bytes,
      dataSize: bytes,
      initializedSize: Math.min(initializedSize, bytes),
    };
  }

  private bitmap(): PieceChange {
    const { geometry, clusterBytes, bitmapRuns } = this.layout;
    const clusters = bitmapRuns.reduce((sum, { length }) => sum + length, 0);
    return {
      runs: bitmapRuns,
      highestVcn: clusters - 1,
      allocatedSize: clusters * clusterBytes,
      dataSize: geometry.bitmapBytes,
      initializedSize: geometry.bitmapBytes,
    };
  }
}
