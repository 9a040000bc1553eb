/**
 * Builds small NTFS volumes in memory, without outside tools: just the files that a reader needs. What real
 * formatters write is tested with mkntfs and the corpus; this is for states that those do not produce on demand.
 */
import { HOLE } from '../../../src/formats/ntfs/mapping-pairs.js';

export interface TestRun {
  readonly lcn: number;
  readonly length: number;
}

/** Runs as mapping pairs, in the shortest signed form. */
export function encodePairs(runs: readonly TestRun[]): Uint8Array {
  const bytes: number[] = [];
  let previous = 0;
  for (const { lcn, length } of runs) {
    const lengthField = signedBytes(length);
    const lcnField = lcn === HOLE ? [] : signedBytes(lcn - previous);
    if (lcn !== HOLE) previous = lcn;
    bytes.push(lengthField.length | (lcnField.length << 4), ...lengthField, ...lcnField);
  }
  return Uint8Array.from([...bytes, 0]);
}

function signedBytes(value: number): number[] {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigInt64(0, BigInt(value), true);
  for (let size = 1; size < 8; size++) {
    const half = 2 ** (size * 8 - 1);
    if (value >= -half && value < half) return Array.from({ length: size }, (_, at) => view.getUint8(at));
  }
  return Array.from({ length: 8 }, (_, at) => view.getUint8(at));
}

const roundUp = (value: number, step: number): number => Math.ceil(value / step) * step;

function withName(view: DataView, at: number, name: string): void {
  for (let index = 0; index < name.length; index++)
    view.setUint16(at + index * 2, name.charCodeAt(index), true);
}

/** A resident attribute. */
export function resident(type: number, name: string, value: Uint8Array, instance = 0): Uint8Array {
  const valueAt = roundUp(0x18 + name.length * 2, 8);
  const bytes = new Uint8Array(roundUp(valueAt + value.length, 8));
  const view = new DataView(bytes.buffer);
  view.setUint32(0x00, type, true);
  view.setUint32(0x04, bytes.length, true);
  view.setUint8(0x09, name.length);
  view.setUint16(0x0a, 0x18, true);
  view.setUint16(0x0e, instance, true);
  view.setUint32(0x10, value.length, true);
  view.setUint16(0x14, valueAt, true);
  withName(view, 0x18, name);
  bytes.set(value, valueAt);
  return bytes;
}

export interface PieceOptions {
  readonly dataSize: number;
  readonly lowestVcn?: number;
  readonly highestVcn?: number;
  readonly instance?: number;
  readonly flags?: number;
}

/** A non-resident attribute, or a later piece of one. */
export function nonResident(
  type: number,
  name: string,
  pairs: Uint8Array,
  options: PieceOptions,
): Uint8Array {
  const pairsAt = roundUp(0x40 + name.length * 2, 8);
  const bytes = new Uint8Array(roundUp(pairsAt + pairs.length, 8));
  const view = new DataView(bytes.buffer);
  view.setUint32(0x00, type, true);
  view.setUint32(0x04, bytes.length, true);
  view.setUint8(0x08, 1);
  view.setUint8(0x09, name.length);
  view.setUint16(0x0a, 0x40, true);
  view.setUint16(0x0c, options.flags ?? 0, true);
  view.setUint16(0x0e, options.instance ?? 0, true);
  view.setBigUint64(0x10, BigInt(options.lowestVcn ?? 0), true);
  view.setBigUint64(0x18, BigInt(options.highestVcn ?? 0), true);
  view.setUint16(0x20, pairsAt, true);
  for (const field of [0x28, 0x30, 0x38]) view.setBigUint64(field, BigInt(options.dataSize), true);
  withName(view, 0x40, name);
  bytes.set(pairs, pairsAt);
  return bytes;
}

export interface RecordOptions {
  readonly number: number;
  readonly attributes: readonly Uint8Array[];
  readonly size?: number;
  readonly flags?: number;
  readonly base?: number;
}

