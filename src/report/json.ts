/**
 * C1 controls, bidirectional marks and line separators: JSON.stringify leaves them as they are, and a label
 * that holds them would act on the terminal it is printed to.
 */
const UNPRINTABLE = /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

/** A document as printed: indented, ends in a newline; nothing is lost, what cannot be shown is escaped. */
export function toJson(document: unknown): string {
  return `${printable(JSON.stringify(document, null, 2))}\n`;
}

/** The same on one line: for streams of documents. */
export function toJsonLine(document: unknown): string {
  return `${printable(JSON.stringify(document))}\n`;
}

function printable(json: string): string {
  return json.replace(
    UNPRINTABLE,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
