// Makes an NTFS volume of many small files in seconds, where ntfs-3g would take minutes: what mkntfs made is extended
// by FILE records, directories with an index each, and data. Format facts: docs/formats/ntfs.md.
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readSync, writeSync } from 'node:fs';

const CLUSTER = 4096;
const RECORD = 1024;
const FIRST_RECORD = 64;
const ROOT = 5;
/** Entries of a directory: its index has one node besides the root. */
const FAN_OUT = 28;
const FILE_BYTES = 2048;
const NAME_LENGTH = 12;
/** 2024-01-01, in units of 100 ns since 1601. */
const TIME = 133_485_408_000_000_000n;
const DIRECTORY = 0x1000_0000;
const ARCHIVE = 0x20;
/** Records and clusters written at a time. */
const BATCH = 1024;
/** Free clusters below the new end besides those between files. */
const SLACK = (400 * 2 ** 20) / CLUSTER;
/** More clusters than the files of mkntfs have, $LogFile and $Bitmap among them. */
const MKNTFS = (128 * 2 ** 20) / CLUSTER;

/**
 * Writes a volume to a new file. The first half of the clusters of files lies below `newBytes`, with a free cluster
 * behind each; the other half lies behind it in a shuffled order, so that every one is a move of its own. Files take turns.
 * Returns the size of the volume and the partition size that makes half of the files move, in bytes.
 */
export function makeRecords(path, fileCount) {
  const plan = planVolume(fileCount);
  execFileSync('truncate', ['-s', `${plan.bytes}`, path]);
  execFileSync(
    'mkntfs',
    ['-F', '-Q', '-q', '-c', `${CLUSTER}`, '-H', '255', '-S', '63', '-p', '2048', path],
    {
      stdio: 'ignore',
    },
  );
  const volume = new Volume(path);
  try {
    fill(volume, plan);
  } finally {
    volume.close();
  }
  return { bytes: plan.bytes, newBytes: plan.newEnd * CLUSTER };
}

/** Levels of directories below the root, records and places; in clusters. */
function planVolume(fileCount) {
  const levels = [fileCount];
  while (levels[0] > 4) levels.unshift(Math.ceil(levels[0] / FAN_OUT));
  const directories = levels.slice(0, -1).reduce((sum, count) => sum + count, 0);
  const recordCount = Math.ceil((FIRST_RECORD + directories + fileCount) / 32) * 32;
  const half = Math.ceil(fileCount / 2);
  const mft = Math.ceil((recordCount * RECORD) / CLUSTER);
  const bits = Math.ceil(recordCount / 8 / CLUSTER);
  const length = mft + bits + directories + half * 2;
  // mkntfs puts its files behind an eighth of the volume, and $MFTMirr in the middle of it: keep away from both.
  let clusters = 2 * length;
  let mftAt = 0;
  for (let round = 0; round < 20; round++) {
    mftAt = Math.ceil(clusters / 8) + MKNTFS;
    clusters = Math.max(mftAt + length + SLACK + 256 + half, 2 * (mftAt + length + 64));
  }
  const bitsAt = mftAt + mft;
  const indexAt = bitsAt + bits;
  const lowAt = indexAt + directories;
  const newEnd = lowAt + half * 2 + SLACK;
  const bytes = Math.ceil((clusters * CLUSTER) / 2 ** 20 + 8) * 2 ** 20;
  const places = { mftAt, mft, bitsAt, bits, indexAt, lowAt, highAt: newEnd + 256, newEnd, bytes };
  return { levels, fileCount, half, recordCount, ...places };
}

/** Bytes of a file, and what the generator needs of mkntfs's work. */
class Volume {
  constructor(path) {
    this.handle = openSync(path, 'r+');
    const boot = this.read(0, 512);
    this.mftAt = Number(boot.readBigUInt64LE(0x30)) * CLUSTER;
    this.mirrorAt = Number(boot.readBigUInt64LE(0x38)) * CLUSTER;
  }

  read(at, length) {
    const bytes = Buffer.alloc(length);
    readSync(this.handle, bytes, 0, length, at);
    return bytes;
  }

  write(at, bytes) {
    if (writeSync(this.handle, bytes, 0, bytes.length, at) !== bytes.length) throw new Error('short write');
  }

