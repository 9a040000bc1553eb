import { refused } from '../../../core/errors.js';
import { KIB, MIB } from '../../../core/units.js';
import type { MetadataWrite } from '../../types.js';
import type { AttributeStream } from '../stream.js';
import { stamp } from './edit-record.js';
import type { PlacedRun } from './encode-pairs.js';
import { FreeRecords } from './free-records.js';
import type { FreeSpace } from './free-space.js';
import type { PlacedStream } from './placed-stream.js';
import { noSpace } from './refusals.js';
import { FileRepack, type Supply } from './repack-file.js';
import { type NewLayout, RecordRewriter } from './rewrite.js';
import type { Subject } from './subject.js';

/** Bytes of FILE records and attribute lists kept in memory until they are written. Ours. */
export const MAX_REPACKED_BYTES = 16 * MIB;
/** Bytes of the bitmap of $MFT written together. */
const BITMAP_PIECE_BYTES = KIB / 2;

/** The files that are packed anew, worked out to the last byte. */
export interface Repack {
  /** Stamped records by number, in order. */
  readonly records: ReadonlyMap<number, Uint8Array>;
  /** Numbers of those that were free before, in order. */
  readonly added: readonly number[];
  readonly lists: readonly { readonly runs: readonly PlacedRun[]; readonly value: Uint8Array }[];
  /** Clusters that lists take and give up. */
  readonly taken: readonly PlacedRun[];
  readonly freed: readonly PlacedRun[];
  /** The map of used records. */
  readonly recordBits?: AttributeStream;
}

/** No file is packed anew. */
export const NO_REPACK: Repack = { records: new Map(), added: [], lists: [], taken: [], freed: [] };

/**
 * Packs the files anew for the layout, in order of number. New clusters come from `space`, which knows what the
 * moves left. Throws Refused: ntfs-record-full, ntfs-mft-full, ntfs-no-space, ntfs-too-fragmented.
 */
export async function planRepack(
  subject: Subject,
  layout: NewLayout,
  space: FreeSpace,
  files: ReadonlySet<number>,
): Promise<Repack> {
  if (files.size === 0) return NO_REPACK;
  const { volume } = subject;
  const free = await FreeRecords.open(volume);
  const supply: Supply = {
    takeClusters: (count) => takeClusters(space, count),
    takeRecord: () => free.take(),
  };
  const records: [number, Uint8Array][] = [];
  const added: number[] = [];
  const lists: { runs: readonly PlacedRun[]; value: Uint8Array }[] = [];
  const freed: PlacedRun[] = [];
  let bytes = 0;
  for (const file of [...files].sort((a, b) => a - b)) {
    const rewriter = new RecordRewriter(layout, volume.clusterCount);
    const packed = await FileRepack.run(subject, file, rewriter, supply);
    for (const [number, record] of packed.records) {
      stamp(record);
      records.push([number, record]);
      bytes += record.length;
    }
    added.push(...packed.added);
    freed.push(...packed.freed);
    if (packed.list !== undefined) lists.push(packed.list);
    bytes += packed.list?.value.length ?? 0;
    if (bytes > MAX_REPACKED_BYTES) throw tooMuch();
  }
  return {
    records: new Map(records.sort(([a], [b]) => a - b)),
    added,
    lists,
    taken: lists.flatMap(({ runs }) => runs),
    freed,
    recordBits: await volume.recordBitmap(),
  };
}

const tooMuch = () =>
  refused('ntfs-too-fragmented', 'too many FILE records of the NTFS volume would have to be packed anew', {
    expected: `${MAX_REPACKED_BYTES} bytes at the most`,
    hint: 'defragment the volume in the guest, or choose a larger size',
  });

/** In one run if there is one, else in as few as possible. */
function takeClusters(space: FreeSpace, count: number): PlacedRun[] {
  const lcn = space.take(count);
  if (lcn !== undefined) return [{ lcn, length: count }];
  const runs: PlacedRun[] = [];
  for (let left = count; left > 0; ) {
    const run = space.takeUpTo(left);
    if (run === undefined) throw noSpace();
    runs.push(run);
    left -= run.length;
  }
  return runs;
}

/** The pieces of a resident or non-resident map of used records that change, by their offset in it. */
export async function* changedRecordBits({ recordBits, added }: Repack): AsyncGenerator<{
  readonly at: number;
  readonly bytes: Uint8Array;
}> {
  if (recordBits === undefined) return;
  for (let index = 0; index < added.length; ) {
    const byte = Math.floor((added[index] ?? 0) / 8);
    const at = byte - (byte % BITMAP_PIECE_BYTES);
    const bytes = await recordBits.readAt(at, Math.min(BITMAP_PIECE_BYTES, recordBits.initializedBytes - at));
    for (; index < added.length; index++) {
      const bit = (added[index] ?? 0) - at * 8;
      if (bit >= bytes.length * 8) break;
      bytes[bit >>> 3] = (bytes[bit >>> 3] ?? 0) | (1 << (bit & 7));
    }
    yield { at, bytes };
  }
}

/** The records at the new place of $MFT. */
export function* repackedRecords(
  { records }: Repack,
  mft: PlacedStream,
  recordBytes: number,
): Generator<MetadataWrite[]> {
  for (const [number, bytes] of records) {
    yield mft.writes(number * recordBytes, bytes, `FILE record ${number}`);
  }
}
