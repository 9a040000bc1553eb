import { createHash } from 'node:crypto';
import {
  closeSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { ByteRange } from '../../../src/core/range.js';
import { KIB, MIB } from '../../../src/core/units.js';
import { run } from '../../support/judges.js';

/** Bytes that compress badly and repeat never, the same in each run. */
export function noise(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed | 1;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

/** A folder with small and large files, a hole, many names and both kinds of links. */
export function makeContent(folder: string): void {
  mkdirSync(join(folder, 'many'), { recursive: true });
  for (let i = 0; i < 100; i++) writeFileSync(join(folder, 'many', `file-${i}`), noise(i * 21, i));
  writeFileSync(join(folder, 'large'), noise(MIB, 99));
  symlinkSync('large', join(folder, 'short-link'));
  symlinkSync(`${'x/'.repeat(60)}large`, join(folder, 'long-link'));
  const holed = openSync(join(folder, 'holed'), 'w');
  for (let i = 0; i < 40; i++) writeSync(holed, noise(4 * KIB, i), 0, 4 * KIB, i * 64 * KIB);
  closeSync(holed);
}

/** Makes an image of `size` (as mke2fs understands it) and fills it with a folder. */
export function makeExt(image: string, size: string, options: readonly string[], content?: string): void {
  const fill = content === undefined ? [] : ['-d', content];
  run('mke2fs', ['-q', '-F', ...options, ...fill, image, size]);
}

/** Hash of every file, target of every link, by path. */
export function treeOf(folder: string, prefix = ''): Map<string, string> {
  const tree = new Map<string, string>();
  for (const name of readdirSync(folder).sort()) {
    const path = join(folder, name);
    const status = lstatSync(path);
    if (status.isDirectory()) {
      if (name === 'lost+found') continue;
      for (const [key, value] of treeOf(path, `${prefix}${name}/`)) tree.set(key, value);
    } else if (status.isSymbolicLink()) tree.set(prefix + name, readlinkSync(path));
    else tree.set(prefix + name, createHash('sha256').update(readFileSync(path)).digest('hex'));
  }
  return tree;
}

/** Takes all files out of an image without mounting it. */
export function dump(image: string, folder: string): Map<string, string> {
  mkdirSync(folder, { recursive: true });
  run('debugfs', ['-R', `rdump / ${folder}`, image]);
  return treeOf(folder);
}

/** Copies just these ranges into a new sparse file of the same size. */
export function copyRanges(from: string, to: string, sizeBytes: number, ranges: readonly ByteRange[]): void {
  const source = openSync(from, 'r');
  const target = openSync(to, 'w');
  ftruncateSync(target, sizeBytes);
  const buffer = new Uint8Array(MIB);
  for (const { at, length } of ranges) {
    for (let done = 0; done < length; ) {
      const part = Math.min(buffer.length, length - done);
      const got = readSync(source, buffer, 0, part, at + done);
      writeSync(target, buffer, 0, got, at + done);
      done += got;
    }
  }
  closeSync(source);
  closeSync(target);
}

/**
 * Free space as dumpe2fs prints it, group by group. It names the first block of the first and of the last
 * cluster of each stretch.
 */
export function freeSpace(image: string): ByteRange[] {
  const found: ByteRange[] = [];
  const report = run('dumpe2fs', [image]);
  const field = (name: string): number => Number(new RegExp(`^${name}: +(\\d+)$`, 'm').exec(report)?.[1]);
  const blockBytes = field('Block size');
  const clusterBytes = field('Cluster size') || blockBytes;
  for (const line of report.split('\n')) {
    const list = /^ {2}Free blocks: (.+)$/.exec(line)?.[1];
    if (list === undefined) continue;
    for (const part of list.split(', ')) {
      const [first = '', last = first] = part.split('-');
      const at = Number(first) * blockBytes;
      found.push({ at, length: Number(last) * blockBytes + clusterBytes - at });
    }
  }
  return found;
}