  record(number) {
    return unstamp(this.read(this.mftAt + number * RECORD, RECORD));
  }

  close() {
    closeSync(this.handle);
  }
}

function fill(volume, plan) {
  plan.oldRuns = { 128: runOf(volume.record(0), 0x80), 176: runOf(volume.record(0), 0xb0) };
  const runs = mftRuns(volume, plan);

  // The records that mkntfs made stay; those behind them, and the bitmap of $MFT, get new places.
  const writer = new MftWriter(volume, runs, plan.recordCount);
  const bits = Buffer.alloc(plan.bits * CLUSTER);
  volume.read(streamAt(volume.record(0), 0xb0), 8).copy(bits);
  const levels = plan.levels.length;
  let record = FIRST_RECORD;
  let indexAt = plan.indexAt;
  let parents = [ROOT];
  for (let level = 0; level < levels; level++) {
    const isFile = level === levels - 1;
    const first = record;
    const below = isFile ? undefined : { at: record + plan.levels[level], count: plan.levels[level + 1] };
    for (let index = 0; index < plan.levels[level]; index++, record++) {
      const parent = parents[0] === ROOT ? ROOT : parents[Math.floor(index / FAN_OUT)];
      const made = isFile ? file(record, parent, index, plan) : directory(record, parent, indexAt);
      writer.put(record, made);
      bits[record >> 3] |= 1 << (record & 7);
      if (isFile) continue;
      const from = below.at + index * FAN_OUT;
      const count = Math.max(0, Math.min(FAN_OUT, below.at + below.count - from));
      volume.write(indexAt++ * CLUSTER, indexNode(from, count, record, level + 1 === levels - 1));
    }
    parents = { length: record - first, ...Array.from({ length: record - first }, (_, i) => first + i) };
  }
  writer.end();
  volume.write(plan.bitsAt * CLUSTER, bits);
  writeData(volume, plan);
  patchRoot(volume, plan);
  patchMft(volume, plan, runs);
  patchBitmap(volume, plan);
}

/** $MFT afterwards: where mkntfs put it, then the new clusters. */
function mftRuns(volume, plan) {
  const kept = (FIRST_RECORD * RECORD) / CLUSTER;
  const old = runOf(volume.record(0), 0x80);
  const first = { lcn: old.lcn, length: Math.min(kept, old.length) };
  // A few clusters more than the records need, as it is with a $MFT that grew by itself.
  return [first, { lcn: plan.mftAt, length: plan.mft }];
}

/** Writes FILE records in order, many at a time; those that were never used are formatted too. */
class MftWriter {
  constructor(volume, runs, count) {
    Object.assign(this, {
      volume,
      runs,
      count,
      batch: Buffer.alloc(BATCH * RECORD),
      next: undefined,
      filled: 0,
    });
    this.next = (runs[0].length * CLUSTER) / RECORD;
    this.old = this.next;
  }

  put(number, bytes) {
    while (this.next < number) this.push(freeRecord(this.next));
    this.push(bytes);
  }

  push(bytes) {
    stamp(bytes).copy(this.batch, this.filled);
    this.filled += RECORD;
    this.next++;
    if (this.filled === this.batch.length) this.flush();
  }

  flush() {
    const first = this.next - this.filled / RECORD - this.old;
    this.volume.write(this.runs[1].lcn * CLUSTER + first * RECORD, this.batch.subarray(0, this.filled));
    this.filled = 0;
  }

  end() {
    while (this.next < this.count) this.push(freeRecord(this.next));
    if (this.filled > 0) this.flush();
  }
}

const reference = (record) => BigInt(record) | (1n << 48n);
const nameOf = (record) => `f${String(record).padStart(NAME_LENGTH - 1, '0')}`;

/** The value of $FILE_NAME; also the key of an index entry. */
function fileName(record, parent, isDirectory) {
  const value = Buffer.alloc(66 + NAME_LENGTH * 2);
  value.writeBigUInt64LE(parent === ROOT ? BigInt(ROOT) | (5n << 48n) : reference(parent), 0);
  for (let at = 8; at < 40; at += 8) value.writeBigUInt64LE(TIME, at);
  value.writeBigUInt64LE(isDirectory ? 0n : BigInt(CLUSTER), 40);
  value.writeBigUInt64LE(isDirectory ? 0n : BigInt(FILE_BYTES), 48);
  value.writeUInt32LE(isDirectory ? DIRECTORY : ARCHIVE, 56);
  value[64] = NAME_LENGTH;
  value[65] = 1;
  value.write(nameOf(record), 66, 'utf16le');
  return value;
}

