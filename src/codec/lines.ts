/**
 * Text files that are patched line by line: descriptors, .vmx. The bytes are held one to one as a string of
 * code units 0 to 255 (a byte string), so that whatever a line holds, in whatever character set, comes out
 * again as it went in.
 */
export interface TextLine {
  /** As an editor counts: from 1. */
  readonly number: number;
  /** Byte offset of the line in the file. */
  readonly at: number;
  /** Byte string without the line ending. */
  readonly text: string;
  /** `\n`, `\r\n`, or empty on an unended last line. */
  readonly ending: string;
}

const BYTES_A_STEP = 4096;

/** One code unit a byte. Unlike TextDecoder('latin1'), which is windows-1252, this maps every byte to itself. */
export function toByteString(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += BYTES_A_STEP) {
    text += String.fromCharCode(...bytes.subarray(at, at + BYTES_A_STEP));
  }
  return text;
}

/** Back to bytes. */
export function fromByteString(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
}

/** Lines ended by LF or CRLF. Joining `text + ending` of all gives the bytes back. */
export function splitLines(bytes: Uint8Array): TextLine[] {
  const all = toByteString(bytes);
  const lines: TextLine[] = [];
  let at = 0;
  while (at < all.length) {
    const newline = all.indexOf('\n', at);
    const next = newline < 0 ? all.length : newline + 1;
    const whole = all.slice(at, next);
    const ending = whole.endsWith('\r\n') ? '\r\n' : whole.endsWith('\n') ? '\n' : '';
    lines.push({ number: lines.length + 1, at, text: whole.slice(0, whole.length - ending.length), ending });
    at = next;
  }
  return lines;
}

/** The file again. */
export function joinLines(lines: readonly Pick<TextLine, 'text' | 'ending'>[]): Uint8Array {
  return fromByteString(lines.map((line) => line.text + line.ending).join(''));
}

const BYTE_ORDER_MARK = '\xef\xbb\xbf';

/** The line's text without the UTF-8 byte order mark that some editors put in front of the first one. */
export function withoutMark(line: TextLine): string {
  return line.at === 0 && line.text.startsWith(BYTE_ORDER_MARK) ? line.text.slice(3) : line.text;
}

/** A `key = value` line taken apart. */
export interface LineEntry {
  /** As written. */
  readonly key: string;
  /** Byte string without its quotes. */
  readonly value: string;
  /** Index of the value (behind an opening quote) in the line. */
  readonly valueAt: number;
}

const ENTRY = /^(\s*([^\s="]+)\s*=\s*)(.*?)\s*$/;

/** Takes `key = value` or `key = "value"` apart; undefined for any other line and for an open quote. */
export function parseEntry(text: string): LineEntry | undefined {
  const [, start = '', key = '', value = ''] = ENTRY.exec(text) ?? [];
  if (key === '') return undefined;
  if (!value.startsWith('"')) return { key, value, valueAt: start.length };
  if (value.length < 2 || !value.endsWith('"')) return undefined;
  return { key, value: value.slice(1, -1), valueAt: start.length + 1 };
}

/** The line with another value, quoted or not as before; everything else as it was. */
export function withValue(text: string, entry: LineEntry, value: string): string {
  return text.slice(0, entry.valueAt) + value + text.slice(entry.valueAt + entry.value.length);
}

/** The text as UTF-8, or undefined when it is none. */
export function asUtf8(byteString: string): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(fromByteString(byteString));
  } catch {
    return undefined;
  }
}

/**
 * Text in the character set a file names (WHATWG labels, which cover what VMware writes: UTF-8,
 * windows-1252, GBK, Big5, Shift_JIS ...). Without a name, or with an unknown one: UTF-8 where the bytes
 * are that, else windows-1252. Bytes that mean nothing become U+FFFD; never throws.
 */
export function decodeText(byteString: string, encoding: string | null): string {
  const decoder = encoding === null ? undefined : decoderFor(encoding);
  if (decoder !== undefined) return decoder.decode(fromByteString(byteString));
  return asUtf8(byteString) ?? new TextDecoder('windows-1252').decode(fromByteString(byteString));
}

function decoderFor(encoding: string): InstanceType<typeof TextDecoder> | undefined {
  try {
    return new TextDecoder(encoding, { ignoreBOM: true });
  } catch {
    return undefined;
  }
}
