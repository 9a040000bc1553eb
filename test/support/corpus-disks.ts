import { readdirSync, renameSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { corpus, run } from './judges.js';
import { once } from './once.js';

const GUNZIP = 'gzip -dc "$1" | cp --sparse=always /dev/stdin "$2"';

/** A disk or volume of the corpus, unpacked, to be copied or read; zeros are holes. Its name is a path there. */
export function corpusDisk(name: string): string {
  const from = join(corpus() ?? '', name);
  return once(name.replaceAll('/', '-'), (path) => {
    if (name.endsWith('.tgz')) unpackOnly(from, path);
    else run('bash', ['-euo', 'pipefail', '-c', GUNZIP, 'unpack', from, path]);
  });
}

/** The only file of an archive. */
function unpackOnly(archive: string, path: string): void {
  const folder = `${path}.folder`;
  run('mkdir', [folder]);
  run('tar', ['-xzSf', archive, '-C', folder]);
  renameSync(join(folder, readdirSync(folder)[0] ?? ''), path);
  rmdirSync(folder);
}