const align8 = (value) => Math.ceil(value / 8) * 8;

function resident(type, id, value, { name = '', indexed = 0 } = {}) {
  const valueAt = align8(24 + name.length * 2);
  const bytes = Buffer.alloc(align8(valueAt + value.length));
  bytes.writeUInt32LE(type, 0);
  bytes.writeUInt32LE(bytes.length, 4);
  bytes[9] = name.length;
  bytes.writeUInt16LE(24, 10);
  bytes.writeUInt16LE(id, 14);
  bytes.writeUInt32LE(value.length, 16);
  bytes.writeUInt16LE(valueAt, 20);
  bytes[22] = indexed;
  bytes.write(name, 24, 'utf16le');
  value.copy(bytes, valueAt);
  return bytes;
}

function nonResident(type, id, runs, dataBytes, name = '') {
  const pairsAt = align8(64 + name.length * 2);
  const pairs = encodePairs(runs);
  const clusters = runs.reduce((sum, { length }) => sum + length, 0);
  const bytes = Buffer.alloc(align8(pairsAt + pairs.length));
  bytes.writeUInt32LE(type, 0);
  bytes.writeUInt32LE(bytes.length, 4);
  bytes[8] = 1;
  bytes[9] = name.length;
  bytes.writeUInt16LE(64, 10);
  bytes.writeUInt16LE(id, 14);
  bytes.writeBigInt64LE(BigInt(clusters - 1), 24);
  bytes.writeUInt16LE(pairsAt, 32);
  bytes.writeBigInt64LE(BigInt(clusters * CLUSTER), 40);
  bytes.writeBigInt64LE(BigInt(dataBytes), 48);
  bytes.writeBigInt64LE(BigInt(dataBytes), 56);
  bytes.write(name, 64, 'utf16le');
  pairs.copy(bytes, pairsAt);
  return bytes;
}

/** Lengths in 4 bytes, differences of LCNs in 5: legal, if not the shortest. */
function encodePairs(runs) {
  const bytes = Buffer.alloc(runs.length * 10 + 1);
  let previous = 0;
  runs.forEach(({ lcn, length }, index) => {
    bytes[index * 10] = 0x54;
    bytes.writeUInt32LE(length, index * 10 + 1);
    bytes.writeIntLE(lcn - previous, index * 10 + 5, 5);
    previous = lcn;
  });
  return bytes;
}

/** A record of these attributes, without fix-ups. */
function record(number, flags, attributes) {
  const bytes = Buffer.alloc(RECORD);
  bytes.write('FILE', 0, 'latin1');
  bytes.writeUInt16LE(0x30, 4);
  bytes.writeUInt16LE(3, 6);
  bytes.writeUInt16LE(1, 0x10);
  bytes.writeUInt16LE(flags === 0 ? 0 : 1, 0x12);
  bytes.writeUInt16LE(0x38, 0x14);
  bytes.writeUInt16LE(flags, 0x16);
  bytes.writeUInt32LE(RECORD, 0x1c);
  bytes.writeUInt16LE(attributes.length, 0x28);
  bytes.writeUInt32LE(number, 0x2c);
  let at = 0x38;
  for (const attribute of attributes) at += attribute.copy(bytes, at);
  bytes.writeUInt32LE(0xffff_ffff, at);
  bytes.writeUInt32LE(at + 8, 0x18);
  return bytes;
}

const freeRecord = (number) => record(number, 0, []);

function standard(isDirectory) {
  const value = Buffer.alloc(72);
  for (let at = 0; at < 32; at += 8) value.writeBigUInt64LE(TIME, at);
  value.writeUInt32LE(isDirectory ? 0 : ARCHIVE, 32);
  // The first security descriptor that mkntfs makes.
  value.writeUInt32LE(0x100, 52);
  return resident(0x10, 0, value);
}

/** Files take turns: one below the new end, one behind it. */
function lcnOf(index, { half, lowAt, highAt }) {
  const turn = index >> 1;
  return index % 2 === 0 ? lowAt + turn * 2 : highAt + shuffled(turn, half);
}

