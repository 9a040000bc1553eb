import { internalError } from '../core/errors.js';

/** The text order of the sixteen bytes: the first three groups are little-endian (RFC 4122, section 4.1.2 as Microsoft stores it). */
const TEXT_ORDER = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15] as const;
const DASH_BEFORE = new Set([4, 6, 8, 10]);

/** Sixteen bytes as lower-case text with dashes. */
export function formatGuid(bytes: Uint8Array): string {
  let text = '';
  TEXT_ORDER.forEach((index, position) => {
    if (DASH_BEFORE.has(position)) text += '-';
    text += (bytes[index] ?? 0).toString(16).padStart(2, '0');
  });
  return text;
}

/** Text with dashes as sixteen bytes. Throws Internal on anything else: GUIDs in the program are constants. */
export function parseGuid(text: string): Uint8Array {
  const digits = text.replaceAll('-', '');
  if (!/^[0-9a-f]{32}$/i.test(digits)) throw internalError('guid', `not a GUID: ${text}`);
  const bytes = new Uint8Array(16);
  TEXT_ORDER.forEach((index, position) => {
    bytes[index] = Number.parseInt(digits.slice(position * 2, position * 2 + 2), 16);
  });
  return bytes;
}
