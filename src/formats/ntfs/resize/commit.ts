import { KIB } from '../../../core/units.js';
import type { MetadataWrite, VolumeCopy, VolumeStep } from '../../types.js';
import { ATTRIBUTE_TYPE, BOOT_SECTOR, RECORD, VOLUME_INFORMATION, VSS_HEADER_AT } from '../layout.js';
import type { FileRecord } from '../record.js';
import { stampRecord } from './edit-record.js';
import { type BitmapChange, changedPages } from './new-bitmap.js';
import { PlacedStream } from './placed-stream.js';
import { mapRuns } from './plan-moves.js';
import { changedRecordBits, NO_REPACK, type Repack, repackedRecords } from './repack.js';
import { type NewLayout, RecordRewriter } from './rewrite.js';
import { copySteps, WriteBatch, writeStep } from './steps.js';
import { runsOf, type Subject } from './subject.js';
import { fileNumber, walkRecords } from './walk-records.js';

/** Volume flag: chkdsk runs at the next start. */
const DIRTY = 0x0001;
/** Bytes of $LogFile written; the others are copied from there, so that the run journal stays small. */
const LOG_SEED_BYTES = 64 * KIB;
/** The catalog offset in the shadow copy header: 8 bytes; 0 means that there are no shadow copies. */
const VSS_CATALOG_AT = VSS_HEADER_AT + 0x30;

/** Everything that turns the old volume into the new one. */
export interface Commit {
  readonly subject: Subject;
  readonly layout: NewLayout;
  readonly bitmap: BitmapChange;
  readonly repack: Repack;
  readonly dropShadowCopies: boolean;
  readonly scheduleChkdsk: boolean;
}

/**
 * The metadata of the new volume, in this order:
 *
 *     1. dirty flag at its old place     whoever mounts a half-changed volume is warned
 *     2. $LogFile full of 0xFF           nothing of the old layout is ever replayed
 *     3. attribute lists, their records  of files that are packed anew; bits of $MFT:$BITMAP
 *        all other FILE records          at the new place of $MFT; $Volume still dirty
 *     4. $Bitmap
 *     5. $MFTMirr                        copied from the new $MFT: never stale
 *     6. backup boot sector, then the boot sector: now the volume is the new one
 *     7. dirty flag cleared
 *
 * Every step can be repeated; a run cut off in here is finished, never undone.
 */
export async function* changeSteps(commit: Commit, signal?: AbortSignal): AsyncGenerator<VolumeStep> {
  const { subject, layout } = commit;
  const { volume } = subject;
  const { clusterBytes, boot } = volume;
  const oldMft = new PlacedStream(runsOf(volume.mft), clusterBytes);
  const newMft = new PlacedStream(mapRuns(runsOf(volume.mft), layout.moves), clusterBytes);
  const mirrorAt = (mapRuns(runsOf(subject.mirror), layout.moves)[0]?.lcn ?? 0) * clusterBytes;
  const volumeFile = await volume.readFile(RECORD.volume);
  const flags = setDirty(volumeFile, true);
  yield writeStep(
    'mark the volume dirty',
    placeVolumeFile(volumeFile, oldMft, boot.mftMirrorLcn * clusterBytes),
  );
  yield* logSteps(commit);
  yield* repackSteps(commit, newMft);
  yield* recordSteps(commit, newMft, signal);
  yield* bitmapSteps(commit, signal);
  yield* mirrorSteps(subject, newMft, mirrorAt);
  if (commit.dropShadowCopies) yield dropCatalog();
  yield* bootSteps(commit, newMft, mirrorAt);
  if (commit.scheduleChkdsk) return;
  yield writeStep('mark the volume clean', await cleanVolumeFile(commit, flags, newMft, mirrorAt));
}

const dropCatalog = (): VolumeStep =>
  writeStep('drop the shadow copies', [
    { at: VSS_CATALOG_AT, bytes: new Uint8Array(8), why: 'catalog offset of the shadow copies' },
  ]);

/** Sets or clears the dirty flag in the record; returns the flags as they were. */
function setDirty(record: FileRecord, isDirty: boolean, original?: number): number {
  const information = record.find(ATTRIBUTE_TYPE.volumeInformation);
  if (information === undefined) throw record.error('$Volume has no $VOLUME_INFORMATION');
  const value = information.value();
  const { flags } = VOLUME_INFORMATION.decode(value);
  VOLUME_INFORMATION.patch(value, 0, { flags: isDirty ? flags | DIRTY : (original ?? flags & ~DIRTY) });
  return flags;
}

function placeVolumeFile(record: FileRecord, mft: PlacedStream, mirrorAt: number): MetadataWrite[] {
  const bytes = stampRecord(record);
  const at = RECORD.volume * bytes.length;
  const why = '$Volume';
  return [...mft.writes(at, bytes, why), { at: mirrorAt + at, bytes, why: '$Volume in $MFTMirr' }];
}

async function cleanVolumeFile(
  { subject, layout }: Commit,
  flags: number,
  mft: PlacedStream,
  mirrorAt: number,
): Promise<MetadataWrite[]> {
  const record = await subject.volume.readFile(RECORD.volume);
  new RecordRewriter(layout, subject.volume.clusterCount).rewrite(record, () => undefined);
  setDirty(record, false, flags);
  // The dirty one was stamped before: this one counts on from there.
  stampRecord(record);
  return placeVolumeFile(record, mft, mirrorAt);
}