/** A permutation of 0 to count - 1. */
function shuffled(index, count) {
  let step = 7919;
  while (count % step === 0 || step % count === 0) step += 2;
  return (index * step) % count;
}

const file = (number, parent, index, plan) =>
  record(number, 1, [
    standard(false),
    resident(0x30, 1, fileName(number, parent, false), { indexed: 1 }),
    nonResident(0x80, 2, [{ lcn: lcnOf(index, plan), length: 1 }], FILE_BYTES),
  ]);

const directory = (number, parent, indexLcn) =>
  record(number, 3, [
    standard(true),
    resident(0x30, 1, fileName(number, parent, true), { indexed: 1 }),
    ...indexOf(indexLcn),
  ]);

/** $INDEX_ROOT with nothing but the way to the one node, the node, and its bitmap. */
function indexOf(lcn) {
  const root = Buffer.alloc(56);
  root.writeUInt32LE(0x30, 0);
  root.writeUInt32LE(1, 4);
  root.writeUInt32LE(CLUSTER, 8);
  root[12] = 1;
  root.writeUInt32LE(16, 16);
  root.writeUInt32LE(40, 20);
  root.writeUInt32LE(40, 24);
  root[28] = 1;
  root.writeUInt16LE(24, 40);
  root[44] = 3;
  const bits = Buffer.alloc(8);
  bits[0] = 1;
  const name = '$I30';
  return [
    resident(0x90, 3, root, { name }),
    nonResident(0xa0, 4, [{ lcn, length: 1 }], CLUSTER, name),
    resident(0xb0, 5, bits, { name }),
  ];
}

/** The entries of `count` records from `first` on. */
function entries(first, count, parent, areFiles) {
  return Array.from({ length: count }, (_, index) => {
    const key = fileName(first + index, parent, !areFiles);
    const bytes = Buffer.alloc(align8(16 + key.length));
    bytes.writeBigUInt64LE(reference(first + index), 0);
    bytes.writeUInt16LE(bytes.length, 8);
    bytes.writeUInt16LE(key.length, 10);
    key.copy(bytes, 16);
    return bytes;
  });
}

function indexNode(first, count, parent, areFiles) {
  const bytes = Buffer.alloc(CLUSTER);
  bytes.write('INDX', 0, 'latin1');
  bytes.writeUInt16LE(0x28, 4);
  bytes.writeUInt16LE(CLUSTER / 512 + 1, 6);
  const entriesAt = 0x40;
  let at = entriesAt;
  for (const entry of entries(first, count, parent, areFiles)) at += entry.copy(bytes, at);
  bytes.writeUInt16LE(16, at + 8);
  bytes[at + 12] = 2;
  bytes.writeUInt32LE(entriesAt - 0x18, 0x18);
  bytes.writeUInt32LE(at + 16 - 0x18, 0x1c);
  bytes.writeUInt32LE(CLUSTER - 0x18, 0x20);
  return stamp(bytes);
}

/** Every file begins with its index; what is behind it is noise. */
function writeData(volume, plan) {
  const { half, lowAt, highAt, fileCount } = plan;
  const inverse = new Uint32Array(half);
  for (let turn = 0; turn < half; turn++) inverse[shuffled(turn, half)] = turn;
  const noise = execFileSync('head', ['-c', `${BATCH * CLUSTER}`, '/dev/urandom'], {
    maxBuffer: BATCH * CLUSTER,
  });
  const write = (at, count, indexOfCluster) => {
    for (let first = 0; first < count; first += BATCH) {
      const length = Math.min(BATCH, count - first);
      for (let each = 0; each < length; each++) {
        noise.writeUInt32LE(indexOfCluster(first + each), each * CLUSTER);
      }
      volume.write((at + first) * CLUSTER, noise.subarray(0, length * CLUSTER));
    }
  };
  write(lowAt, half * 2, (at) => at);
  write(highAt, half, (at) => Math.min(inverse[at] * 2 + 1, fileCount));
}

const stamp = (bytes) => {
  const usa = bytes.readUInt16LE(4);
  const usn = (bytes.readUInt16LE(usa) % 0xfffe) + 1;
  bytes.writeUInt16LE(usn, usa);
  for (let end = 512, slot = usa + 2; end <= bytes.length; end += 512, slot += 2) {
    bytes.writeUInt16LE(bytes.readUInt16LE(end - 2), slot);
    bytes.writeUInt16LE(usn, end - 2);
  }
  return bytes;
};

