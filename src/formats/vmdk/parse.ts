import { asUtf8, decodeText, parseEntry, splitLines, type TextLine, withoutMark } from '../../codec/lines.js';
import { damaged, type ErrorDetail, type VmreclaimError } from '../../core/errors.js';
import { cleanText } from '../../core/text.js';
import {
  type DescriptorGeometry,
  type ExtentAccess,
  MAX_DESCRIPTOR_BYTES,
  type VmdkDescriptor,
  type VmdkExtent,
} from './descriptor.js';

/** Bytes of the head that isDescriptor looks at: room for a byte order mark and a few comment lines. */
const PROBE_HEAD_BYTES = 1024;
/** The largest sector count whose byte size stays exact: no disk comes near. */
const MAX_SECTORS = Math.floor(Number.MAX_SAFE_INTEGER / 512);
/** Characters of a bad line that an error quotes. */
const QUOTED_CHARACTERS = 80;

/** Nothing to read: blank, a comment, or the zero padding of a descriptor embedded in a sparse file. */
const IGNORED = /^[\s\0]*(?:#|$)/;
const EXTENT_START = /^\s*(?:RW|RDONLY|NOACCESS)(?:\s|$)/i;
const EXTENT =
  /^\s*(RW|RDONLY|NOACCESS)\s+(\d{1,16})\s+(\w+)(?:\s+"([^"]*)"(?:\s+(\d{1,16})(?:\s.*)?)?)?\s*$/i;
/** encryption.keySafe, encryption.data, encryptionKeys, ddb.encryption ... in every product's spelling. */
const ENCRYPTION_KEY = /encrypt|keysafe|cryptokey/;
/** Keys this program acts on: two different answers would leave the choice to chance. */
const SINGLE_KEYS = new Set([
  'version',
  'encoding',
  'cid',
  'parentcid',
  'createtype',
  'parentfilenamehint',
  'changetrackpath',
  'ddb.longcontentid',
  'ddb.geometry.cylinders',
  'ddb.geometry.heads',
  'ddb.geometry.sectors',
  'ddb.geometry.bioscylinders',
  'ddb.geometry.biosheads',
  'ddb.geometry.biossectors',
]);

/** A setting; the value is a byte string without its quotes. */
export interface Entry {
  readonly value: string;
  readonly line: TextLine;
}

interface Grammar {
  /** By key in lower case. */
  readonly entries: ReadonlyMap<string, Entry>;
  readonly extentLines: readonly TextLine[];
}

/**
 * Is it a descriptor, going by its first bytes? The magic comment, or `version=` as the first real line
 * (which is what qemu takes). File names say nothing: `x.vmdk` may hold a sparse disk.
 */
