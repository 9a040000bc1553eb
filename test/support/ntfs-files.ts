import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './judges.js';
import { inMount } from './mounts.js';
import { SECTOR } from './volumes.js';

/** Makes an NTFS volume with these files (a text: a hard link to that path) for a partition at `start`. Needs root. */
export function ntfsWith(
  folder: string,
  name: string,
  files: Readonly<Record<string, Uint8Array | string>>,
  { sectors = 65_536, start = 63 } = {},
): string {
  const path = join(folder, name);
  writeFileSync(path, '');
  truncateSync(path, sectors * SECTOR);
  run('mkntfs', ['-q', '-F', '-f', '-c', '4096', '-p', `${start}`, '-H', '255', '-S', '63', path]);
  const source = join(folder, `${name}-files`);
  mkdirSync(source);
  const copies = Object.entries(files).map(([to, content], index) => {
    const into = `mkdir -p "$(dirname '${to}')";`;
    if (typeof content === 'string') return `${into} ln '${content}' '${to}'`;
    writeFileSync(join(source, `${index}`), content);
    return `${into} cp '${join(source, `${index}`)}' '${to}'`;
  });
  inMount('ntfs', path, 'rw', copies.join('\n'));
  return path;
}

/** Copies a file out of an NTFS volume, and returns where it is. */
export function extractFile(volume: string, path: string, to: string): string {
  inMount('ntfs', volume, 'ro', `cp '${path}' '${to}'`);
  return to;
}