const unstamp = (bytes) => {
  const usa = bytes.readUInt16LE(4);
  for (let end = 512, slot = usa + 2; end <= bytes.length; end += 512, slot += 2) {
    bytes.writeUInt16LE(bytes.readUInt16LE(slot), end - 2);
  }
  return bytes;
};

/** Attributes of a record by type, as slices. */
function attributesOf(bytes) {
  const found = [];
  for (let at = bytes.readUInt16LE(0x14); bytes.readUInt32LE(at) !== 0xffff_ffff; ) {
    const length = bytes.readUInt32LE(at + 4);
    found.push(bytes.subarray(at, at + length));
    at += length;
  }
  return found;
}

/** The only run of an attribute that mkntfs made. */
function runOf(bytes, type) {
  const attribute = attributesOf(bytes).find((each) => each.readUInt32LE(0) === type);
  const at = attribute.readUInt16LE(32);
  const [lengthBytes, lcnBytes] = [attribute[at] & 15, attribute[at] >> 4];
  return {
    length: attribute.readUIntLE(at + 1, lengthBytes),
    lcn: attribute.readIntLE(at + 1 + lengthBytes, lcnBytes),
  };
}

const streamAt = (bytes, type) => runOf(bytes, type).lcn * CLUSTER;

/** The same record with other attributes. */
function withAttributes(bytes, change) {
  const attributes = attributesOf(bytes)
    .map((each) => Buffer.from(each))
    .map(change);
  let at = bytes.readUInt16LE(0x14);
  bytes.fill(0, at);
  for (const attribute of attributes) at += attribute.copy(bytes, at);
  bytes.writeUInt32LE(0xffff_ffff, at);
  bytes.writeUInt32LE(at + 8, 0x18);
  return stamp(bytes);
}

/** The root holds its entries in one node; those of the new directories go behind those of the system files. */
function patchRoot(volume, { levels }) {
  const at = streamAt(volume.record(ROOT), 0xa0);
  const node = unstamp(volume.read(at, CLUSTER));
  const end = 0x18 + node.readUInt32LE(0x1c);
  const tail = Buffer.from(node.subarray(end - 16, end));
  // `.` sorts before `f`, `$` before both: the end is the right place.
  let to = end - 16;
  for (const entry of entries(FIRST_RECORD, levels[0], ROOT, levels.length === 1)) to += entry.copy(node, to);
  to += tail.copy(node, to);
  node.writeUInt32LE(to - 0x18, 0x1c);
  volume.write(at, stamp(node));
}

function patchMft(volume, plan, runs) {
  const bytes = withAttributes(volume.record(0), (attribute) => {
    const type = attribute.readUInt32LE(0);
    const id = attribute.readUInt16LE(14);
    if (type === 0x80) return nonResident(type, id, runs, plan.recordCount * RECORD);
    if (type !== 0xb0) return attribute;
    return nonResident(type, id, [{ lcn: plan.bitsAt, length: plan.bits }], plan.recordCount / 8);
  });
  volume.write(volume.mftAt, bytes);
  volume.write(volume.mirrorAt, bytes);
}

function patchBitmap(volume, plan) {
  const at = streamAt(volume.record(6), 0x80);
  const bits = volume.read(at, Math.ceil(plan.bytes / CLUSTER / 8));
  const set = (lcn, isUsed = true) => {
    bits[lcn >> 3] = isUsed ? bits[lcn >> 3] | (1 << (lcn & 7)) : bits[lcn >> 3] & ~(1 << (lcn & 7));
  };
  for (const [type, kept] of [
    [0x80, (FIRST_RECORD * RECORD) / CLUSTER],
    [0xb0, 0],
  ]) {
    const { lcn, length } = plan.oldRuns[type];
    for (let each = kept; each < length; each++) set(lcn + each, false);
  }
  for (let lcn = plan.mftAt; lcn < plan.lowAt; lcn++) set(lcn);
  for (let index = 0; index < plan.fileCount; index++) set(lcnOf(index, plan));
  volume.write(at, bits);
}
