import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { projectPath } from '../docs/markdown.js';

const DIST = projectPath('dist');
const files = readdirSync(DIST, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.js'));
const textOf = (name: string): string => readFileSync(`${DIST}/${name}`, 'utf8');

/** Packages that the bundle looks for when it runs. */
const OUTSIDE = /\b(?:from|import)\s*\(?["'`](@?[a-z][\w./-]*)["'`]/g;

describe('the bundle', () => {
  it('is ASCII: one other character would make V8 keep a file with two bytes each', () => {
    for (const name of files) expect(/[^\0-\x7f]/.test(textOf(name)), name).toBe(false);
  });

  it('looks only for packages with machine code', () => {
    const found = files.flatMap((name) => [...textOf(name).matchAll(OUTSIDE)].map(([, id]) => id));
    const packages = [...new Set(found)].sort();
    expect(packages).toEqual(['koffi', 'ssh2', 'ssh2-sftp-client']);
  });

  it('comes with the licences of what is in it', () => {
    const licences = readFileSync(`${DIST}/LICENSES.txt`, 'utf8');
    for (const name of ['chalk', 'cli-table3', 'commander', 'ora', 'yaml', 'zod']) {
      expect(licences).toMatch(new RegExp(`^${name} \\d+\\.\\d+\\.\\d+: (MIT|ISC)$`, 'm'));
    }
    expect(licences.match(/Permission/g)?.length).toBeGreaterThan(20);
  });
});