/** A FILE record with fix-ups; sequence 1, base references with sequence 1. */
export function record({ number, attributes, size = 1024, flags = 1, base }: RecordOptions): Uint8Array {
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  const strides = size / 512;
  const first = roundUp(0x30 + (strides + 1) * 2, 8);
  view.setUint32(0x00, 0x454c4946, true);
  view.setUint16(0x04, 0x30, true);
  view.setUint16(0x06, strides + 1, true);
  view.setUint16(0x10, 1, true);
  view.setUint16(0x14, first, true);
  view.setUint16(0x16, flags, true);
  if (base !== undefined) view.setBigUint64(0x20, BigInt(base) | (1n << 48n), true);
  view.setUint32(0x2c, number, true);
  let at = first;
  for (const attribute of attributes) {
    bytes.set(attribute, at);
    at += attribute.length;
  }
  view.setUint32(at, 0xffffffff, true);
  view.setUint32(0x18, at + 8, true);
  view.setUint32(0x1c, size, true);
  return stamp(bytes, 0x30);
}

/** Applies fix-ups with update sequence number 7. */
export function stamp(bytes: Uint8Array, usaAt: number): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  view.setUint16(usaAt, 7, true);
  for (let stride = 1; stride <= bytes.length / 512; stride++) {
    view.setUint16(usaAt + stride * 2, view.getUint16(stride * 512 - 2, true), true);
    view.setUint16(stride * 512 - 2, 7, true);
  }
  return bytes;
}

/** One entry of an $ATTRIBUTE_LIST without a name; the record has sequence 1. */
export function listEntry(type: number, lowestVcn: number, holder: number, instance: number): Uint8Array {
  const bytes = new Uint8Array(32);
  const view = new DataView(bytes.buffer);
  view.setUint32(0x00, type, true);
  view.setUint16(0x04, 32, true);
  view.setUint8(0x07, 0x1a);
  view.setBigUint64(0x08, BigInt(lowestVcn), true);
  view.setBigUint64(0x10, BigInt(holder) | (1n << 48n), true);
  view.setUint16(0x18, instance, true);
  return bytes;
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}

/** An $INDEX_ROOT without entries. */
export function emptyIndexRoot(): Uint8Array {
  const bytes = new Uint8Array(0x30);
  const view = new DataView(bytes.buffer);
  view.setUint32(0x00, 0x30, true);
  view.setUint32(0x08, 4096, true);
  view.setUint32(0x10, 0x10, true);
  view.setUint32(0x14, 0x20, true);
  view.setUint32(0x18, 0x20, true);
  view.setUint16(0x28, 0x10, true);
  view.setUint16(0x2c, 2, true);
  return bytes;
}

/** Layout of the tiny volume, in clusters of 4096 bytes. */
export const TINY = {
  clusterBytes: 4096,
  clusterCount: 256,
  recordBytes: 1024,
  mft: { lcn: 8, length: 8 },
  mftMore: { lcn: 40, length: 8 },
  mirror: { lcn: 2, length: 1 },
  bitmap: { lcn: 24, length: 1 },
  log: { lcn: 28, length: 4 },
  file: { lcn: 60, length: 10 },
} as const;

export interface TinyOptions {
  /** Volume flags. */
  readonly flags?: number;
  /** Content of $LogFile; all ones unless given. */
  readonly log?: Uint8Array;
  /** $MFT has an attribute list, and its second half is described in record 15. */
  readonly mftList?: boolean;
}

/** A volume of 1 MiB with $MFT, $MFTMirr, $LogFile, $Volume, root, $Bitmap and one file (record 24). */
export function tinyVolume(options: TinyOptions = {}): Uint8Array {
  const { clusterBytes, clusterCount, recordBytes } = TINY;
  const volume = new Uint8Array(clusterCount * clusterBytes + 512);
  volume.set(tinyBootSector());
  volume.set(tinyBootSector(), volume.length - 512);
  const records = tinyRecords(options);
  const used = [{ lcn: 0, length: 2 }, TINY.mft, TINY.mirror, TINY.bitmap, TINY.log, TINY.file];
  if (options.mftList === true) used.push(TINY.mftMore);
  for (const [number, bytes] of records) {
    const inFirst = number * recordBytes < TINY.mft.length * clusterBytes;
    const base = inFirst ? TINY.mft.lcn : TINY.mftMore.lcn - TINY.mft.length;
    volume.set(bytes, base * clusterBytes + number * recordBytes);
    if (number < 4) volume.set(bytes, TINY.mirror.lcn * clusterBytes + number * recordBytes);
  }
  volume.set(
    options.log ?? new Uint8Array(TINY.log.length * clusterBytes).fill(0xff),
    TINY.log.lcn * clusterBytes,
  );
  const bitmap = volume.subarray(TINY.bitmap.lcn * clusterBytes, (TINY.bitmap.lcn + 1) * clusterBytes);
  for (const { lcn, length } of used) {
    for (let bit = lcn; bit < lcn + length; bit++)
      bitmap[bit >> 3] = (bitmap[bit >> 3] ?? 0) | (1 << (bit & 7));
  }
  return volume;
}

