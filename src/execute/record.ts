import { crc32 } from '../codec/checksum.js';
import { damaged, internalError } from '../core/errors.js';
import type { Operation, Phase, Stage } from '../program/types.js';

/**
 * Records of the run journal: one line of JSON behind its CRC-32, so that a torn or damaged record is never taken
 * for a whole one. docs/journal-format.md describes them.
 */
const encoder = new TextEncoder();
const decoder = new TextDecoder();
const CRC_DIGITS = 8;

/** `crc32 in hex, space, JSON, newline`. */
export function encodeRecord(value: unknown): Uint8Array {
  // Encoded once: records are up to a megabyte, and what they leave behind counts.
  const record = encodeText(`${'0'.repeat(CRC_DIGITS)} ${JSON.stringify(value)}\n`);
  const crc = crc32(record.subarray(CRC_DIGITS + 1, -1))
    .toString(16)
    .padStart(CRC_DIGITS, '0');
  encoder.encodeInto(crc, record);
  return record;
}

/** The value of a record without its newline, or undefined when the CRC does not match. */
export function decodeRecord(bytes: Uint8Array): unknown {
  const crc = decoder.decode(bytes.subarray(0, CRC_DIGITS));
  const json = bytes.subarray(CRC_DIGITS + 1);
  if (!/^[0-9a-f]{8}$/.test(crc) || Number.parseInt(crc, 16) !== crc32(json)) return undefined;
  return JSON.parse(decodeText(json));
}

/** The same bytes, with the encodings of node. */
const viewOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);

/** UTF-8. Nearly all records are ASCII, which is copied and not converted. */
function encodeText(text: string): Uint8Array {
  const size = Buffer.byteLength(text);
  const bytes = Buffer.allocUnsafeSlow(size);
  bytes.write(text, size === text.length ? 'latin1' : 'utf8');
  return bytes;
}

function decodeText(bytes: Uint8Array): string {
  const text = viewOf(bytes).toString('latin1');
  return /[\x80-\xff]/.test(text) ? decoder.decode(bytes) : text;
}

/** Turns paths inside the disk's folder into names and back: the folder may be mounted elsewhere on resume. */
export interface PathMap {
  shorten(path: string): string;
  lengthen(name: string): string;
}

const base64 = (bytes: Uint8Array): string => viewOf(bytes).toString('base64');
const unbase64 = (text: string): Uint8Array => {
  const { buffer, byteOffset, length } = Buffer.from(text, 'base64');
  return new Uint8Array(buffer, byteOffset, length);
};

type Compact = readonly [string, ...(string | number)[]];

/** A phase as the JSON of its record. */
export function encodePhase(phase: Phase, paths: PathMap): unknown {
  const { stage, why, operations, spill } = phase;
  return { stage, why, ...(spill ? { spill } : {}), ops: operations.map((each) => compact(each, paths)) };
}

function compact(operation: Operation, paths: PathMap): Compact {
  switch (operation.op) {
    case 'copy':
    case 'shift':
      return [operation.op, operation.from, operation.to, operation.length];
    case 'write':
      return ['write', operation.at, base64(operation.bytes)];
    case 'discard':
    case 'fill':
      return [operation.op, operation.at, operation.length];
    case 'resize':
      return ['resize', operation.to];
    case 'text':
      return ['text', paths.shorten(operation.file), base64(operation.before), base64(operation.after)];
    case 'rename':
      return ['rename', paths.shorten(operation.from), paths.shorten(operation.to)];
    case 'remove':
      return ['remove', paths.shorten(operation.file)];
  }
}

const STAGES: ReadonlySet<string> = new Set<Stage>(['prepare', 'gather', 'change', 'finish']);

/** The phase of a record. Damaged (code journal) when it is not one. */
export function decodePhase(value: unknown, paths: PathMap): Phase {
  const record = value as { stage?: unknown; why?: unknown; spill?: unknown; ops?: unknown } | null;
  const { stage, why, spill, ops } = record ?? {};
  if (typeof stage !== 'string' || !STAGES.has(stage) || typeof why !== 'string' || !Array.isArray(ops)) {
    throw badPhase();
  }
  const operations = ops.map((each) => expand(each, paths));
  const phase = { stage: stage as Stage, why, operations };
  return spill === true || spill === 'shared' ? { ...phase, spill } : phase;
}

function expand(value: unknown, paths: PathMap): Operation {
  if (!Array.isArray(value)) throw badPhase();
  const count = (index: number): number => {
    const field: unknown = value[index];
    if (typeof field !== 'number' || !Number.isSafeInteger(field) || field < 0) throw badPhase();
    return field;
  };
  const text = (index: number): string => {
    const field: unknown = value[index];
    if (typeof field !== 'string') throw badPhase();
    return field;
  };
  switch (value[0]) {
    case 'copy':
    case 'shift':
      return { op: value[0], from: count(1), to: count(2), length: count(3) };
    case 'write':
      return { op: 'write', at: count(1), bytes: unbase64(text(2)) };
    case 'discard':
    case 'fill':
      return { op: value[0], at: count(1), length: count(2) };
    case 'resize':
      return { op: 'resize', to: count(1) };
    case 'text':
      return {
        op: 'text',
        file: paths.lengthen(text(1)),
        before: unbase64(text(2)),
        after: unbase64(text(3)),
      };
    case 'rename':
      return { op: 'rename', from: paths.lengthen(text(1)), to: paths.lengthen(text(2)) };
    case 'remove':
      return { op: 'remove', file: paths.lengthen(text(1)) };
    default:
      throw badPhase();
  }
}

const badPhase = () => damaged('journal', 'a record of the run journal is not a phase');

/** A record that must fit in a slot of fixed size. */
export function encodeSlot(value: unknown, size: number): Uint8Array {
  const record = encodeRecord(value);
  if (record.length > size) throw internalError('journal', 'a journal record outgrew its slot');
  const slot = new Uint8Array(size);
  slot.set(record);
  return slot;
}

/** The value in a slot, or undefined when it was never written or is torn. */
export function decodeSlot(slot: Uint8Array): unknown {
  const end = slot.indexOf(0x0a);
  return end < 0 ? undefined : decodeRecord(slot.subarray(0, end));
}
