import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ByteRange, clipRanges, complement, mergeRanges } from '../../../src/core/range.js';
import { GIB, MIB } from '../../../src/core/units.js';
import type { Reader } from '../../../src/device/types.js';
import { ext } from '../../../src/formats/ext/index.js';
import { judge, run } from '../../support/judges.js';
import { withFile } from '../../support/reader.js';
import { copyRanges, dump, freeSpace, makeContent, makeExt, treeOf } from './images.js';

/** Everything used, asked for window by window. */
async function usedRanges(volume: Reader, window: number): Promise<ByteRange[]> {
  const map = await ext.usedMap?.(volume);
  const found: ByteRange[] = [];
  for (let at = 0; at < volume.sizeBytes; at += window) {
    const length = Math.min(window, volume.sizeBytes - at);
    const part = (await map?.ranges(at, length)) ?? [];
    for (const range of part) {
      expect(range.at).toBeGreaterThanOrEqual(at);
      expect(range.at + range.length).toBeLessThanOrEqual(at + length);
    }
    found.push(...part);
  }
  return mergeRanges(found);
}

const FEATURE_SETS: readonly (readonly [string, string, readonly string[]])[] = [
  ['ext2, 1 KiB blocks', '24M', ['-t', 'ext2', '-b', '1024']],
  ['ext2, revision 0', '24M', ['-t', 'ext2', '-r', '0']],
  [
    'ext2, 4 KiB blocks, no sparse_super',
    '300M',
    ['-t', 'ext2', '-b', '4096', '-O', '^sparse_super,^resize_inode'],
  ],
  ['ext3, 1 KiB blocks', '40M', ['-t', 'ext3', '-b', '1024']],
  ['ext3, 2 KiB blocks, no resize_inode', '64M', ['-t', 'ext3', '-b', '2048', '-O', '^resize_inode']],
  ['ext4 as it comes', '200M', ['-t', 'ext4']],
  ['ext4, 1 KiB blocks', '100M', ['-t', 'ext4', '-b', '1024']],
  ['ext4, meta_bg, 1 KiB blocks', '300M', ['-t', 'ext4', '-b', '1024', '-O', 'meta_bg,^resize_inode']],
  [
    'ext4, meta_bg, small groups',
    '64M',
    ['-t', 'ext4', '-b', '1024', '-g', '256', '-O', 'meta_bg,^resize_inode'],
  ],
  ['ext4, bigalloc', '600M', ['-t', 'ext4', '-O', 'bigalloc', '-C', '65536']],
  ['ext4, bigalloc, 1 KiB blocks', '64M', ['-t', 'ext4', '-b', '1024', '-O', 'bigalloc', '-C', '16384']],
  ['ext4, not 64bit', '200M', ['-t', 'ext4', '-O', '^64bit']],
  ['ext4, gdt_csum only', '400M', ['-t', 'ext4', '-O', '^metadata_csum,uninit_bg']],
  ['ext4, no checksums at all', '200M', ['-t', 'ext4', '-O', '^metadata_csum,^uninit_bg']],
  ['ext4, sparse_super2', '1G', ['-t', 'ext4', '-O', 'sparse_super2,^resize_inode']],
  ['ext4, no flex_bg', '700M', ['-t', 'ext4', '-O', '^flex_bg']],
  ['ext4, dense inodes', '700M', ['-t', 'ext4', '-i', '1024', '-G', '64']],
  ['ext4, no journal', '100M', ['-t', 'ext4', '-O', '^has_journal']],
  ['ext4, inline_data', '100M', ['-t', 'ext4', '-O', 'inline_data']],
  ['ext4, small inodes', '100M', ['-t', 'ext4', '-I', '128']],
  ['ext4, own checksum seed', '100M', ['-t', 'ext4', '-O', 'metadata_csum_seed']],
  ['ext4, end inside a group', '131073k', ['-t', 'ext4', '-b', '1024']],
  ['ext4, quota and project', '100M', ['-t', 'ext4', '-O', 'quota,project']],
];

describe.skipIf(!judge('mke2fs', 'e2fsck', 'dumpe2fs', 'debugfs'))('ext used map', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'vmreclaim-ext-'));
    makeContent(join(folder, 'content'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each(FEATURE_SETS)('of %s is all that its files need', async (name, size, options) => {
    const stem = join(folder, name.replaceAll(/\W+/g, '-'));
    const image = `${stem}.img`;
    makeExt(image, size, options, join(folder, 'content'));
    const ranges = await withFile(image, async (volume) => {
      const facts = await ext.inspect(volume);
      expect(facts).toMatchObject({ state: 'clean', reasons: [], move: { copies: 'used' } });
      await ext.check?.(volume);
      const used = await usedRanges(volume, 8 * MIB);
      const whole = { at: 0, length: facts.totalBytes ?? 0 };
      const free = clipRanges(mergeRanges(freeSpace(image)), whole);
      expect(complement(used, whole)).toEqual(free);
      expect(await (await ext.freeMap?.(volume))?.ranges(0, volume.sizeBytes)).toEqual(free);
      copyRanges(image, `${stem}.copy`, volume.sizeBytes, used);
      return used;
    });
    expect(ranges.length).toBeGreaterThan(0);
    // mke2fs leaves quota files behind the content it filled in: e2fsck says so of the original as well.
    const code = options.includes('quota,project') ? 4 : 0;
    run('e2fsck', ['-fn', `${stem}.copy`], { code });
    // debugfs 1.47 reads files inside inodes wrongly, the same way from the original.
    const inline = options.includes('inline_data');
    const expected = inline ? dump(image, `${stem}.orig`) : treeOf(join(folder, 'content'));
    expect(dump(`${stem}.copy`, `${stem}.out`)).toEqual(expected);
    for (const path of [image, `${stem}.copy`, `${stem}.out`, `${stem}.orig`])
      rmSync(path, { recursive: true, force: true });
  });

  it('of an almost empty 200 GiB file system follows from the layout of its groups', async () => {
    const image = join(folder, 'huge.img');
    makeExt(image, '200G', ['-t', 'ext4', '-E', 'lazy_itable_init=1,nodiscard'], join(folder, 'content'));
    await withFile(image, async (volume) => {
      const used = await usedRanges(volume, 4 * GIB);
      const whole = { at: 0, length: volume.sizeBytes };
      expect(complement(used, whole)).toEqual(clipRanges(mergeRanges(freeSpace(image)), whole));
      await ext.check?.(volume);
    });
    rmSync(image);
  });
});
