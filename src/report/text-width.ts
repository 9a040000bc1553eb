const ESC = String.fromCharCode(0x1b);

/** One colour code as chalk writes it, or one character. Text from outside holds no escape: it was cleaned. */
const TOKEN = new RegExp(`${ESC}\\[[0-9;]*m|.`, 'gsu');

/** Characters that take no column. Joiners and other format characters are gone: cleanText removes them. */
const ZERO_WIDTH = /^[\p{Mark}\p{Emoji_Modifier}]$/u;

/** Characters that take two columns: East Asian Wide and Fullwidth (Unicode TR 11). */
const DOUBLE_WIDTH =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\u3247\u3250-\u4dbf\u4e00-\ua4c6\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6b\uff01-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]$/u;

/**
 * Emoji up to Unicode 12 take two as well. Younger ones, on which terminals disagree, count as one: as they do
 * for the table library, whose cells would otherwise come out wider than what is measured here.
 */
const EMOJI =
  /^(?=\p{Emoji_Presentation})[\u231a-\u2b55\u{1f004}-\u{1f19a}\u{1f201}-\u{1f64f}\u{1f680}-\u{1f6d2}\u{1f910}-\u{1f96b}]$/u;

function tokenWidth(token: string): number {
  if (token.startsWith(ESC)) return 0;
  if (token >= ' ' && token <= '~') return 1;
  if (ZERO_WIDTH.test(token)) return 0;
  return DOUBLE_WIDTH.test(token) || EMOJI.test(token) ? 2 : 1;
}

function tokens(text: string): string[] {
  return text.match(TOKEN) ?? [];
}

/** Columns that a text takes on a terminal, colour codes not counted. */
export function displayWidth(text: string): number {
  return tokens(text).reduce((sum, token) => sum + tokenWidth(token), 0);
}

/** The first `width` columns of a text, without its colours where it has to be cut. */
export function truncateText(text: string, width: number, ellipsis: string): string {
  if (displayWidth(text) <= width) return text;
  const letters = tokens(text).filter((token) => !token.startsWith(ESC));
  return (
    takeColumns(letters, width - displayWidth(ellipsis)).join('') + ellipsis.slice(0, Math.max(0, width))
  );
}

/** The last `width` columns of a text: of a path the end tells more than the beginning. */
export function truncateStart(text: string, width: number, ellipsis: string): string {
  if (displayWidth(text) <= width) return text;
  const letters = tokens(text).filter((token) => !token.startsWith(ESC));
  const kept = takeColumns(letters.reverse(), width - displayWidth(ellipsis)).reverse();
  return ellipsis.slice(0, Math.max(0, width)) + kept.join('');
}

function takeColumns(letters: readonly string[], columns: number): string[] {
  let left = columns;
  const end = letters.findIndex((letter) => {
    left -= tokenWidth(letter);
    return left < 0;
  });
  return letters.slice(0, end === -1 ? letters.length : end);
}

/** Fills a text up with spaces to `width` columns. */
export function padText(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - displayWidth(text)));
}

/**
 * Breaks a line at spaces so that no piece is wider than `width`; continuations start with `indent`. A word that
 * is wider than a line (a path) is cut hard: nothing is left out.
 */
export function wrapText(line: string, width: number, indent = ''): string[] {
  const lines: string[] = [];
  const start = indent.length < width ? indent : '';
  let current = '';
  let used = 0;
  const breakLine = () => {
    lines.push(current.trimEnd());
    current = start;
    used = start.length;
  };
  for (const word of line.split(/(?<= )(?! )/)) {
    const wordWidth = displayWidth(word.trimEnd());
    if (used + wordWidth > width && used > (lines.length === 0 ? 0 : start.length)) breakLine();
    for (const token of tokens(word)) {
      const columns = tokenWidth(token);
      if (used + columns > width && token !== ' ') breakLine();
      current += token;
      used += columns;
    }
  }
  lines.push(current.trimEnd());
  return lines;
}
