import type { VmreclaimError } from '../../core/errors.js';
import { undoFixups } from './fixup.js';
import { ATTRIBUTE, ATTRIBUTE_TYPE, FILE_RECORD, MAGIC, RECORD_IN_USE } from './layout.js';
import { damagedNtfs } from './remedies.js';

/** A reference to a FILE record: 48 bits of number, 16 bits of sequence. */
export interface RecordReference {
  readonly record: number;
  readonly sequence: number;
}

/** Reads a reference; the caller has checked the bounds. */
export function readReference(view: DataView, at: number): RecordReference {
  const record = view.getUint32(at, true) + view.getUint16(at + 4, true) * 2 ** 32;
  return { record, sequence: view.getUint16(at + 6, true) };
}

/** True when the bytes begin with FILE; records that were never used often do not. */
export function hasFileMagic(bytes: Uint8Array, at = 0): boolean {
  return bytes[at] === 0x46 && bytes[at + 1] === 0x49 && bytes[at + 2] === 0x4c && bytes[at + 3] === 0x45;
}

/** One FILE record whose fix-ups were undone. Fields are read when asked for: a deep check sees millions. */
export class FileRecord {
  readonly view: DataView;

  private constructor(
    readonly bytes: Uint8Array,
    /** Number of the record in $MFT. */
    readonly number: number,
    /** Where it was read, in bytes of the volume; for messages. */
    readonly offset: number,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** Undoes the fix-ups in place and checks the header. Throws Damaged. */
  static decode(bytes: Uint8Array, number: number, offset: number): FileRecord {
    const record = new FileRecord(bytes, number, offset);
    if (record.view.getUint32(0, true) !== MAGIC.FILE) {
      throw damagedNtfs('ntfs-record', `${record.name} is no FILE record`, { offset });
    }
    undoFixups(bytes, record.name, offset);
    const first = record.firstAttribute;
    const { bytesInUse } = record;
    if (
      bytesInUse > bytes.length ||
      first < FILE_RECORD.headerBytes ||
      first % 8 !== 0 ||
      first > bytesInUse
    ) {
      throw record.error(`impossible header (attributes ${first} to ${bytesInUse})`);
    }
    return record;
  }

  /** A record of bytes whose fix-ups are undone already, as those of another record are. */
  static unstamped(bytes: Uint8Array, number: number, offset: number): FileRecord {
    return new FileRecord(bytes, number, offset);
  }

  get name(): string {
    return `FILE record ${this.number}`;
  }
  get sequence(): number {
    return this.view.getUint16(FILE_RECORD.sequence, true);
  }
  get inUse(): boolean {
    return (this.view.getUint16(FILE_RECORD.flags, true) & RECORD_IN_USE) !== 0;
  }
  get firstAttribute(): number {
    return this.view.getUint16(FILE_RECORD.firstAttribute, true);
  }
  get bytesInUse(): number {
    return this.view.getUint32(FILE_RECORD.bytesInUse, true);
  }
  /** The record this one extends; 0/0 in a base record. */
  get baseReference(): RecordReference {
    return readReference(this.view, FILE_RECORD.baseRecord);
  }
  /** Extension records hold attributes of another record and are no files of their own. */
  get isExtension(): boolean {
    const base = this.baseReference;
    return base.record !== 0 || base.sequence !== 0;
  }

  /** All attributes in order. Throws Damaged when one leaves the record or the end mark is missing. */
  attributes(): Attribute[] {
    const found: Attribute[] = [];
    const end = this.bytesInUse;
    let at = this.firstAttribute;
    for (;;) {
      if (at + 4 > end) throw this.error('attributes do not end', at);
      if (this.view.getUint32(at, true) === ATTRIBUTE_TYPE.end) return found;
      const attribute = new Attribute(this, at);
      attribute.checkBounds(end);
      found.push(attribute);
      at += attribute.length;
    }
  }

  /** The first attribute of that type and name, or undefined. */
  find(type: number, name = ''): Attribute | undefined {
    return this.attributes().find((attribute) => attribute.type === type && attribute.hasName(name));
  }

  error(what: string, at = 0): VmreclaimError {
    return damagedNtfs('ntfs-record', `${this.name}: ${what}`, { offset: this.offset + at });
  }
}

/** One attribute of a record, a window on the record's bytes. Made by FileRecord.attributes, which checks it. */
export class Attribute {
  constructor(
    readonly record: FileRecord,
    /** Offset in the record. */
    readonly at: number,
  ) {}

