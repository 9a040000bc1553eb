import { type Document, isMap, isNode, LineCounter, parseDocument, type YAMLParseError } from 'yaml';
import type { z } from 'zod';
import { usageError, VmreclaimError } from '../core/errors.js';
import { parseSize } from '../core/size.js';
import { isPowerOfTwo, KIB, MIB } from '../core/units.js';
import { type MatchFile, type ProfileFile, profileSchema, type SettingsFile } from './schema.js';
import type { Category, Match, Profile, Settings } from './types.js';

/** Longer files are no profiles. */
export const MAX_PROFILE_BYTES = 128 * KIB;

const MIN_BOUNDARY_BYTES = 4 * KIB;
const MAX_BOUNDARY_BYTES = 16 * MIB;

type Path = readonly PropertyKey[];

/** A profile from YAML. Usage (profile) with line and column of the first thing that is wrong. */
export function parseProfile(text: string, name: string): Profile {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true });
  const fail = (message: string, at: number | undefined): VmreclaimError => {
    const place = at === undefined ? undefined : lines.linePos(at);
    const where = place === undefined ? name : `${name}:${place.line}:${place.col}`;
    return usageError('profile', `${where}: ${message}`, {
      path: name,
      hint: 'vmreclaim profiles init shows what a profile looks like',
    });
  };
  const [error] = document.errors;
  if (error !== undefined) throw fail(syntaxText(error), error.pos[0]);
  const parsed = profileSchema.safeParse(toValue(document, fail));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw fail(issueText(issue), issue === undefined ? undefined : placeOf(document, pathOf(issue)));
  }
  return profileOf(parsed.data, (path, message) =>
    fail(`${path.join('.')}: ${message}`, placeOf(document, path)),
  );
}

/** What the parser says, without the place, which is told already, and without advice to programmers. */
function syntaxText({ code, message }: YAMLParseError): string {
  if (code === 'MULTIPLE_DOCS') return 'a second document begins here, and a profile is one';
  if (/call stack/.test(message)) return 'it is nested too deeply';
  return message.split('\n')[0]?.replace(/ at line .*$/, '') ?? '';
}

/** The plain value. Aliases that multiply without end are stopped by the parser. */
function toValue(
  document: Document,
  fail: (message: string, at: number | undefined) => VmreclaimError,
): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    throw fail(error instanceof Error ? error.message : String(error), undefined);
  }
}

type Issue = z.core.$ZodIssue;

/** An unknown key is wrong itself, not what holds it. */
function pathOf(issue: Issue): Path {
  return issue.code === 'unrecognized_keys' ? [...issue.path, ...issue.keys.slice(0, 1)] : issue.path;
}

function issueText(issue: Issue | undefined): string {
  if (issue === undefined) return 'this is no profile';
  const where = issue.path.length === 0 ? '' : `${issue.path.join('.')}: `;
  if (issue.code === 'invalid_union') {
    const messages = issue.errors.flatMap((branch) => branch.map(({ message }) => message));
    return `${where}${[...new Set(messages)].join(', or ')}`;
  }
  return `${where}${issue.message}`;
}

/** Offset of the key, or of the value in a list, or of the nearest thing around it that is there. */
function placeOf(document: Document, path: Path): number | undefined {
  for (let length = path.length; length >= 0; length--) {
    const above = length === 0 ? undefined : document.getIn(path.slice(0, length - 1), true);
    const holder = length === 1 ? document.contents : above;
    const pair = isMap(holder)
      ? holder.items.find(({ key }) => keyText(key) === path[length - 1])
      : undefined;
    const key = pair?.key;
    if (isNode(key) && key.range != null) return key.range[0];
    const node = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range != null) return node.range[0];
  }
  return undefined;
}

const keyText = (key: unknown): unknown =>
  typeof key === 'object' && key !== null && 'value' in key ? key.value : key;

type Fail = (path: Path, message: string) => VmreclaimError;

function profileOf(file: ProfileFile, fail: Fail): Profile {
  const categories = (file.categories ?? []).map((category, index) =>
    categoryOf(category, ['categories', index], fail),
  );
  const names = categories.map(({ name }) => name);
  const twice = names.findIndex((name, index) => names.indexOf(name) !== index);
  if (twice >= 0) throw fail(['categories', twice, 'name'], `${names[twice]} is there twice`);
  const settings = (part: SettingsFile | undefined, path: Path) => settingsOf(part ?? {}, path, fail);
  return {
    defaults: settings(file.defaults, ['defaults']),
    guests: {
      windows: settings(file.guests?.windows, ['guests', 'windows']),
      linux: settings(file.guests?.linux, ['guests', 'linux']),
      other: settings(file.guests?.other, ['guests', 'other']),
    },
    categories,
  };
}

function categoryOf(
  category: NonNullable<ProfileFile['categories']>[number],
  path: Path,
  fail: Fail,
): Category {
  const { name, description = '', match, attach = [], ...settings } = category;
  if (match === undefined && attach.length === 0) {
    throw fail([...path, 'name'], `${name} needs match or attach: else it holds for nothing`);
  }
  return {
    name,
    description,
    match: match === undefined ? null : matchOf(match, [...path, 'match'], fail),
    attach,
    settings: settingsOf(settings, path, fail),
  };
}

const listOf = (patterns: string | string[]): readonly string[] =>
  typeof patterns === 'string' ? [patterns] : patterns;

function matchOf({ diskSize, ...conditions }: MatchFile, path: Path, fail: Fail): Match {
  const lists = Object.entries(conditions).flatMap(([key, value]) =>
    value === undefined ? [] : [[key, listOf(value)]],
  );
  const bytes = (key: 'min' | 'max') => {
    const value = diskSize?.[key];
    return value === undefined ? undefined : bytesOf(value, [...path, 'diskSize', key], fail);
  };
  const [minimum, maximum] = [bytes('min'), bytes('max')];
  return {
    ...Object.fromEntries(lists),
    ...(minimum === undefined ? {} : { minimumDiskBytes: minimum }),
    ...(maximum === undefined ? {} : { maximumDiskBytes: maximum }),
  };
}

function settingsOf(file: SettingsFile, path: Path, fail: Fail): Partial<Settings> {
  const { free, growth, worth, boundary, ...same } = file;
  const bytes = (value: string | number | undefined, ...keys: string[]) =>
    value === undefined ? undefined : bytesOf(value, [...path, ...keys], fail);
  const boundaryBytes = bytes(boundary, 'boundary');
  if (boundaryBytes !== undefined && !isBoundary(boundaryBytes)) {
    throw fail([...path, 'boundary'], 'a boundary is a power of two from 4K to 16M');
  }
  const perMonth = growth?.perMonth;
  const settings: Record<string, unknown> = {
    ...same,
    freePercent: free?.percent,
    freeBytes: bytes(free?.size, 'free', 'size'),
    growthPerMonth: perMonth === 'measured' ? perMonth : bytes(perMonth, 'growth', 'perMonth'),
    growthMonths: growth?.months,
    worthBytes: bytes(worth?.size, 'worth', 'size'),
    worthPercent: worth?.percent,
    boundaryBytes,
  };
  // Only what was said: what is undefined comes from the layers below.
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}

const isBoundary = (bytes: number): boolean =>
  isPowerOfTwo(bytes) && bytes >= MIN_BOUNDARY_BYTES && bytes <= MAX_BOUNDARY_BYTES;

function bytesOf(value: string | number, path: Path, fail: Fail): number {
  try {
    return typeof value === 'number' ? value : parseSize(value);
  } catch (error) {
    throw fail(path, error instanceof VmreclaimError ? error.message : String(error));
  }
}
