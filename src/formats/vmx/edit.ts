import { joinLines, parseEntry, splitLines, withoutMark, withValue } from '../../codec/lines.js';
import { isChangeTrackingKey, isTrue, readSettings } from './parse.js';

/** What is to be different in a .vmx. */
export interface VmxEdit {
  /** Sets ctkEnabled of the machine and of each disk to FALSE. */
  readonly dropChangeTracking: true;
}

/**
 * Patches the values that must change; every other byte stays. The same bytes when there is nothing to
 * change. Damaged when the file cannot be read.
 */
export function editVmx(bytes: Uint8Array, edit: VmxEdit): Uint8Array {
  readSettings(bytes);
  if (!edit.dropChangeTracking) return bytes;
  return joinLines(
    splitLines(bytes).map((line) => {
      if (withoutMark(line).trimStart().startsWith('#')) return line;
      const entry = parseEntry(line.text);
      if (entry === undefined || !isTrue(entry.value)) return line;
      if (!isChangeTrackingKey(entry.key.toLowerCase())) return line;
      return { text: withValue(line.text, entry, 'FALSE'), ending: line.ending };
    }),
  );
}