export function isDescriptor(head: Uint8Array): boolean {
  for (const line of splitLines(head.subarray(0, PROBE_HEAD_BYTES))) {
    const text = withoutMark(line);
    if (/^\s*#\s*Disk DescriptorFile\s*$/i.test(text)) return true;
    if (!/^\s*(?:#[^\0]*)?$/.test(text)) return /^\s*version\s*=\s*"?\d/i.test(text);
  }
  return false;
}

/**
 * Reads a descriptor. Damaged, with the line number, when a line makes no sense or what every descriptor
 * has is missing: a line that is skipped could be an extent.
 */
export function parseDescriptor(bytes: Uint8Array): VmdkDescriptor {
  if (bytes.length > MAX_DESCRIPTOR_BYTES) {
    throw damaged('descriptor-too-large', 'the descriptor is too large to be one', {
      expected: MAX_DESCRIPTOR_BYTES,
      actual: bytes.length,
    });
  }
  const { entries, extentLines } = readGrammar(splitLines(bytes));
  const encoding = asciiValue(entries, 'encoding') ?? asciiValue(entries, 'ddb.encoding');
  const decode = (value: string): string => decodeText(value, encoding);
  const text = (key: string): string | null => {
    const value = entries.get(key)?.value;
    return value === undefined || value === '' ? null : decode(value);
  };
  const createType = text('createtype');
  if (createType === null) throw damaged('descriptor', 'the descriptor has no createType');
  return {
    createType,
    version: decimal(entries, 'version') ?? 1,
    encoding,
    cid: contentId(entries, 'cid'),
    parentCid: contentId(entries, 'parentcid'),
    parentFileNameHint: text('parentfilenamehint'),
    longContentId: text('ddb.longcontentid'),
    extents: readExtents(extentLines, decode),
    geometry: readGeometry(entries, ['cylinders', 'heads', 'sectors']),
    biosGeometry: readGeometry(entries, ['bioscylinders', 'biosheads', 'biossectors']),
    adapterType: text('ddb.adaptertype'),
    changeTrackPath: text('changetrackpath'),
    encrypted: [...entries.keys()].some((key) => ENCRYPTION_KEY.test(key)),
    ddb: new Map(
      [...entries].filter(([key]) => key.startsWith('ddb.')).map(([key, { value }]) => [key, decode(value)]),
    ),
  };
}

/** Sorts the lines into entries and extents; Damaged for a line that is neither. */
export function readGrammar(lines: readonly TextLine[]): Grammar {
  const entries = new Map<string, Entry>();
  const extentLines: TextLine[] = [];
  for (const line of lines) {
    const text = withoutMark(line);
    if (IGNORED.test(text)) continue;
    if (EXTENT_START.test(text)) {
      extentLines.push(line);
      continue;
    }
    const entry = parseEntry(text);
    if (entry === undefined) throw badLine(line, 'is neither a comment, an extent nor a setting');
    const key = entry.key.toLowerCase();
    const before = entries.get(key);
    if (before !== undefined && before.value !== entry.value && SINGLE_KEYS.has(key)) {
      throw badLine(line, `sets ${cleanText(entry.key)} again, line ${before.line.number} says otherwise`);
    }
    entries.set(key, { value: entry.value, line });
  }
  return { entries, extentLines };
}

function readExtents(lines: readonly TextLine[], decode: (value: string) => string): VmdkExtent[] {
  if (lines.length === 0) throw damaged('descriptor', 'the descriptor has no extent');
  const extents: VmdkExtent[] = [];
  let total = 0;
  for (const line of lines) {
    const extent = readExtent(line, decode);
    total += extent.sectors;
    if (total > MAX_SECTORS) throw badLine(line, 'makes the disk larger than any disk', { actual: total });
    extents.push(extent);
  }
  return extents;
}

function readExtent(line: TextLine, decode: (value: string) => string): VmdkExtent {
  const match = EXTENT.exec(withoutMark(line));
  // No file system has names with NUL, and no call takes them.
  if (match === null || match[4]?.includes('\0') === true) throw badLine(line, 'is a broken extent');
  const [, access = '', sectors = '', type = '', name, offset = '0'] = match;
  const sectorCount = Number(sectors);
  if (sectorCount === 0) throw badLine(line, 'is an extent without sectors');
  const fileName = name === undefined ? null : decode(name);
  const utf8 = name === undefined ? undefined : asUtf8(name);
  return {
    access: access.toUpperCase() as ExtentAccess,
    sectors: sectorCount,
    type: type.toUpperCase(),
    fileName,
    alternateFileName: utf8 === undefined || utf8 === fileName ? null : utf8,
    offsetSectors: Number(offset),
    lineIndex: line.number - 1,
  };
}

function readGeometry(
  entries: ReadonlyMap<string, Entry>,
  names: readonly [string, string, string],
): DescriptorGeometry | null {
  const [cylinders, heads, sectors] = names.map((name) => decimal(entries, `ddb.geometry.${name}`));
  // Zeros would be divided by: no geometry is better than a wrong one.
  if (!cylinders || !heads || !sectors) return null;
  return { cylinders, heads, sectors };
}

function decimal(entries: ReadonlyMap<string, Entry>, key: string): number | null {
  const entry = entries.get(key);
  if (entry === undefined || entry.value === '') return null;
  if (!/^\d{1,15}$/.test(entry.value)) throw badLine(entry.line, `has no number for ${key}`);
  return Number(entry.value);
}

/** CIDs are written with %x by some writers, so they may lack leading zeros. */
function contentId(entries: ReadonlyMap<string, Entry>, key: 'cid' | 'parentcid'): string {
  const entry = entries.get(key);
  const name = key === 'cid' ? 'CID' : 'parentCID';
  if (entry === undefined) throw damaged('descriptor', `the descriptor has no ${name}`);
  if (!/^[0-9a-f]{1,8}$/i.test(entry.value)) throw badLine(entry.line, `has a ${name} that is no hex number`);
  return entry.value.toLowerCase().padStart(8, '0');
}

function asciiValue(entries: ReadonlyMap<string, Entry>, key: string): string | null {
  const value = entries.get(key)?.value ?? '';
  return value === '' ? null : value;
}

function badLine(line: TextLine, problem: string, detail: ErrorDetail = {}): VmreclaimError {
  return damaged('descriptor', `line ${line.number} of the descriptor ${problem}`, {
    offset: line.at,
    actual: cleanText(decodeText(line.text.slice(0, QUOTED_CHARACTERS), null)),
    ...detail,
  });
}
