import { damaged, type VmreclaimError } from '../../core/errors.js';
import { KIB } from '../../core/units.js';
import type { Reader } from '../../device/types.js';
import { AllocationAudit } from './allocation-audit.js';
import { findListed, type ListEntry } from './attribute-list.js';
import { bitAt } from './bits.js';
import { Directory } from './directory.js';
import { ATTRIBUTE_TYPE, FILE_RECORD, RECORD, RECORD_IN_USE } from './layout.js';
import { HOLE, MappingPairs } from './mapping-pairs.js';
import { type Attribute, FileRecord, hasFileMagic } from './record.js';
import type { AttributeStream } from './stream.js';
import { type NtfsVolume, openVolume } from './volume.js';

/** Bytes of $MFT read at a time. Larger reads are not faster, and what they leave behind fragments the heap. */
const CHUNK_BYTES = 256 * KIB;
/** Windows keeps only the first four records of $MFTMirr current. */
const MIRRORED_RECORDS = 4;

/**
 * Deep check: every record in use decodes, everything a record refers to lies inside the volume and is marked
 * used, attribute lists lead to their pieces, $MFTMirr mirrors, the root directory can be read. Streams $MFT;
 * memory does not grow with the volume. Throws Damaged at the first contradiction.
 */
export async function checkNtfs(reader: Reader, signal?: AbortSignal): Promise<void> {
  const volume = await openVolume(reader);
  await checkMirror(volume);
  const root = await Directory.open(volume, await volume.readFile(RECORD.root));
  await root.checkNodes(signal);
  const audit = new AllocationAudit(await volume.clusterBitmap(), signal);
  await new RecordWalk(volume, audit, signal).run();
  await audit.flush();
}

async function checkMirror(volume: NtfsVolume): Promise<void> {
  const { boot, reader } = volume;
  const at = boot.mftMirrorLcn * boot.clusterBytes;
  const length = Math.min(MIRRORED_RECORDS * boot.recordBytes, boot.totalBytes - at);
  const mirror = await reader.readAt(at, length);
  for (let number = 0; number < MIRRORED_RECORDS; number++) {
    const offset = number * boot.recordBytes;
    const original = await volume.readRecord(number);
    const bytes = mirror.slice(offset, offset + boot.recordBytes);
    const same = hasFileMagic(bytes) && sameRecord(original, FileRecord.decode(bytes, number, at + offset));
    if (!same) {
      throw damaged('ntfs-mirror', `$MFTMirr differs from $MFT in record ${number}`, {
        offset: at + offset,
        hint: 'start the guest and run `chkdsk /f` on the volume',
      });
    }
  }
}

/** Compares what is in use. The fix-ups themselves may differ: each copy counts its own writes. */
function sameRecord(a: FileRecord, b: FileRecord): boolean {
  if (a.bytesInUse !== b.bytesInUse || a.firstAttribute !== b.firstAttribute) return false;
  for (let at = 0; at < a.bytesInUse; at++) {
    const isFixup = at >= FILE_RECORD.headerBytes && at < a.firstAttribute;
    if (!isFixup && a.bytes[at] !== b.bytes[at]) return false;
  }
  return true;
}

/** One pass over $MFT. */
class RecordWalk {
  private readonly pairs: MappingPairs;
  /** Extension records in use, and those that lists lead to. */
  private extensions = 0;
  private listed = 0;

  constructor(
    private readonly volume: NtfsVolume,
    private readonly audit: AllocationAudit,
    private readonly signal: AbortSignal | undefined,
  ) {
    this.pairs = new MappingPairs(volume.clusterCount);
  }

  async run(): Promise<void> {
    const { volume } = this;
    const { recordBytes } = volume.boot;
    const inUse = await openRecordBitmap(volume);
    const perChunk = CHUNK_BYTES / recordBytes;
    const buffer = new Uint8Array(CHUNK_BYTES);
    for (let first = 0; first < volume.recordCount; first += perChunk) {
      const count = Math.min(perChunk, volume.recordCount - first);
      const records = buffer.subarray(0, count * recordBytes);
      await volume.mft.readInto(first * recordBytes, records, this.signal);
      const bits = await inUse.readAt(first / 8, Math.ceil(count / 8), this.signal);
      for (let index = 0; index < count; index++) {
        const bytes = records.subarray(index * recordBytes, (index + 1) * recordBytes);
        const record = this.decodeUsed(bytes, first + index, bitAt(bits, index));
        // No await for the many records that need none: that would cost more than checking them.
        if (record?.isExtension === true) this.extensions++;
        if (record !== undefined && this.checkAttributes(record)) await this.checkList(record);
        if (this.audit.isFull) await this.audit.flush();
      }
    }
    if (this.extensions !== this.listed) {
      throw damaged('ntfs-attribute-list', 'some extension records are in no attribute list', {
        expected: this.listed,
        actual: this.extensions,
        hint: 'start the guest and run `chkdsk /f` on the volume',
      });
    }
  }

