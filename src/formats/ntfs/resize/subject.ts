import { refusal, refused, unsupported } from '../../../core/errors.js';
import type { Reader } from '../../../device/types.js';
import { ClusterBitmap } from '../cluster-bitmap.js';
import { ATTRIBUTE_TYPE, BOOT_FILE_BYTES, MIRRORED_RECORDS, RECORD } from '../layout.js';
import { HOLE } from '../mapping-pairs.js';
import type { FileRecord } from '../record.js';
import { CHKDSK_HINT, damagedNtfs } from '../remedies.js';
import { readVolumeState } from '../state.js';
import type { AttributeStream } from '../stream.js';
import { type NtfsVolume, openVolume } from '../volume.js';
import type { PlacedRun } from './encode-pairs.js';

/** A volume that may be resized, with the files that every resize changes. */
export interface Subject {
  readonly volume: NtfsVolume;
  readonly bitmap: ClusterBitmap;
  readonly bitmapStream: AttributeStream;
  readonly log: AttributeStream;
  readonly mirror: AttributeStream;
}

/**
 * Opens a volume and checks what forbids every change: dirty, hibernated, an unclean log (Refused), bad clusters
 * (Refused), special files in forms that no formatter makes (Unsupported, Damaged).
 */
export async function openSubject(reader: Reader): Promise<Subject> {
  const volume = await openVolume(reader);
  const [reason] = (await readVolumeState(volume)).reasons;
  if (reason !== undefined) {
    throw refusal(reason);
  }
  const bitmapStream = await openSpecial(volume, RECORD.bitmap, '$Bitmap');
  const log = await openSpecial(volume, RECORD.logFile, '$LogFile');
  const mirror = await openMirror(volume);
  await requireBootFile(volume);
  requireOneContent(await requirePlainRecord(volume, RECORD.bitmap, '$Bitmap'));
  await requirePlainRecord(volume, RECORD.volume, '$Volume');
  await checkBadClusters(volume);
  return { volume, bitmap: new ClusterBitmap(bitmapStream, volume.clusterCount), bitmapStream, log, mirror };
}

async function openSpecial(volume: NtfsVolume, number: number, name: string): Promise<AttributeStream> {
  const stream = await volume.openStream(await volume.readFile(number), ATTRIBUTE_TYPE.data);
  if (stream === undefined) throw damagedNtfs('ntfs-record', `${name} has no content`);
  if (stream.isResident || !stream.isPlain || stream.runs.hasHoles || stream.runs.count === 0) {
    throw unsupported('ntfs-special-file', `${name} is not stored as plain clusters`, {
      hint: CHKDSK_HINT,
    });
  }
  stream.requireDense();
  return stream;
}

/** $MFTMirr is written by its place: what it lacks in clusters would be written over its neighbour. */
async function openMirror(volume: NtfsVolume): Promise<AttributeStream> {
  const mirror = await openSpecial(volume, RECORD.mftMirror, '$MFTMirr');
  const { mftMirrorLcn, recordBytes } = volume.boot;
  if (mirror.runs.at(0).lcn !== mftMirrorLcn || mirror.runs.count !== 1) {
    throw damagedNtfs('ntfs-mirror', '$MFTMirr is not where the boot sector says, or in pieces', {});
  }
  const needed = MIRRORED_RECORDS * recordBytes;
  if (mirror.sizeBytes < needed) {
    throw damagedNtfs('ntfs-mirror', '$MFTMirr is too short for the records it mirrors', {
      expected: `${needed} bytes`,
      actual: `${mirror.sizeBytes} bytes`,
    });
  }
  return mirror;
}

/** $Boot owns the boot code and the shadow copy header: else they would be free space, and files would move there. */
async function requireBootFile(volume: NtfsVolume): Promise<void> {
  const boot = await volume.openStream(await volume.readFile(RECORD.boot), ATTRIBUTE_TYPE.data);
  const first = boot !== undefined && boot.runs.count > 0 ? boot.runs.at(0) : undefined;
  if (first?.lcn === 0 && first.length * volume.clusterBytes >= BOOT_FILE_BYTES) return;
  throw damagedNtfs('ntfs-boot-file', '$Boot does not own the beginning of the volume', {
    expected: `${BOOT_FILE_BYTES} bytes from cluster 0 on`,
  });
}

/** With two unnamed streams nothing says which one is the map. */
function requireOneContent(record: FileRecord): void {
  const contents = record.attributes().filter(({ type }) => type === ATTRIBUTE_TYPE.data);
  if (contents.filter((attribute) => attribute.hasName('')).length > 1)
    throw record.error('has its content twice');
}

async function requirePlainRecord(volume: NtfsVolume, number: number, name: string): Promise<FileRecord> {
  const record = await volume.readFile(number);
  if (record.find(ATTRIBUTE_TYPE.attributeList) === undefined) return record;
  throw unsupported('ntfs-attribute-list', `${name} has an attribute list`, {
    offset: record.offset,
    hint: 'defragment the volume in the guest and try again',
  });
}

async function checkBadClusters(volume: NtfsVolume): Promise<void> {
  const record = await requirePlainRecord(volume, RECORD.badClusters, '$BadClus');
  const bad = await volume.openStream(record, ATTRIBUTE_TYPE.data, '$Bad');
  if (bad === undefined || bad.isResident) throw record.error('$BadClus has no map of the volume');
  for (let index = 0; index < bad.runs.count; index++) {
    if (bad.runs.at(index).lcn === HOLE) continue;
    throw refused('ntfs-bad-clusters', 'the NTFS volume has clusters that are marked bad', {
      hint: 'on a virtual disk they are usually left from another disk: run `chkdsk /b` in the guest',
    });
  }
}

/** The runs of an opened stream. */
export function runsOf(stream: AttributeStream): PlacedRun[] {
  return Array.from({ length: stream.runs.count }, (_, index) => {
    const { lcn, length } = stream.runs.at(index);
    return { lcn, length };
  });
}