/** One stretch of 0xFF, then copies of it over the rest of the log. */
function* logSteps({ subject, layout }: Commit): Generator<VolumeStep> {
  const { clusterBytes } = subject.volume;
  const runs = mapRuns(runsOf(subject.log), layout.moves);
  const longest = runs.reduce((best, run) => (run.length > best.length ? run : best));
  const seedAt = longest.lcn * clusterBytes;
  const seedBytes = Math.min(longest.length * clusterBytes, LOG_SEED_BYTES);
  const bytes = new Uint8Array(seedBytes).fill(0xff);
  yield writeStep('empty the log', [{ at: seedAt, bytes, why: '$LogFile' }]);
  const copies: VolumeCopy[] = [];
  for (const { lcn, length } of runs) {
    const end = (lcn + length) * clusterBytes;
    const skips = lcn * clusterBytes === seedAt ? seedBytes : 0;
    for (let to = lcn * clusterBytes + skips; to < end; to += seedBytes) {
      copies.push({ from: seedAt, to, length: Math.min(seedBytes, end - to) });
    }
  }
  yield* copySteps('change', 'empty the log', copies);
}

/** Attribute lists, packed records and their bits in the map of used records. */
async function* repackSteps(
  { layout, repack, subject }: Commit,
  mft: PlacedStream,
): AsyncGenerator<VolumeStep> {
  const { clusterBytes, boot } = subject.volume;
  const batch = new WriteBatch(
    'write attribute lists and extension records',
    'attribute lists, FILE records',
  );
  for (const { runs, value } of repack.lists) {
    const place = new PlacedStream(runs, clusterBytes);
    const bytes = new Uint8Array(place.sizeBytes);
    bytes.set(value);
    batch.add(place.writes(0, bytes, '$ATTRIBUTE_LIST'));
    if (batch.isFull) yield* batch.take();
  }
  for (const writes of repackedRecords(repack, mft, boot.recordBytes)) {
    batch.add(writes);
    if (batch.isFull) yield* batch.take();
  }
  const bits = repack.recordBits;
  if (bits !== undefined && !bits.isResident) {
    const place = new PlacedStream(mapRuns(runsOf(bits), layout.moves), clusterBytes);
    for await (const { at, bytes } of changedRecordBits(repack)) {
      batch.add(place.writes(at, bytes, '$MFT:$BITMAP'));
    }
  }
  yield* batch.take();
}

/** Sets the bits of new records in a map of used records that stands in the record; true when it is there. */
function markResident(record: FileRecord, { added }: Repack): boolean {
  if (added.length === 0 || fileNumber(record) !== RECORD.mft) return false;
  const bits = record.find(ATTRIBUTE_TYPE.bitmap);
  if (bits === undefined) return false;
  const value = bits.value();
  for (const number of added) value[number >>> 3] = (value[number >>> 3] ?? 0) | (1 << (number & 7));
  return true;
}

/** Every record that has new runs, at its new place. $Volume stays dirty. */
async function* recordSteps(
  { subject, layout, repack }: Commit,
  mft: PlacedStream,
  signal: AbortSignal | undefined,
): AsyncGenerator<VolumeStep> {
  const { volume } = subject;
  const bits = repack.recordBits?.isResident === true ? repack : NO_REPACK;
  const rewriter = new RecordRewriter(layout, volume.clusterCount);
  const batch = new WriteBatch('rewrite FILE records', 'FILE records');
  for await (const records of walkRecords(volume, signal)) {
    for (const record of records) {
      if (repack.records.has(record.number)) continue;
      const isRewritten = rewriter.rewrite(record, (attribute) => {
        throw record.error('a layout that was proven does not fit', attribute.at);
      });
      const isChanged = markResident(record, bits) || isRewritten;
      const isVolume = record.number === RECORD.volume;
      if (isVolume) setDirty(record, true);
      if (!isChanged && !isVolume) continue;
      batch.add(mft.writes(record.number * volume.boot.recordBytes, stampRecord(record), record.name));
      if (batch.isFull) yield* batch.take();
    }
  }
  yield* batch.take();
}

async function* bitmapSteps(
  { layout, bitmap }: Commit,
  signal: AbortSignal | undefined,
): AsyncGenerator<VolumeStep> {
  const place = new PlacedStream(layout.bitmapRuns, layout.clusterBytes);
  const batch = new WriteBatch('rewrite $Bitmap', '$Bitmap');
  for await (const page of changedPages(bitmap, signal)) {
    batch.add(place.writes(page.at, page.bytes, '$Bitmap'));
    if (batch.isFull) yield* batch.take();
  }
  yield* batch.take();
}

/** As many records as $MFTMirr holds, at least the four that Windows keeps current. */
function* mirrorSteps(subject: Subject, mft: PlacedStream, mirrorAt: number): Generator<VolumeStep> {
  const { volume, mirror } = subject;
  const length = Math.min(mirror.sizeBytes, volume.recordCount * volume.boot.recordBytes);
  const copies: VolumeCopy[] = [];
  let to = mirrorAt;
  for (const range of mft.ranges(0, length)) {
    copies.push({ from: range.at, to, length: range.length });
    to += range.length;
  }
  yield* copySteps('change', 'mirror the first FILE records', copies);
}

async function* bootSteps(commit: Commit, mft: PlacedStream, mirrorAt: number): AsyncGenerator<VolumeStep> {
  const { volume } = commit.subject;
  const { geometry } = commit.layout;
  const bytes = await volume.reader.readAt(0, volume.boot.bytesPerSector);
  BOOT_SECTOR.patch(bytes, 0, {
    totalSectors: geometry.totalSectors,
    mftLcn: mft.runs[0]?.lcn ?? 0,
    mftMirrorLcn: mirrorAt / volume.clusterBytes,
  });
  yield writeStep('write the backup boot sector', [
    { at: geometry.backupAt, bytes, why: 'backup boot sector' },
  ]);
  yield writeStep('write the boot sector', [{ at: 0, bytes, why: 'boot sector' }]);
}
