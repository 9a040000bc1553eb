import { crc32 } from '../codec/checksum.js';
import type { HistoryRecord } from './types.js';

/** Longer lines are not looked at: a record of a disk with 128 partitions has some 30 KiB. */
export const MAX_LINE_BYTES = 256 * 1024;

const encoder = new TextEncoder();

/** `{"crc":"0123abcd","record":{...}}`: JSON itself, so that any tool can read the file. */
const LINE = /^\{"crc":"([0-9a-f]{8})","record":(\{.*\})\}$/;

/** A record as a line of the history, newline included. The CRC-32 is of the record's own text in UTF-8. */
export function encodeLine(record: HistoryRecord): string {
  const json = JSON.stringify(record);
  return `{"crc":"${checksum(json)}","record":${json}}\n`;
}

/** The record of a line without its newline; undefined when the line is damaged, or of a version to come. */
export function decodeLine(line: string): HistoryRecord | undefined {
  const [, crc, json] = LINE.exec(line) ?? [];
  if (crc === undefined || json === undefined || checksum(json) !== crc) return undefined;
  try {
    const record = JSON.parse(json) as HistoryRecord;
    return record.v === 1 ? record : undefined;
  } catch {
    return undefined;
  }
}

function checksum(json: string): string {
  return crc32(encoder.encode(json)).toString(16).padStart(8, '0');
}
