import { describe, expect, it } from 'vitest';
import { parsePlan } from '../../src/plan/plan-file.js';
import { exampleIn, readDocument, tableRows } from './markdown.js';

const COMMAND = 'vmreclaim plan --json /vmfs/volumes/ds1/demo/demo.vmdk';
const text = readDocument('docs/plan-format.md');
const example: unknown = JSON.parse(exampleIn(text, COMMAND));
/** Lists whose elements the document describes in words. */
const IN_WORDS = [
  'request.doNotAlign',
  'request.only',
  'request.targets',
  'request.sizes',
  'resizes',
  'fixups',
  'warnings',
];

/** The documented keys, with `….` of partitions written out. */
function documentedKeys(): Set<string> {
  const names = tableRows(text, '## Keys').flatMap(([cell = '']) =>
    [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name),
  );
  const partitionKeys = ['before', 'after'].flatMap((side) =>
    names.filter((name) => name.startsWith('….')).map((name) => `${side}.partitions.${name.slice(2)}`),
  );
  const others = names.filter((name) => !name.startsWith('….')).map((name) => name.replaceAll('[]', ''));
  return new Set([...others, ...partitionKeys]);
}

/** Paths of everything in a value; elements of a list share one path. */
function keysOf(value: unknown, path = ''): string[] {
  if (IN_WORDS.includes(path)) return [path];
  if (Array.isArray(value)) return [path, ...value.flatMap((each) => keysOf(each, path))];
  if (typeof value !== 'object' || value === null) return [path];
  return Object.entries(value).flatMap(([key, inner]) => keysOf(inner, path === '' ? key : `${path}.${key}`));
}

describe('docs/plan-format.md', () => {
  it('shows a plan that can be read back', () => {
    expect(parsePlan(JSON.stringify(example))).toEqual(example);
  });

  it('documents exactly the keys of a plan', () => {
    expect([...new Set(keysOf(example))].sort()).toEqual([...documentedKeys()].sort());
  });

  it('shows a plan that is not one when a promised key is missing', () => {
    const { after: _after, ...rest } = example as Record<string, unknown>;
    expect(() => parsePlan(JSON.stringify(rest))).toThrowError(/after/);
  });
});
