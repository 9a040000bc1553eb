import { readFileSync } from 'node:fs';
import { run } from './judges.js';

export interface TestValue {
  readonly name: string;
  readonly type: number;
  readonly data: Uint8Array;
}

export interface TestKey {
  readonly name: string;
  readonly values?: readonly TestValue[];
  readonly keys?: readonly TestKey[];
}

export interface HiveForm {
  /** Kind of the subkey lists; `ri` is a list of leaves with three keys each. */
  readonly list?: 'li' | 'lf' | 'lh' | 'ri';
  readonly sequences?: readonly [number, number];
}

const BASE = 4096;
const SEGMENT = 16344;
const NONE = 0xffff_ffff;

/**
 * Builds registry hives, without outside tools: hivexsh reads them in the tests. One bin, cells in the order of their
 * making, names in one byte a letter where that is possible.
 */
export function buildHive(root: TestKey, form: HiveForm = {}): Uint8Array {
  const cells: Uint8Array[] = [];
  let end = 32;
  const add = (content: Uint8Array): number => {
    const size = Math.ceil((content.length + 4) / 8) * 8;
    const cell = Buffer.alloc(size);
    cell.writeInt32LE(-size);
    cell.set(content, 4);
    cells.push(cell);
    end += size;
    return end - size;
  };
  const rootCell = addKey(add, root, form, true);
  const bins = Math.ceil(end / BASE) * BASE;
  const bytes = Buffer.alloc(BASE + bins);
  bytes.write('hbin', BASE);
  bytes.writeUInt32LE(bins, BASE + 8);
  let at = BASE + 32;
  for (const cell of cells) {
    bytes.set(cell, at);
    at += cell.length;
  }
  // What is left is one free cell.
  if (at < bytes.length) bytes.writeInt32LE(bytes.length - at, at);
  writeHeader(bytes, rootCell, bins, form.sequences ?? [7, 7]);
  return bytes;
}

function writeHeader(
  bytes: Buffer,
  rootCell: number,
  bins: number,
  [first, second]: readonly [number, number],
) {
  bytes.write('regf');
  bytes.writeUInt32LE(first, 4);
  bytes.writeUInt32LE(second, 8);
  bytes.writeUInt32LE(1, 0x14);
  bytes.writeUInt32LE(5, 0x18);
  bytes.writeUInt32LE(1, 0x20);
  bytes.writeUInt32LE(rootCell, 0x24);
  bytes.writeUInt32LE(bins, 0x28);
  bytes.writeUInt32LE(1, 0x2c);
  let sum = 0;
  for (let at = 0; at < 508; at += 4) sum ^= bytes.readInt32LE(at);
  bytes.writeInt32LE(sum, 508);
}

type Add = (content: Uint8Array) => number;

function nameBytes(name: string): { bytes: Buffer; compressed: boolean } {
  const compressed = [...name].every((letter) => letter.charCodeAt(0) < 0x100);
  return { bytes: Buffer.from(name, compressed ? 'latin1' : 'utf16le'), compressed };
}

function addKey(add: Add, key: TestKey, form: HiveForm, isRoot = false): number {
  const { keys = [], values = [] } = key;
  const children = keys.map((child) => ({ name: child.name, cell: addKey(add, child, form) }));
  const valueCells = values.map((value) => addValue(add, value));
  const { bytes: name, compressed } = nameBytes(key.name);
  const node = Buffer.alloc(0x4c + name.length);
  node.write('nk');
  node.writeUInt16LE((compressed ? 0x20 : 0) | (isRoot ? 0x0c : 0), 2);
  node.writeUInt32LE(NONE, 0x10);
  node.writeUInt32LE(children.length, 0x14);
  node.writeUInt32LE(children.length === 0 ? NONE : addList(add, children, form.list ?? 'lh'), 0x1c);
  node.writeUInt32LE(NONE, 0x20);
  node.writeUInt32LE(values.length, 0x24);
  node.writeUInt32LE(values.length === 0 ? NONE : add(numbers(valueCells)), 0x28);
  node.writeUInt32LE(NONE, 0x2c);
  node.writeUInt32LE(NONE, 0x30);
  node.writeUInt16LE(name.length, 0x48);
  node.set(name, 0x4c);
  return add(node);
}

function numbers(list: readonly number[]): Buffer {
  const bytes = Buffer.alloc(list.length * 4);
  for (const [index, value] of list.entries()) bytes.writeUInt32LE(value, index * 4);
  return bytes;
}

type Child = { readonly name: string; readonly cell: number };

function addList(add: Add, children: readonly Child[], kind: NonNullable<HiveForm['list']>): number {
  if (kind === 'ri') {
    const leaves: number[] = [];
    for (let at = 0; at < children.length; at += 3)
      leaves.push(addList(add, children.slice(at, at + 3), 'lh'));
    return add(listBytes('ri', leaves.length, numbers(leaves)));
  }
  if (kind === 'li') return add(listBytes('li', children.length, numbers(children.map(({ cell }) => cell))));
  const entries = children.flatMap(({ name, cell }) => [cell, kind === 'lf' ? hint(name) : hash(name)]);
  return add(listBytes(kind, children.length, numbers(entries)));
}

