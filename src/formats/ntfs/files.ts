import { unsupported } from '../../core/errors.js';
import type { ByteRange } from '../../core/range.js';
import type { Reader } from '../../device/types.js';
import type { MetadataWrite } from '../types.js';
import { type FileFinder, type FilePatch, patchPlaces, type VolumeFile } from '../volume-file.js';
import { Directory, type UpCase } from './directory.js';
import { ATTRIBUTE_TYPE, FILE_RECORD, RECORD } from './layout.js';
import { FileRecord, type RecordReference } from './record.js';
import { damagedNtfs } from './remedies.js';
import { stampRecord } from './resize/edit-record.js';
import type { AttributeStream } from './stream.js';
import { type NtfsVolume, openVolume } from './volume.js';

/** One upper-case letter for each of the 65536 UTF-16 units. */
const UP_CASE_BYTES = 131_072;
/** Flag of a FILE record: it has an index of names. */
const RECORD_IS_DIRECTORY = 0x0002;

/** Finds files of an NTFS volume. Throws Damaged when the volume cannot be opened. */
export async function ntfsFiles(reader: Reader): Promise<FileFinder> {
  const volume = await openVolume(reader);
  const upCase = await readUpCase(volume);
  return {
    find: (path) => findFile(volume, upCase, path),
    folders: async () => (await Directory.open(volume, await volume.readFile(RECORD.root))).folders(),
  };
}

async function findFile(
  volume: NtfsVolume,
  upCase: UpCase,
  path: readonly string[],
): Promise<VolumeFile | undefined> {
  let record = await volume.readFile(RECORD.root);
  for (const name of path) {
    if (!isDirectory(record)) return undefined;
    const directory = await Directory.open(volume, record);
    const reference = await onlyOne(directory.findAll(name, upCase), path);
    if (reference === undefined) return undefined;
    record = await volume.readReferenced(reference);
    await refuseReparsePoint(volume, record, path);
  }
  if (isDirectory(record)) return undefined;
  const stream = await volume.openStream(record, ATTRIBUTE_TYPE.data);
  if (stream === undefined) return undefined;
  return new NtfsFile(`\\${path.join('\\')}`, volume, stream, await holderOf(volume, record, stream));
}

/** Windows sees one of several names that differ in case; which one is not ours to guess. */
async function onlyOne(found: AsyncIterable<RecordReference>, path: readonly string[]) {
  let only: RecordReference | undefined;
  for await (const reference of found) {
    if (only !== undefined && only.record !== reference.record) {
      throw unsupported('ntfs-name-twice', `\\${path.join('\\')} is there twice, in other letter cases`, {
        hint: 'rename one of them with the system that made it (Linux, or Windows Services for UNIX)',
      });
    }
    only = reference;
  }
  return only;
}

const isDirectory = (record: FileRecord): boolean =>
  (record.view.getUint16(FILE_RECORD.flags, true) & RECORD_IS_DIRECTORY) !== 0;

/** Links, and files that a filter of Windows keeps elsewhere (compression by WOF, deduplication, cloud files). */
async function refuseReparsePoint(volume: NtfsVolume, record: FileRecord, path: readonly string[]) {
  if ((await volume.openStream(record, ATTRIBUTE_TYPE.reparsePoint)) === undefined) return;
  throw unsupported('ntfs-reparse-point', `\\${path.join('\\')} is, or lies behind, a reparse point`, {
    hint: 'put a plain file in its place inside the guest (compact /u, or copy it)',
  });
}

/** The record that holds a resident stream: the file's own, or one of its attribute list. */
async function holderOf(
  volume: NtfsVolume,
  record: FileRecord,
  stream: AttributeStream,
): Promise<FileRecord> {
  if (!stream.isResident) return record;
  const list = await volume.attributeList(record);
  const entry = list?.find(({ type, name }) => type === ATTRIBUTE_TYPE.data && name === '');
  return entry === undefined ? record : (await volume.findEntry(entry, record)).record;
}

class NtfsFile implements VolumeFile {
  readonly sizeBytes: number;

  constructor(
    readonly label: string,
    private readonly volume: NtfsVolume,
    private readonly stream: AttributeStream,
    /** Where a resident stream is. */
    private readonly holder: FileRecord,
  ) {
    this.sizeBytes = stream.sizeBytes;
  }

  async readAt(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array> {
    if (!this.stream.isResident && !this.stream.isPlain) throw this.notPlain();
    return this.stream.readAt(offset, length, signal);
  }

  places(at: number, length: number): ByteRange[] {
    if (!this.stream.isPlain) throw this.notPlain();
    return this.stream.places(at, length);
  }

  patch(patches: readonly FilePatch[], why: string): MetadataWrite[] {
    if (!this.stream.isResident) return patchPlaces(this, patches, why);
    return this.patchRecord(patches, why);
  }

  /** The whole FILE record with the new content, under the next update sequence number. */
  private patchRecord(patches: readonly FilePatch[], why: string): MetadataWrite[] {
    const { mft, boot } = this.volume;
    const { number, offset, bytes } = this.holder;
    const copy = FileRecord.unstamped(bytes.slice(), number, offset);
    const value = copy.find(ATTRIBUTE_TYPE.data)?.value();
    if (value === undefined) throw copy.error('its content is gone');
    for (const patch of patches) {
      if (patch.at < 0 || patch.at + patch.bytes.length > value.length) {
        throw damagedNtfs('ntfs-stream', `${this.label} ends before byte ${patch.at + patch.bytes.length}`);
      }
      value.set(patch.bytes, patch.at);
    }
    const stamped = { at: number * boot.recordBytes, bytes: stampRecord(copy) };
    return patchPlaces(mft, [stamped], why);
  }

  private notPlain() {
    return unsupported('ntfs-file-not-plain', `${this.label} is compressed or encrypted`, {
      hint: `inside the guest: compact /u "${this.label}", or cipher /d for an encrypted file`,
    });
  }
}

async function readUpCase(volume: NtfsVolume): Promise<UpCase> {
  const record = await volume.readFile(RECORD.upCase);
  const stream = await volume.openStream(record, ATTRIBUTE_TYPE.data);
  if (stream === undefined) throw record.error('$UpCase has no content');
  const bytes = await stream.readAll(UP_CASE_BYTES);
  if (bytes.length !== UP_CASE_BYTES) throw record.error('$UpCase is cut off');
  const table = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return (unit) => table.getUint16(unit * 2, true);
}