function tinyBootSector(): Uint8Array {
  const bytes = new Uint8Array(512);
  const view = new DataView(bytes.buffer);
  bytes.set(Buffer.from('\xeb\x52\x90NTFS    ', 'latin1'));
  view.setUint16(0x0b, 512, true);
  view.setUint8(0x0d, TINY.clusterBytes / 512);
  view.setUint8(0x15, 0xf8);
  view.setUint32(0x1c, 63, true);
  view.setBigUint64(0x28, BigInt((TINY.clusterCount * TINY.clusterBytes) / 512), true);
  view.setBigUint64(0x30, BigInt(TINY.mft.lcn), true);
  view.setBigUint64(0x38, BigInt(TINY.mirror.lcn), true);
  view.setInt8(0x40, -10);
  view.setInt8(0x44, -12);
  view.setBigUint64(0x48, 0x0123_4567_89ab_cdefn, true);
  view.setUint16(0x1fe, 0xaa55, true);
  return bytes;
}

const stream = (run: TestRun, type = 0x80, instance = 1): Uint8Array =>
  nonResident(type, '', encodePairs([run]), {
    dataSize: run.length * TINY.clusterBytes,
    highestVcn: run.length - 1,
    instance,
  });

function mftAttributes(withList: boolean): Uint8Array[] {
  const total = TINY.mft.length + TINY.mftMore.length;
  const bitmap = resident(0xb0, '', Uint8Array.of(0xff, 0xff, 0, 0x03, 0, 0, 0, 0x01), 2);
  if (!withList) return [stream(TINY.mft), bitmap];
  const list = concat(
    listEntry(0x80, 0, 0, 1),
    listEntry(0x80, TINY.mft.length, 15, 0),
    listEntry(0xb0, 0, 0, 2),
  );
  const first = nonResident(0x80, '', encodePairs([TINY.mft]), {
    dataSize: total * TINY.clusterBytes,
    highestVcn: TINY.mft.length - 1,
    instance: 1,
  });
  return [resident(0x20, '', list, 9), first, bitmap];
}

function tinyRecords(options: TinyOptions): Map<number, Uint8Array> {
  const withList = options.mftList === true;
  const information = Uint8Array.of(
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    3,
    1,
    (options.flags ?? 0) & 0xff,
    (options.flags ?? 0) >> 8,
  );
  const label = Buffer.from('Tiny', 'utf16le');
  const bitmap = nonResident(0x80, '', encodePairs([TINY.bitmap]), { dataSize: TINY.clusterCount / 8 });
  const contents: Record<number, Uint8Array[]> = {
    0: mftAttributes(withList),
    1: [stream(TINY.mirror)],
    2: [stream(TINY.log)],
    3: [resident(0x60, '', label), resident(0x70, '', information, 1)],
    5: [resident(0x90, '$I30', emptyIndexRoot())],
    6: [bitmap],
    7: [stream({ lcn: 0, length: 2 })],
    24: [stream(TINY.file)],
  };
  const records = new Map<number, Uint8Array>();
  for (let number = 0; number < 16; number++)
    records.set(number, record({ number, attributes: contents[number] ?? [] }));
  for (const number of [24, 25]) records.set(number, record({ number, attributes: contents[number] ?? [] }));
  if (!withList) return records;
  const more = nonResident(0x80, '', encodePairs([TINY.mftMore]), {
    dataSize: 0,
    lowestVcn: TINY.mft.length,
    highestVcn: TINY.mft.length + TINY.mftMore.length - 1,
  });
  records.set(15, record({ number: 15, attributes: [more], base: 0 }));
  records.set(56, record({ number: 56, attributes: [] }));
  return records;
}
