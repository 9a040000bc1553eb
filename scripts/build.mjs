// Makes dist/ from src/: the modules of the program and the packages it needs, bundled into a few files, since a start
// that opens five hundred takes more than twice as long. A file is replaced only when it changes, and at once: a command
// that runs meanwhile finds a whole one.
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const TARGET = join(ROOT, 'dist');
/** The command, and what scripts and tests load by itself. */
const ENTRIES = ['cli/main', 'cli/peak-memory', 'cli/history-files', 'profile/schema'];
/** Packages with machine code, or that look for some: they are found where npm put them. */
const OUTSIDE = /^(node:|koffi$|ssh2$|ssh2-sftp-client$)/;

const bundle = await rolldown({
  cwd: ROOT,
  input: Object.fromEntries(ENTRIES.map((entry) => [entry, `src/${entry}.ts`])),
  platform: 'node',
  external: (id) => OUTSIDE.test(id),
});
// Chunks lie as deep as the modules they are made of, so that paths relative to a module mean the same.
const { output } = await bundle.generate({
  format: 'esm',
  chunkFileNames: 'chunks/[name]-[hash].js',
  minify: true,
});
await bundle.close();

const files = new Map(output.map(({ fileName, code }) => [fileName, toAscii(code)]));
files.set('LICENSES.txt', licences(output.flatMap(({ moduleIds }) => moduleIds)));
for (const [fileName, text] of files) replace(join(TARGET, fileName), text);
for (const file of readdirSync(TARGET, { recursive: true, withFileTypes: true })) {
  const path = join(file.parentPath, file.name);
  if (file.isFile() && !files.has(relative(TARGET, path).replaceAll('\\', '/'))) rmSync(path);
}

/** One character outside ASCII makes V8 keep a whole file with two bytes a character. They stand in literals only. */
function toAscii(code) {
  return code.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** The licences of the packages that are part of the bundle, which their authors ask to be kept with it. */
function licences(moduleIds) {
  const folders = moduleIds.map((id) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(id)?.[0]);
  const texts = [...new Set(folders)].filter(Boolean).map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    const file = readdirSync(folder).find((each) => /^licen[cs]e/i.test(each));
    const text = file === undefined ? '' : `\n\n${readFileSync(join(folder, file), 'utf8').trim()}`;
    return `${name} ${version}: ${license}${text}\n`;
  });
  return texts.sort().join(`\n${'-'.repeat(80)}\n\n`);
}

function replace(path, code) {
  if (contentOf(path) === code) return;
  mkdirSync(dirname(path), { recursive: true });
  const fresh = `${path}.${process.pid}`;
  writeFileSync(fresh, code);
  renameSync(fresh, path);
}

function contentOf(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
