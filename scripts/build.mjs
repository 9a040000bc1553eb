// Makes dist/ from src/: the modules of the program bundled into a few files, since a start that opens four hundred takes
// twice as long. Packages stay outside. A file is replaced only when it changes, and at once: a command that runs
// meanwhile finds a whole one.
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const TARGET = join(ROOT, 'dist');
/** The command, and what scripts and tests load by itself. */
const ENTRIES = ['cli/main', 'cli/peak-memory', 'cli/history-files', 'profile/schema'];

const bundle = await rolldown({
  cwd: ROOT,
  input: Object.fromEntries(ENTRIES.map((entry) => [entry, `src/${entry}.ts`])),
  platform: 'node',
  external: (id) => !/^(\.|\/|[a-z]:)/i.test(id),
});
// Chunks lie as deep as the modules they are made of, so that paths relative to a module mean the same.
const { output } = await bundle.generate({ format: 'esm', chunkFileNames: 'chunks/[name]-[hash].js' });
await bundle.close();

for (const { fileName, code } of output) replace(join(TARGET, fileName), code);
const made = new Set(output.map(({ fileName }) => fileName));
for (const file of readdirSync(TARGET, { recursive: true, withFileTypes: true })) {
  const path = join(file.parentPath, file.name);
  if (file.isFile() && !made.has(relative(TARGET, path).replaceAll('\\', '/'))) rmSync(path);
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