  get type(): number {
    return this.u32(ATTRIBUTE.type);
  }
  get length(): number {
    return this.u32(ATTRIBUTE.length);
  }
  get isResident(): boolean {
    return this.u8(ATTRIBUTE.nonResident) === 0;
  }
  get flags(): number {
    return this.u16(ATTRIBUTE.flags);
  }
  get instance(): number {
    return this.u16(ATTRIBUTE.instance);
  }
  /** First VCN of this piece of the stream; 0 for resident ones. */
  get lowestVcn(): number {
    return this.isResident ? 0 : this.s64(ATTRIBUTE.lowestVcn);
  }
  /** Last VCN, inclusive; -1 for an empty stream, and 0 also where a driver left it out. */
  get highestVcn(): number {
    return this.s64(ATTRIBUTE.highestVcn);
  }
  /** Bytes of all clusters and holes of the stream; only valid where lowestVcn is 0. */
  get allocatedSize(): number {
    return this.s64(ATTRIBUTE.allocatedSize);
  }
  /** Bytes of the stream; of a non-resident one only valid where lowestVcn is 0. */
  get dataSize(): number {
    return this.isResident ? this.u32(ATTRIBUTE.valueLength) : this.s64(ATTRIBUTE.dataSize);
  }
  /** What lies behind it reads as zeros. */
  get initializedSize(): number {
    return this.isResident ? this.dataSize : this.s64(ATTRIBUTE.initializedSize);
  }
  /** Offset of the mapping pairs in the record; non-resident only. */
  get mappingPairsAt(): number {
    return this.at + this.u16(ATTRIBUTE.mappingPairsOffset);
  }
  /** First byte behind the attribute, in the record. */
  get end(): number {
    return this.at + this.length;
  }
  /** For messages. */
  get label(): string {
    return `${this.record.name}, attribute 0x${this.type.toString(16)}`;
  }

  /** The value of a resident attribute; Damaged when it is none. */
  value(): Uint8Array {
    if (!this.isResident) throw this.record.error('attribute should be resident', this.at);
    const from = this.at + this.u16(ATTRIBUTE.valueOffset);
    return this.record.bytes.subarray(from, from + this.dataSize);
  }

  /** UTF-16 units as they stand; empty for an unnamed attribute. */
  get name(): string {
    const at = this.at + this.u16(ATTRIBUTE.nameOffset);
    let name = '';
    for (let index = 0; index < this.u8(ATTRIBUTE.nameLength); index++) {
      name += String.fromCharCode(this.record.view.getUint16(at + index * 2, true));
    }
    return name;
  }

  hasName(name: string): boolean {
    const at = this.at + this.u16(ATTRIBUTE.nameOffset);
    return sameName(this.record.view, at, this.u8(ATTRIBUTE.nameLength), name);
  }

  /** Throws Damaged unless header, name and value or mapping pairs lie inside the attribute, and it before `end`. */
  checkBounds(end: number): void {
    const resident = this.at + ATTRIBUTE.residentHeaderBytes <= end;
    const length = resident ? this.length : 0;
    if (length < ATTRIBUTE.residentHeaderBytes || length % 8 !== 0 || this.at + length > end) {
      throw this.record.error('attribute leaves its record', this.at);
    }
    const nameEnd = this.u16(ATTRIBUTE.nameOffset) + this.u8(ATTRIBUTE.nameLength) * 2;
    if (this.u8(ATTRIBUTE.nameLength) > 0 && nameEnd > length) {
      throw this.record.error('attribute name leaves the attribute', this.at);
    }
    if (this.isResident) {
      const valueEnd = this.u16(ATTRIBUTE.valueOffset) + this.dataSize;
      if (valueEnd > length) throw this.record.error('attribute value leaves the attribute', this.at);
      return;
    }
    const pairs = length < ATTRIBUTE.nonResidentHeaderBytes ? 0 : this.u16(ATTRIBUTE.mappingPairsOffset);
    if (pairs < ATTRIBUTE.nonResidentHeaderBytes || pairs >= length) {
      throw this.record.error('attribute has no mapping pairs', this.at);
    }
    if (this.lowestVcn < 0) throw this.record.error('attribute begins at a negative VCN', this.at);
  }

  private u8(field: number): number {
    return this.record.view.getUint8(this.at + field);
  }
  private u16(field: number): number {
    return this.record.view.getUint16(this.at + field, true);
  }
  private u32(field: number): number {
    return this.record.view.getUint32(this.at + field, true);
  }
  /** Signed; exact up to 2^53, which bounds are far below. */
  private s64(field: number): number {
    const at = this.at + field;
    return this.record.view.getInt32(at + 4, true) * 2 ** 32 + this.record.view.getUint32(at, true);
  }
}

/** True when `length` UTF-16 units at `at` are exactly `name`. */
export function sameName(view: DataView, at: number, length: number, name: string): boolean {
  if (length !== name.length || at + length * 2 > view.byteLength) return false;
  for (let index = 0; index < length; index++) {
    if (view.getUint16(at + index * 2, true) !== name.charCodeAt(index)) return false;
  }
  return true;
}
