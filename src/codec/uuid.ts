import { internalError } from '../core/errors.js';
import type { FieldType } from './layout.js';

const DASH_BEFORE = new Set([4, 6, 8, 10]);

/** Sixteen bytes in their own order as lower-case text with dashes (RFC 4122), as Linux formats store them. */
export function formatUuid(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < 16; i++) {
    if (DASH_BEFORE.has(i)) text += '-';
    text += (bytes[i] ?? 0).toString(16).padStart(2, '0');
  }
  return text;
}

/** A UUID in plain byte order, as lower-case text with dashes. Microsoft's mixed order is `guid` in fields.ts. */
export const uuid: FieldType<string> = {
  size: 16,
  read: (view, at) => formatUuid(new Uint8Array(view.buffer, view.byteOffset + at, 16)),
  write: (view, at, value) => {
    const digits = value.replaceAll('-', '');
    if (!/^[0-9a-f]{32}$/i.test(digits)) throw internalError('uuid', `not a UUID: ${value}`);
    for (let i = 0; i < 16; i++) view.setUint8(at + i, Number.parseInt(digits.slice(i * 2, i * 2 + 2), 16));
  },
};
