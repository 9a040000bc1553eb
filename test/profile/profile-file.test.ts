import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isFamily } from '../../src/core/errors.js';
import { parseProfile } from '../../src/profile/profile-file.js';
import { profileJsonSchema } from '../../src/profile/schema.js';
import { PROFILE_TEMPLATE } from '../../src/profile/template.js';
import { projectPath } from '../docs/markdown.js';
import { GIB, MIB } from './subject.js';

const parse = (text: string) => parseProfile(text, 'p.yaml');

function messageOf(text: string): string {
  try {
    parse(text);
  } catch (error) {
    if (isFamily(error, 'usage')) return error.message;
    throw error;
  }
  throw new Error('it was taken for a profile');
}

describe('parseProfile', () => {
  it('reads what init writes, each setting of it', () => {
    const { defaults, guests, categories } = parse(PROFILE_TEMPLATE);
    expect(defaults).toEqual({
      freePercent: 20,
      freeBytes: 2 * GIB,
      growthPerMonth: 'measured',
      growthMonths: 6,
      boundaryBytes: 65_536,
      worthBytes: GIB,
      worthPercent: 5,
      shrink: true,
      enlarge: true,
      align: true,
      zero: false,
    });
    expect(guests).toEqual({
      windows: { untouched: ['System Reserved', 'Recovery', 'WinRE*'] },
      linux: {},
      other: {},
    });
    expect(categories).toEqual([
      {
        name: 'web-servers',
        description: 'Logs come in bursts',
        match: { vm: ['web*', 'www*'], guestOs: ['linux'] },
        attach: [],
        settings: { freePercent: 50 },
      },
      {
        name: 'desktops',
        description: '',
        match: { folder: ['*/desktops'], minimumDiskBytes: 20 * GIB },
        attach: [],
        settings: { freePercent: 35, doNotAlign: [1] },
      },
      {
        name: 'databases',
        description: 'Only what is named here',
        match: null,
        attach: ['db01', 'db02'],
        settings: { freeBytes: 40 * GIB, shrink: false },
      },
    ]);
  });

  it('takes sizes as the command line does', () => {
    expect(parse('version: 1\ndefaults: { free: { size: 1.5G }, boundary: 1M }').defaults).toEqual({
      freeBytes: 1.5 * GIB,
      boundaryBytes: MIB,
    });
    expect(parse('version: 1\ndefaults: { worth: { size: 4096 } }').defaults).toEqual({ worthBytes: 4096 });
  });

  it.each([
    [
      'an unknown key',
      'version: 1\ndefaults:\n  free: { percnt: 5 }',
      /^p\.yaml:3:11: defaults\.free: .*percnt/,
    ],
    [
      'a percentage of all',
      'version: 1\ndefaults:\n  free:\n    percent: 100',
      /^p\.yaml:4:5: defaults\.free\.percent: /,
    ],
    [
      'a boundary that is none',
      'version: 1\ndefaults:\n  boundary: 3K',
      /^p\.yaml:3:3: defaults\.boundary: .*power of two/,
    ],
    [
      'a size that means two things',
      'version: 1\ndefaults: { free: { size: 1GB } }',
      /^p\.yaml:2:21: .*a size such as/,
    ],
    ['a version to come', 'version: 2', /^p\.yaml:1:1: version: /],
    ['no version', 'defaults: {}', /^p\.yaml:1:1: version: /],
    ['a key twice', 'version: 1\nversion: 1', /^p\.yaml:2:1: /],
    ['broken YAML', 'version: 1\ndefaults: {', /^p\.yaml:2:\d+: /],
    ['a second document', 'version: 1\n---\nversion: 1', /^p\.yaml:2:1: a second document/],
    ['lists without end', '['.repeat(100_000), /^p\.yaml:1:\d+: it is nested too deeply/],
    ['no YAML map', '- 1', /^p\.yaml:1:1: /],
    [
      'a category that holds for nothing',
      'version: 1\ncategories:\n  - name: a',
      /^p\.yaml:3:5: .*needs match or attach/,
    ],
    [
      'a name twice',
      'version: 1\ncategories:\n  - {name: a, attach: [x]}\n  - {name: a, attach: [y]}',
      /^p\.yaml:4:6: .*there twice/,
    ],
    [
      'an item of a list',
      'version: 1\ndefaults:\n  doNotAlign:\n    - 1\n    - two',
      /^p\.yaml:5:7: defaults\.doNotAlign\.1: /,
    ],
  ])('says where it is wrong: %s', (_, text, expected) => {
    expect(messageOf(text)).toMatch(expected);
  });

  it('stops aliases that multiply without end', () => {
    const levels = Array.from({ length: 12 }, (_, index) =>
      index === 0
        ? 'a0: &a0 [x, x, x, x, x, x, x, x]'
        : `a${index}: &a${index} [${`*a${index - 1}, `.repeat(8)}]`,
    );
    expect(messageOf(['version: 1', ...levels].join('\n'))).toMatch(/^p\.yaml: /);
  });

  it('is a usage error or a profile, whatever stands in the file', () => {
    const lines = fc.constantFrom(
      ...PROFILE_TEMPLATE.split('\n'),
      '? a',
      '&x',
      '*x',
      '!!binary 1',
      '\t',
      '---',
      '{',
      ']',
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(lines, fc.string()), { maxLength: 30 }), (parts) => {
        try {
          parse(parts.join('\n'));
        } catch (error) {
          expect(isFamily(error, 'usage')).toBe(true);
        }
      }),
    );
  });
});

it('the JSON schema for editors is the one that profiles are checked by', () => {
  const shipped = JSON.parse(readFileSync(projectPath('docs/profile.schema.json'), 'utf8'));
  expect(shipped).toEqual(JSON.parse(JSON.stringify(profileJsonSchema())));
});
