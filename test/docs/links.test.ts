import { existsSync, readdirSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';
import { projectPath, readDocument } from './markdown.js';

const SKIPPED = new Set(['node_modules', 'dist', 'coverage', '.git', '.cache']);

function documentsIn(folder: string): string[] {
  return readdirSync(projectPath(folder), { withFileTypes: true }).flatMap((entry) => {
    const name = join(folder, entry.name);
    if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : documentsIn(name);
    return entry.name.endsWith('.md') ? [name] : [];
  });
}

const documents = documentsIn('.');
const withoutCode = (text: string): string =>
  text.replace(/^```[\s\S]*?^```$/gm, '').replace(/`[^`\n]*`/g, '');

/** Anchors of the headings, as GitHub makes them. */
function anchorsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replace(/\s/g, '-'),
  );
}

/** Links of a document that lead nowhere. */
function brokenLinks(document: string): string[] {
  const links = [...withoutCode(readDocument(document)).matchAll(/\]\(([^)\s]+)\)/g)].map(
    ([, link = '']) => link,
  );
  return links.filter((link) => {
    if (/^[a-z]+:/.test(link)) return false;
    const [path = '', anchor] = link.split('#');
    const target = path === '' ? document : normalize(join(dirname(document), path));
    if (!existsSync(projectPath(target))) return true;
    return anchor !== undefined && !anchorsOf(readDocument(target)).includes(anchor);
  });
}

describe('links between documents', () => {
  it('are looked at', () => {
    expect(documents).toEqual(expect.arrayContaining(['README.md', 'docs/cli.md', 'docs/formats/mbr.md']));
  });

  it.each(documents)('%s: every link leads somewhere', (document) => {
    expect(brokenLinks(document)).toEqual([]);
  });
});
