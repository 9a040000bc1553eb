import { damaged, type VmreclaimError } from '../../core/errors.js';
import type { Reader } from '../../device/types.js';
import {
  decodeAttributeList,
  findListed,
  type ListEntry,
  MAX_ATTRIBUTE_LIST_BYTES,
} from './attribute-list.js';
import { type BootSector, decodeBootSector } from './boot-sector.js';
import { ClusterBitmap } from './cluster-bitmap.js';
import {
  ATTRIBUTE_TYPE,
  BOOT_FILE_BYTES,
  RECORD,
  VSS_HEADER,
  VSS_HEADER_AT,
  VSS_IDENTIFIER,
} from './layout.js';
import { MappingPairs } from './mapping-pairs.js';
import { type Attribute, FileRecord, type RecordReference } from './record.js';
import { damagedNtfs } from './remedies.js';
import { Runlist } from './runlist.js';
import { AttributeStream, type ClusterSource } from './stream.js';

/** The records that $MFT's first piece must hold, so that the others can be found with them. */
const BOOTSTRAP_RECORDS = 16;
const VSS_RECORD_TYPE_HEADER = 1;

/** An opened NTFS volume: finds records and streams, never writes. */
export class NtfsVolume implements ClusterSource {
  readonly clusterBytes: number;
  readonly clusterCount: number;

  private constructor(
    readonly reader: Reader,
    readonly boot: BootSector,
    /** The content of $MFT. Its list of runs is complete once the volume is open. */
    readonly mft: AttributeStream,
    /** Shadow copies hold positions inside the volume: a move is harmless, moving single clusters is not. */
    readonly hasShadowCopies: boolean,
  ) {
    this.clusterBytes = boot.clusterBytes;
    this.clusterCount = boot.clusterCount;
  }

  /** Reads boot sector and $MFT. Throws Damaged; a volume larger than its partition too (ntfs-total-too-large). */
  static async open(reader: Reader): Promise<NtfsVolume> {
    const head = await readHead(reader);
    const boot = decodeBootSector(head);
    requireRoom(boot, reader.sizeBytes);
    const { clusterBytes, clusterCount } = boot;
    const source = { reader, clusterBytes, clusterCount };
    const record = await readFirstRecord(source, boot);
    const mft = openFirstPiece(record, boot, source);
    const volume = new NtfsVolume(reader, boot, mft, hasShadowCopies(head));
    await volume.completeMft(record);
    return volume;
  }

  /** FILE records that $MFT has room for. */
  get recordCount(): number {
    return Math.floor(this.mft.initializedBytes / this.boot.recordBytes);
  }

  /** Reads one record, in use or not. Throws Damaged. */
  async readRecord(number: number): Promise<FileRecord> {
    const at = number * this.boot.recordBytes;
    if (number >= this.recordCount) {
      throw damagedNtfs('ntfs-record', `FILE record ${number} lies behind the end of $MFT`, {
        expected: `less than ${this.recordCount}`,
        actual: number,
      });
    }
    const bytes = await this.mft.readAt(at, this.boot.recordBytes);
    return FileRecord.decode(bytes, number, this.mft.locate(at));
  }

  /** Reads the record a reference means: it must be in use and have its sequence number. Throws Damaged. */
  async readReferenced(reference: RecordReference): Promise<FileRecord> {
    const record = await this.readRecord(reference.record);
    if (!record.inUse || record.sequence !== reference.sequence) {
      throw damagedNtfs('ntfs-reference', `${record.name} is referred to, but is not that file`, {
        offset: record.offset,
        expected: `sequence ${reference.sequence}, in use`,
        actual: `sequence ${record.sequence}, ${record.inUse ? 'in use' : 'free'}`,
      });
    }
    return record;
  }

  /** Reads a record that must be in use and a base record. */
  async readFile(number: number): Promise<FileRecord> {
    const record = await this.readRecord(number);
    if (!record.inUse || record.isExtension) throw record.error('should be a file in use');
    return record;
  }

  /** The entries of the record's attribute list, or undefined when it has none. Throws Damaged. */
  async attributeList(base: FileRecord): Promise<ListEntry[] | undefined> {
    const attribute = base.find(ATTRIBUTE_TYPE.attributeList);
    if (attribute === undefined) return undefined;
    // A non-resident list has all its runs in the base record: there is no list of a list.
    const value = await this.openSingle(attribute).readAll(MAX_ATTRIBUTE_LIST_BYTES);
    return decodeAttributeList(value, base.name);
  }

  /** The stream of that type and name, over all its pieces; undefined when the file has none. Throws Damaged. */
  async openStream(base: FileRecord, type: number, name = ''): Promise<AttributeStream | undefined> {
    const list = await this.attributeList(base);
    if (list === undefined) {
      const attribute = base.find(type, name);
      return attribute === undefined ? undefined : this.openSingle(attribute);
    }
    const [first, ...others] = list.filter((entry) => entry.type === type && entry.name === name);
    if (first === undefined) return undefined;
    const stream = this.openSingle(await this.findEntry(first, base));
    await this.appendPieces(stream, base, others);
    return stream;
  }

  /** The map of used clusters. */
  async clusterBitmap(): Promise<ClusterBitmap> {
    const stream = await this.openStream(await this.readFile(RECORD.bitmap), ATTRIBUTE_TYPE.data);
    if (stream === undefined) throw damagedNtfs('ntfs-bitmap', '$Bitmap has no content');
    return new ClusterBitmap(stream, this.clusterCount);
  }

