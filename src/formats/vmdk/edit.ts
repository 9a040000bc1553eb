import { joinLines, parseEntry, splitLines, type TextLine, withValue } from '../../codec/lines.js';
import { internalError } from '../../core/errors.js';
import { NO_PARENT_CID, type VmdkDescriptor } from './descriptor.js';
import { type Entry, parseDescriptor, readGrammar } from './parse.js';

/** What is to be different in a descriptor; whatever is left out stays. */
export interface DescriptorEdit {
  /** New content id, 8 hex digits. The last 8 digits of ddb.longContentID follow it. */
  readonly cid?: string;
  /** New capacity in sectors: cylinders follow; the extents must add up to it. */
  readonly sizeSectors?: number;
  /** New sector counts by index of the extent; 0 drops the extent. A single extent follows sizeSectors by itself. */
  readonly extents?: readonly { readonly index: number; readonly sectors: number }[];
  /** Removes the change tracking section and goes back to version 1. */
  readonly dropChangeTracking?: boolean;
}

/**
 * Cylinder counts some writers stop at: 16383 (what IDENTIFY DEVICE can say) and 65535 (open-vmdk). A value
 * that sits on one is kept there.
 */
const CAPPED_CYLINDERS = new Set([16383, 65535]);
const CHANGE_TRACKING_COMMENT = /^\s*#\s*Change Tracking File\s*$/i;
/** Not to be used as a CID: no parent, and what VMware writes into a new disk. */
const RESERVED_CONTENT_IDS = new Set([NO_PARENT_CID, 'fffffffe']);
const CONTENT_IDS = 2 ** 32;

/** A line that may be changed, or dropped (null). */
type Patch = Map<number, string | null>;

/**
 * Patches the lines that must change and leaves every other byte as it is: order, line endings, unknown
 * lines, names in any character set. Damaged when the descriptor cannot be read; Internal when the edit
 * contradicts itself.
 */
export function editDescriptor(bytes: Uint8Array, edit: DescriptorEdit): Uint8Array {
  const descriptor = parseDescriptor(bytes);
  const lines = splitLines(bytes);
  const { entries } = readGrammar(lines);
  const patch: Patch = new Map();
  if (edit.cid !== undefined) patchContentId(patch, entries, edit.cid);
  patchExtents(patch, lines, descriptor, edit);
  if (edit.sizeSectors !== undefined) patchGeometry(patch, entries, descriptor, edit.sizeSectors);
  if (edit.dropChangeTracking === true) patchChangeTracking(patch, lines, entries);
  const edited = joinLines(
    lines.flatMap((line) => {
      const text = patch.get(line.number);
      if (text === null) return [];
      return [text === undefined ? line : { text, ending: line.ending }];
    }),
  );
  checkResult(parseDescriptor(edited), edit);
  return edited;
}

/** A content id that differs from the old one and from the reserved ones. `random` gives [0, 1). */
export function newContentId(old: string, random: () => number): string {
  let value = Math.floor(random() * CONTENT_IDS) % CONTENT_IDS;
  let id = toContentId(value);
  // At most three values are taken, so this ends even with a source that repeats itself.
  while (RESERVED_CONTENT_IDS.has(id) || id === old.toLowerCase()) {
    value = (value + 1) % CONTENT_IDS;
    id = toContentId(value);
  }
  return id;
}

const toContentId = (value: number): string => value.toString(16).padStart(8, '0');

function patchContentId(patch: Patch, entries: ReadonlyMap<string, Entry>, cid: string): void {
  if (!/^[0-9a-f]{8}$/.test(cid) || RESERVED_CONTENT_IDS.has(cid)) {
    throw internalError('descriptor-edit', 'not a content id', { actual: cid });
  }
  setValue(patch, entries.get('cid'), cid);
  const long = entries.get('ddb.longcontentid');
  if (long !== undefined && /^[0-9a-f]{32}$/i.test(long.value)) {
    setValue(patch, long, long.value.slice(0, -cid.length) + cid);
  }
}

function patchExtents(
  patch: Patch,
  lines: readonly TextLine[],
  descriptor: VmdkDescriptor,
  edit: DescriptorEdit,
): void {
  for (const { index, sectors } of extentEdits(descriptor, edit)) {
    const extent = descriptor.extents[index];
    const line = extent === undefined ? undefined : lines[extent.lineIndex];
    if (line === undefined || !Number.isSafeInteger(sectors) || sectors < 0) {
      throw internalError('descriptor-edit', `extent ${index} cannot get ${sectors} sectors`);
    }
    const resized = line.text.replace(/(\s)\d+(?=\s)/, (_, blank: string) => `${blank}${sectors}`);
    patch.set(line.number, sectors === 0 ? null : resized);
  }
}

function extentEdits(
  descriptor: VmdkDescriptor,
  edit: DescriptorEdit,
): readonly { readonly index: number; readonly sectors: number }[] {
  if (edit.extents !== undefined) return edit.extents;
  if (edit.sizeSectors === undefined || descriptor.extents.length !== 1) return [];
  return [{ index: 0, sectors: edit.sizeSectors }];
}

/** Heads and sectors stay, cylinders are counted anew by floor, as ESXi does (domain: KB 1007969). */
function patchGeometry(
  patch: Patch,
  entries: ReadonlyMap<string, Entry>,
  descriptor: VmdkDescriptor,
  sizeSectors: number,
): void {
  const geometries = [
    ['ddb.geometry.cylinders', descriptor.geometry],
    ['ddb.geometry.bioscylinders', descriptor.biosGeometry],
  ] as const;
  for (const [key, geometry] of geometries) {
    if (geometry === null) continue;
    const counted = Math.max(1, Math.floor(sizeSectors / (geometry.heads * geometry.sectors)));
    const cylinders = CAPPED_CYLINDERS.has(geometry.cylinders)
      ? Math.min(counted, geometry.cylinders)
      : counted;
    if (cylinders !== geometry.cylinders) setValue(patch, entries.get(key), String(cylinders));
  }
}

/**
 * Drops `changeTrackPath`, its comment, and the blank line before the comment. Version 3 means change
 * tracking; a disk without it is version 1 (domain: VDDK guide).
 */
function patchChangeTracking(
  patch: Patch,
  lines: readonly TextLine[],
  entries: ReadonlyMap<string, Entry>,
): void {
  const path = entries.get('changetrackpath');
  if (path !== undefined) patch.set(path.line.number, null);
  for (const [index, line] of lines.entries()) {
    if (!CHANGE_TRACKING_COMMENT.test(line.text)) continue;
    patch.set(line.number, null);
    const before = lines[index - 1];
    if (before !== undefined && before.text.trim() === '') patch.set(before.number, null);
  }
  const version = entries.get('version');
  if (version?.value === '3') setValue(patch, version, '1');
}

function setValue(patch: Patch, entry: Entry | undefined, value: string): void {
  const text = entry?.line.text ?? '';
  const parsed = parseEntry(text);
  if (entry !== undefined && parsed !== undefined) {
    patch.set(entry.line.number, withValue(text, parsed, value));
  }
}

function checkResult(result: VmdkDescriptor, edit: DescriptorEdit): void {
  const sectors = result.extents.reduce((sum, extent) => sum + extent.sectors, 0);
  const wrong =
    (edit.cid !== undefined && result.cid !== edit.cid) ||
    (edit.sizeSectors !== undefined && sectors !== edit.sizeSectors) ||
    (edit.dropChangeTracking === true && (result.changeTrackPath !== null || result.version === 3));
  if (wrong) throw internalError('descriptor-edit', 'the edited descriptor does not say what it should');
}