function listBytes(magic: string, count: number, entries: Buffer): Buffer {
  const header = Buffer.alloc(4);
  header.write(magic);
  header.writeUInt16LE(count, 2);
  return Buffer.concat([header, entries]);
}

const hint = (name: string): number => Buffer.from(name.padEnd(4, '\0'), 'latin1').readUInt32LE();
const hash = (name: string): number =>
  [...name.toUpperCase()].reduce((sum, letter) => (Math.imul(sum, 37) + letter.charCodeAt(0)) >>> 0, 0);

function addValue(add: Add, { name, type, data }: TestValue): number {
  const { bytes, compressed } = nameBytes(name);
  const node = Buffer.alloc(0x14 + bytes.length);
  node.write('vk');
  node.writeUInt16LE(bytes.length, 2);
  if (data.length <= 4) {
    node.writeUInt32LE(0x8000_0000 + data.length, 4);
    node.set(data, 8);
  } else {
    node.writeUInt32LE(data.length, 4);
    node.writeUInt32LE(data.length > SEGMENT ? addBigData(add, data) : add(data), 8);
  }
  node.writeUInt32LE(type, 0x0c);
  node.writeUInt16LE(compressed ? 1 : 0, 0x10);
  node.set(bytes, 0x14);
  return add(node);
}

function addBigData(add: Add, data: Uint8Array): number {
  const segments: number[] = [];
  // The last four bytes of each segment's cell are not used.
  for (let at = 0; at < data.length; at += SEGMENT) {
    segments.push(add(Buffer.concat([data.subarray(at, at + SEGMENT), Buffer.alloc(4)])));
  }
  const record = Buffer.alloc(8);
  record.write('db');
  record.writeUInt16LE(segments.length, 2);
  record.writeUInt32LE(add(numbers(segments)), 4);
  return add(record);
}

/** Data of a 12-byte value of MountedDevices. */
export function mountedVolume(signature: number, offset: number): Uint8Array {
  const data = Buffer.alloc(12);
  data.writeUInt32LE(signature);
  data.writeBigUInt64LE(BigInt(offset), 4);
  return data;
}

/** The name newer Windows gives such a volume. */
export function volumeName(signature: number, offset: number): string {
  const bytes = mountedVolume(signature, offset).subarray(4);
  const digits = Buffer.from(bytes).toString('hex');
  const id = signature.toString(16).padStart(8, '0');
  return `\\??\\Volume{${id}-0000-0000-${digits.slice(0, 4)}-${digits.slice(4)}}`;
}

/** A partition record of a BCD device element: 72 bytes. */
function partitionRecord(signature: number, offset: number): Buffer {
  const record = Buffer.alloc(0x48);
  record.writeUInt32LE(6, 0x00);
  record.writeUInt32LE(0x48, 0x08);
  record.writeBigUInt64LE(BigInt(offset), 0x10);
  record.writeUInt32LE(1, 0x24);
  record.writeUInt32LE(signature, 0x28);
  return record;
}

/** A device element as Windows writes it: additional options (none), then the record. */
export const deviceElement = (signature: number, offset: number): Uint8Array =>
  Buffer.concat([Buffer.alloc(16), partitionRecord(signature, offset)]);

/** A RAM disk element: the device its image is on is nested behind its own header. */
export function ramdiskElement(signature: number, offset: number, path: string): Uint8Array {
  const head = Buffer.alloc(0x44);
  const name = Buffer.from(`${path}\0`, 'utf16le');
  head.writeUInt32LE(0xb8 + name.length, 0x18);
  return Buffer.concat([head, partitionRecord(signature, offset), Buffer.alloc(12), name]);
}

/** The data of a value, as hivexsh reads it from a hive file. */
export function judgedValue(hive: string, path: readonly string[], name: string): Buffer {
  const escaped = path.map((part) => part.replaceAll('\\', '\\\\')).join('\\');
  const output = run('hivexsh', [hive], { input: `cd \\${escaped}\nlsval\nquit\n` });
  const shown = name.replaceAll('\\', '\\\\');
  const line = output.split('\n').find((each) => each.startsWith(`"${shown}"=hex`));
  if (line === undefined) throw new Error(`hivexsh does not find ${name} in\n${output}`);
  return Buffer.from(line.replace(/^.*=hex\(\d+\):/, '').replaceAll(',', ''), 'hex');
}

/** Bytes that differ between two files of the same length. */
export function differences(a: string | Uint8Array, b: string | Uint8Array): number[] {
  const [left, right] = [a, b].map((each) =>
    typeof each === 'string' ? readFileSync(each) : Buffer.from(each),
  );
  if (left === undefined || right === undefined || left.length !== right.length)
    throw new Error('other length');
  const found: number[] = [];
  for (let at = 0; at < left.length; at++) if (left[at] !== right[at]) found.push(at);
  return found;
}

/** The hive with the data of one value stored where that of another is. */
export function shareData(hive: Uint8Array, from: string, to: string): Uint8Array {
  const bytes = Buffer.from(hive);
  const cellOf = (name: string): number => bytes.indexOf(Buffer.from(name, 'latin1')) - 0x14;
  bytes.copy(bytes, cellOf(to) + 8, cellOf(from) + 8, cellOf(from) + 12);
  return bytes;
}
