const ESC = String.fromCharCode(0x1b);
const BEL = String.fromCharCode(0x07);

/**
 * Terminal control sequences (ECMA-48): CSI with its parameters, OSC and other strings up to their
 * terminator, two-character escapes. Removed whole, so that no `[31m` stays behind.
 */
const TERMINAL_SEQUENCES = new RegExp(
  `${ESC}(?:\\[[0-?]*[ -/]*[@-~]|[\\]PX^_][^${BEL}${ESC}]*(?:${BEL}|${ESC}\\\\)?|[ -/]*[0-~])`,
  'g',
);
/** Characters that separate lines or columns: they become one space, so that words stay apart. */
const SEPARATORS = /[\t\n\r\v\f\u0085\u2028\u2029]+/g;
/** C0, C1 and DEL, and format characters: bidi overrides and isolates, zero-width marks, tags. */
const INVISIBLE = /[\p{Cc}\p{Cf}]/gu;
/** Halves of surrogate pairs, which are no characters. */
const LONE_SURROGATES = /\p{Cs}/gu;
/** Most names: nothing to be done, and the classes of Unicode, which take milliseconds to compile, are not asked. */
const PLAIN = /^[ -~]*$/;

/**
 * Text from a disk, a descriptor or a .vmx made safe for a terminal, a table and a log: no control or bidi
 * characters, no escape sequences, one line. What is readable stays as it is.
 */
export function cleanText(text: string): string {
  if (PLAIN.test(text)) return text.trim();
  return text
    .replace(TERMINAL_SEQUENCES, '')
    .replace(SEPARATORS, ' ')
    .replace(INVISIBLE, '')
    .replace(LONE_SURROGATES, '\ufffd')
    .trim();
}

/** A path as one word of a POSIX shell, for commands that people paste. */
export function shellQuote(path: string): string {
  const text = cleanText(path);
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** The last name of a path or URL with slashes. */
export const baseName = (path: string): string => path.slice(path.lastIndexOf('/') + 1);
