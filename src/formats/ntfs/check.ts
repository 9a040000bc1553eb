import type { VmreclaimError } from '../../core/errors.js';
import { KIB } from '../../core/units.js';
import type { Reader } from '../../device/types.js';
import { AllocationAudit } from './allocation-audit.js';
import { findListed, type ListEntry } from './attribute-list.js';
import { bitAt } from './bits.js';
import { Directory } from './directory.js';
import { ATTRIBUTE_TYPE, FILE_RECORD, MIRRORED_RECORDS, RECORD, RECORD_IN_USE } from './layout.js';
import { HOLE, MappingPairs } from './mapping-pairs.js';
import { type Attribute, FileRecord, hasFileMagic } from './record.js';
import { damagedNtfs } from './remedies.js';
import { type NtfsVolume, openVolume } from './volume.js';

/** Bytes of $MFT read at a time. Larger reads are not faster, and what they leave behind fragments the heap. */
const CHUNK_BYTES = 256 * KIB;

/** What a sound volume may have and should not. */
export interface NtfsLeftovers {
  /**
   * Extension records in use that no attribute list leads to. No file lacks them: one whose last pieces were not
   * listed would be shorter than its allocated size. chkdsk deletes them, ntfsresize passes over them.
   */
  readonly orphans: number;
}

/**
 * Deep check: every record in use decodes, everything a record refers to lies inside the volume and is marked
 * used, attribute lists lead to their pieces and streams are as long as they say, $MFTMirr mirrors, the root
 * directory can be read. Streams $MFT; memory does not grow with the volume. Throws Damaged at the first contradiction.
 */
export async function checkNtfs(reader: Reader, signal?: AbortSignal): Promise<NtfsLeftovers> {
  const volume = await openVolume(reader);
  await checkMirror(volume);
  const root = await Directory.open(volume, await volume.readFile(RECORD.root));
  await root.checkNodes(signal);
  const audit = new AllocationAudit(await volume.clusterBitmap(), signal);
  const orphans = await new RecordWalk(volume, audit, signal).run();
  await audit.flush();
  return { orphans };
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
      throw damagedNtfs('ntfs-mirror', `$MFTMirr differs from $MFT in record ${number}`, {
        offset: at + offset,
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

  /** Returns the count of extension records that are in no list. */
  async run(): Promise<number> {
    const { volume } = this;
    const { recordBytes } = volume.boot;
    const inUse = await volume.recordBitmap();
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
    return this.extensions - this.listed;
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
      throw damagedNtfs(
        'ntfs-mft-bitmap',
        `FILE record ${number} is in use, but the bitmap of $MFT says free`,
        {
          offset,
        },
      );
    }
    return FileRecord.decode(bytes, number, offset);
  }

  /** Hands every run to the audit; true when the record has an attribute list. */
  private checkAttributes(record: FileRecord): boolean {
    let hasList = false;
    for (const attribute of record.attributes()) {
      if (attribute.type === ATTRIBUTE_TYPE.attributeList) hasList = true;
      if (hasList && record.isExtension) throw record.error('an extension has an attribute list');
      if (attribute.isResident) continue;
      const clusters = this.checkRuns(attribute);
      // Where there is a list, it tells which pieces make a stream.
      if (!record.isExtension && (!hasList || attribute.type === ATTRIBUTE_TYPE.attributeList))
        this.checkLength(attribute, clusters);
    }
    return hasList;
  }

  /** Hands the runs to the audit; returns their clusters. */
  private checkRuns(attribute: Attribute): number {
    const { pairs } = this;
    pairs.open(attribute);
    while (pairs.next()) {
      if (pairs.lcn !== HOLE) this.audit.add(pairs.lcn, pairs.length, attribute.record.number);
    }
    // 0 also means that a driver did not fill it in.
    const { highestVcn } = attribute;
    const expected = attribute.lowestVcn + pairs.totalClusters - 1;
    if (highestVcn !== 0 && highestVcn !== expected) {
      throw damagedNtfs('ntfs-runlist', `${attribute.label}: its runs do not add up to its last VCN`, {
        offset: attribute.record.offset + attribute.at,
        expected: highestVcn,
        actual: expected,
      });
    }
    return pairs.totalClusters;
  }

  /** A stream that lost its last pieces has fewer clusters than its first piece, which alone has sizes, says. */
  private checkLength(first: Attribute, clusters: number): void {
    const bytes = clusters * this.volume.clusterBytes;
    if (bytes >= first.allocatedSize) return;
    throw damagedNtfs('ntfs-runlist', `${first.label}: its runs end before its allocated size`, {
      offset: first.record.offset + first.at,
      expected: `${first.allocatedSize} bytes`,
      actual: `${bytes} bytes`,
    });
  }

  /**
   * Every entry of the list leads to its piece, the pieces of a stream follow each other to its end, types ascend,
   * and no record has attributes that the list leaves out.
   */
  private async checkList(base: FileRecord): Promise<void> {
    const entries = (await this.volume.attributeList(base)) ?? [];
    const unlisted = new Map([[base.number, base.attributes().length - 1]]);
    let holder = base;
    let nextVcn = 0;
    let first: Attribute | undefined;
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
      if (!continues) {
        if (first?.isResident === false) this.checkLength(first, nextVcn);
        first = piece;
      }
      nextVcn = piece.isResident ? 0 : entry.lowestVcn + countClusters(piece, this.pairs);
      previous = entry;
    }
    if (first?.isResident === false) this.checkLength(first, nextVcn);
    for (const [number, left] of unlisted) {
      if (left !== 0) throw listError(base, `and the attributes of record ${number} differ in number`);
    }
    this.listed += unlisted.size - 1;
  }
}

const listError = (base: FileRecord, what: string): VmreclaimError =>
  damagedNtfs('ntfs-attribute-list', `attribute list of ${base.name} ${what}`, { offset: base.offset });

const isSameStream = (a: ListEntry, b: ListEntry): boolean => a.type === b.type && a.name === b.name;

function countClusters(attribute: Attribute, pairs: MappingPairs): number {
  pairs.open(attribute);
  while (pairs.next());
  return pairs.totalClusters;
}

function doesNotFollow(piece: Attribute, expected: number): VmreclaimError {
  return damagedNtfs('ntfs-attribute-list', `${piece.label}: pieces do not follow each other`, {
    offset: piece.record.offset + piece.at,
    expected: `VCN ${expected}`,
    actual: `VCN ${piece.lowestVcn}`,
  });
}