  /**
   * The record, or undefined when it is free: tails of $MFT often were never formatted. A bit without a record
   * that says it is in use is reserved; a record in use without its bit would be overwritten by Windows.
   */
  private decodeUsed(bytes: Uint8Array, number: number, hasBit: boolean): FileRecord | undefined {
    if (!hasBit && !hasFileMagic(bytes)) return undefined;
    const saysInUse = ((bytes[FILE_RECORD.flags] ?? 0) & RECORD_IN_USE) !== 0;
    if (hasFileMagic(bytes) && !saysInUse) return undefined;
    const offset = this.volume.mft.locate(number * this.volume.boot.recordBytes);
    if (!hasBit) {
      throw damaged('ntfs-mft-bitmap', `FILE record ${number} is in use, but the bitmap of $MFT says free`, {
        offset,
      });
    }
    return FileRecord.decode(bytes, number, offset);
  }

  /** Hands every run to the audit; true when the record has an attribute list. */
  private checkAttributes(record: FileRecord): boolean {
    let hasList = false;
    for (const attribute of record.attributes()) {
      if (attribute.type === ATTRIBUTE_TYPE.attributeList) hasList = true;
      if (!attribute.isResident) this.checkRuns(attribute);
    }
    return hasList;
  }

  private checkRuns(attribute: Attribute): void {
    const { pairs } = this;
    pairs.open(attribute);
    while (pairs.next()) {
      if (pairs.lcn !== HOLE) this.audit.add(pairs.lcn, pairs.length, attribute.record.number);
    }
    // 0 also means that a driver did not fill it in.
    const { highestVcn } = attribute;
    const expected = attribute.lowestVcn + pairs.totalClusters - 1;
    if (highestVcn !== 0 && highestVcn !== expected) {
      throw damaged('ntfs-runlist', `${attribute.label}: its runs do not add up to its last VCN`, {
        offset: attribute.record.offset + attribute.at,
        expected: highestVcn,
        actual: expected,
      });
    }
  }

  /**
   * Every entry of the list leads to its piece, the pieces of a stream follow each other, types ascend, and no
   * record has attributes that the list leaves out.
   */
  private async checkList(base: FileRecord): Promise<void> {
    const entries = (await this.volume.attributeList(base)) ?? [];
    const unlisted = new Map([[base.number, base.attributes().length - 1]]);
    let holder = base;
    let nextVcn = 0;
    let previous: ListEntry | undefined;
    for (const entry of entries) {
      const { reference } = entry;
      // Lists are sorted, so pieces of one record mostly follow each other.
      if (reference.record === base.number) holder = base;
      else if (reference.record !== holder.number) holder = await this.volume.readReferenced(reference);
      const left = unlisted.get(holder.number) ?? holder.attributes().length;
      unlisted.set(holder.number, left - 1);
      const piece = findListed(entry, holder, base);
      if (entry.type < (previous?.type ?? 0)) throw listError(base, 'is not sorted');
      const continues = previous !== undefined && isSameStream(previous, entry) && entry.lowestVcn !== 0;
      if (entry.lowestVcn !== (continues ? nextVcn : 0)) throw doesNotFollow(piece, continues ? nextVcn : 0);
      nextVcn = piece.isResident ? 0 : entry.lowestVcn + countClusters(piece, this.pairs);
      previous = entry;
    }
    for (const [number, left] of unlisted) {
      if (left !== 0) throw listError(base, `and the attributes of record ${number} differ in number`);
    }
    this.listed += unlisted.size - 1;
  }
}

const listError = (base: FileRecord, what: string): VmreclaimError =>
  damaged('ntfs-attribute-list', `attribute list of ${base.name} ${what}`, { offset: base.offset });

const isSameStream = (a: ListEntry, b: ListEntry): boolean => a.type === b.type && a.name === b.name;

function countClusters(attribute: Attribute, pairs: MappingPairs): number {
  pairs.open(attribute);
  while (pairs.next());
  return pairs.totalClusters;
}

function doesNotFollow(piece: Attribute, expected: number): VmreclaimError {
  return damaged('ntfs-attribute-list', `${piece.label}: pieces do not follow each other`, {
    offset: piece.record.offset + piece.at,
    expected: `VCN ${expected}`,
    actual: `VCN ${piece.lowestVcn}`,
  });
}

/** $MFT's own bitmap: which records are in use. */
async function openRecordBitmap(volume: NtfsVolume): Promise<AttributeStream> {
  const record = await volume.readFile(RECORD.mft);
  const stream = await volume.openStream(record, ATTRIBUTE_TYPE.bitmap);
  const needed = Math.ceil(volume.recordCount / 8);
  if (stream === undefined || stream.sizeBytes < needed) {
    throw damaged('ntfs-mft-bitmap', 'the bitmap of $MFT does not cover $MFT', {
      offset: record.offset,
      expected: `${needed} bytes`,
      actual: `${stream?.sizeBytes ?? 0} bytes`,
    });
  }
  return stream;
}