  /** The map of FILE records in use. Throws Damaged unless it has a stored bit for every record. */
  async recordBitmap(): Promise<AttributeStream> {
    const record = await this.readFile(RECORD.mft);
    const bits = await this.openStream(record, ATTRIBUTE_TYPE.bitmap);
    const needed = Math.ceil(this.recordCount / 8);
    if (bits === undefined || bits.sizeBytes < needed) {
      throw damagedNtfs('ntfs-mft-bitmap', 'the bitmap of $MFT does not cover $MFT', {
        offset: record.offset,
        expected: `${needed} bytes`,
        actual: `${bits?.sizeBytes ?? 0} bytes`,
      });
    }
    bits.requireDense();
    return bits;
  }

  /** The attribute an entry of the list of `base` stands for; `holder`: its record, when known. Throws Damaged. */
  async findEntry(entry: ListEntry, base: FileRecord, holder?: FileRecord): Promise<Attribute> {
    const own = entry.reference.record === base.number ? base : holder;
    return findListed(entry, own ?? (await this.readReferenced(entry.reference)), base);
  }

  private openSingle(attribute: Attribute): AttributeStream {
    if (attribute.isResident) return AttributeStream.resident(attribute, this);
    if (attribute.lowestVcn !== 0) throw attribute.record.error('stream lacks its first piece', attribute.at);
    const runs = new Runlist();
    runs.append(new MappingPairs(this.clusterCount).open(attribute));
    return AttributeStream.nonResident(attribute, runs, this);
  }

  /** Adds the later pieces of a stream, each of which begins where the one before ended. */
  private async appendPieces(stream: AttributeStream, base: FileRecord, entries: ListEntry[]): Promise<void> {
    const pairs = new MappingPairs(this.clusterCount);
    for (const entry of entries) {
      const piece = await this.findEntry(entry, base);
      if (piece.isResident || piece.lowestVcn !== stream.runs.endVcn) {
        throw damagedNtfs('ntfs-attribute-list', `${stream.label}: pieces do not follow each other`, {
          offset: piece.record.offset + piece.at,
          expected: `VCN ${stream.runs.endVcn}`,
          actual: `VCN ${piece.lowestVcn}`,
        });
      }
      stream.runs.append(pairs.open(piece));
    }
  }

  /**
   * Adds the pieces of $MFT that stand in extension records. Such a record is read through the pieces before it,
   * so one that only its own piece could reach is found out as lying behind the end.
   */
  private async completeMft(record: FileRecord): Promise<void> {
    const list = (await this.attributeList(record)) ?? [];
    const pieces = list.filter((entry) => entry.type === ATTRIBUTE_TYPE.data && entry.name === '');
    await this.appendPieces(
      this.mft,
      record,
      pieces.filter((entry) => entry.lowestVcn !== 0),
    );
    this.mft.requireDense();
  }
}

/** Opens a volume for reading; see NtfsVolume.open. */
export const openVolume = (reader: Reader): Promise<NtfsVolume> => NtfsVolume.open(reader);

/** $Boot: boot sector, boot code, shadow copy header; less on a volume that is shorter. */
export async function readHead(reader: Reader): Promise<Uint8Array> {
  return reader.readAt(0, Math.min(BOOT_FILE_BYTES, reader.sizeBytes));
}

/** Throws Damaged (ntfs-total-too-large) when the partition ends before the volume. */
export function requireRoom(boot: BootSector, sizeBytes: number): void {
  if (boot.totalBytes > sizeBytes) throw tooLargeError(boot, sizeBytes);
}

/** Windows shows such a volume as RAW; nothing behind the partition's end belongs to it. */
export function tooLargeError(boot: BootSector, sizeBytes: number): VmreclaimError {
  return damaged('ntfs-total-too-large', 'the NTFS volume is larger than its partition', {
    offset: 0x28,
    expected: `${sizeBytes} bytes at the most`,
    actual: boot.totalBytes,
    hint: 'enlarge the partition to the size of the volume; Windows shows it as RAW until then',
  });
}

async function readFirstRecord(source: ClusterSource, boot: BootSector): Promise<FileRecord> {
  const at = boot.mftLcn * boot.clusterBytes;
  const length = Math.min(boot.recordBytes, boot.totalBytes - at);
  if (length < boot.recordBytes) throw damaged('truncated', '$MFT is cut off', { offset: at });
  const record = FileRecord.decode(await source.reader.readAt(at, length), RECORD.mft, at);
  if (!record.inUse) throw record.error('$MFT itself is marked free');
  return record;
}

function openFirstPiece(record: FileRecord, boot: BootSector, source: ClusterSource): AttributeStream {
  const attribute = record.find(ATTRIBUTE_TYPE.data);
  if (attribute === undefined || attribute.isResident || attribute.lowestVcn !== 0) {
    throw record.error('$MFT lacks the first piece of its content');
  }
  const runs = new Runlist();
  runs.append(new MappingPairs(boot.clusterCount).open(attribute));
  const needed = Math.ceil((BOOTSTRAP_RECORDS * boot.recordBytes) / boot.clusterBytes);
  if (runs.endVcn < needed || runs.at(0).lcn !== boot.mftLcn) {
    throw record.error('$MFT does not describe its own beginning', attribute.at);
  }
  const stream = AttributeStream.nonResident(attribute, runs, source);
  if (stream.isPlain) return stream;
  throw record.error('$MFT is compressed or encrypted', attribute.at);
}

function hasShadowCopies(head: Uint8Array): boolean {
  if (head.length < VSS_HEADER_AT + VSS_HEADER.size) return false;
  const header = VSS_HEADER.decode(head, VSS_HEADER_AT);
  const isHeader = header.identifier === VSS_IDENTIFIER && header.recordType === VSS_RECORD_TYPE_HEADER;
  return isHeader && header.catalogOffset !== 0n;
}
