import { readFile, stat, statfs } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { StoreVolume } from '../../device/store.js';
import { attempt } from './errors.js';

/** The file system that holds a folder: where it is mounted, what it is, how full it is. */
export function localVolume(folder: string): Promise<StoreVolume> {
  return attempt('ask for the file system of', folder, async () => {
    const path = await mountPoint(folder);
    const { blocks, bfree, bavail, bsize } = await statfs(folder);
    return {
      name: basename(path) || path,
      path,
      type: await typeOf(path),
      capacityBytes: blocks * bsize,
      usedBytes: (blocks - bfree) * bsize,
      freeBytes: bavail * bsize,
    };
  });
}

/** The highest folder that is on the same device. */
async function mountPoint(folder: string): Promise<string> {
  const { dev } = await stat(folder);
  let path = folder;
  for (;;) {
    const above = dirname(path);
    if (above === path || (await stat(above)).dev !== dev) return path;
    path = above;
  }
}

/** Fields of a line of mountinfo (proc(5)): the fifth is the mount point, behind ` - ` comes the type. */
const MOUNT_LINE = /^(?:\S+ ){4}(\S+) .*? - (\S+) /;

/** What the kernel calls the file system mounted there; the last mount wins, as it covers the others. */
async function typeOf(path: string): Promise<string | null> {
  let type: string | null = null;
  const mounts = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '');
  for (const line of mounts.split('\n')) {
    const [, point = '', kind = ''] = MOUNT_LINE.exec(line) ?? [];
    if (unescapeMount(point) === path) type = kind;
  }
  return type;
}

/** Spaces and the like come as `\040`. */
const unescapeMount = (point: string): string =>
  point.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
