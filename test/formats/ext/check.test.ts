import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { VmreclaimError } from '../../../src/core/errors.js';
import type { Reader } from '../../../src/device/types.js';
import { ext } from '../../../src/formats/ext/index.js';
import { judge, run } from '../../support/judges.js';
import { patchedReader, withFile } from '../../support/reader.js';
import { makeContent, makeExt } from './images.js';

/** The code of the error that the deep check ends with; `clean` when it finds nothing. */
async function verdict(volume: Reader): Promise<string> {
  try {
    await ext.check?.(volume);
    return 'clean';
  } catch (error) {
    if (error instanceof VmreclaimError) return `${error.family}: ${error.code}`;
    throw error;
  }
}

describe.skipIf(!judge('mke2fs', 'e2fsck', 'debugfs', 'dumpe2fs'))('ext deep check', () => {
  let folder = '';
  let image = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'vmreclaim-check-'));
    image = join(folder, 'image');
    makeContent(join(folder, 'content'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** Makes a file system, lets debugfs change it, and judges the result. e2fsck must see the damage too. */
  async function after(options: readonly string[], ...commands: readonly string[]): Promise<string> {
    rmSync(image, { force: true });
    makeExt(image, '32M', options, join(folder, 'content'));
    for (const command of commands) run('debugfs', ['-w', '-R', command, image]);
    expect(() => run('e2fsck', ['-fn', image])).toThrow(/exited (4|12)/);
    return withFile(image, verdict);
  }

  const PLAIN = ['-t', 'ext4', '-O', '^metadata_csum,^uninit_bg'];
  const CHECKED = ['-t', 'ext4', '-b', '1024'];

  it('finds a block of a file that the bitmap calls free', async () => {
    const block = blockOf('large', PLAIN);
    expect(await after(PLAIN, `freeb ${block}`)).toBe('damaged: ext-free-count');
    // With the count made right again, what refers to the block gives it away.
    expect(await after(PLAIN, `freeb ${block}`, ...countRight(1))).toBe('damaged: ext-bitmap-mismatch');
  });

  it('finds a node of an extent tree, an indirect block and an attribute block that are called free', async () => {
    const node = nodeOf('holed', PLAIN);
    expect(await after(PLAIN, `freeb ${node}`, ...countRight(1))).toBe('damaged: ext-bitmap-mismatch');
    const indirect = nodeOf('large', ['-t', 'ext2']);
    expect(await after(['-t', 'ext2'], `freeb ${indirect}`, ...countRight(1))).toBe(
      'damaged: ext-bitmap-mismatch',
    );
    expect(await after(PLAIN, 'set_inode_field /large file_acl 30000')).toBe('damaged: ext-bitmap-mismatch');
  });

  it('finds group descriptors that are called free: no file refers to them', async () => {
    expect(await after(PLAIN, 'freeb 1', ...countRight(1))).toBe('damaged: ext-bitmap-mismatch');
  });

  it('finds a wrong extent magic, depth and blocks outside', async () => {
    expect(await after(PLAIN, 'set_inode_field /large block[0] 0')).toBe('damaged: ext-block-map');
    expect(await after(['-t', 'ext2'], 'set_inode_field /large block[3] 99999999')).toBe(
      'damaged: ext-block-map',
    );
  });

  it('finds an indirect block that is its own child', async () => {
    makeFresh(['-t', 'ext2', '-b', '1024']);
    const block = Number(/\(DIND\):(\d+)/.exec(run('debugfs', ['-R', 'stat /large', image]))?.[1]);
    const pointer = new Uint8Array(4);
    new DataView(pointer.buffer).setUint32(0, block, true);
    await withFile(image, async (volume) => {
      const looped = ext.check?.(patchedReader(volume, block * 1024, pointer));
      await expect(looped).rejects.toThrow(/an indirect block below itself/);
    });
  });

  it('finds a root that is no directory', async () => {
    expect(await after(PLAIN, 'set_inode_field <2> mode 0100644')).toBe('damaged: ext-root-directory');
  });

  it('finds wrong checksums of descriptors, bitmaps, inodes and extent blocks', async () => {
    makeFresh(CHECKED);
    const field = (name: string): number =>
      Number(new RegExp(`${name} at (\\d+)`).exec(run('dumpe2fs', [image]))?.[1]);
    const places: readonly (readonly [string, number, string])[] = [
      ['descriptor', 2 * 1024 + 12, 'ext-group-checksum'],
      ['block bitmap', field('Block bitmap') * 1024, 'ext-bitmap-checksum'],
      ['inode bitmap', field('Inode bitmap') * 1024, 'ext-bitmap-checksum'],
      ['inode', field('Inode table') * 1024 + 256 + 40, 'ext-inode-checksum'],
      ['extent block', nodeOf('holed', CHECKED) * 1024 + 30, 'ext-extent-checksum'],
    ];
    makeFresh(CHECKED);
    await withFile(image, async (volume) => {
      for (const [name, at, code] of places) {
        const [old = 0] = await volume.readAt(at, 1);
        const broken = patchedReader(volume, at, Uint8Array.of(old ^ 0x10));
        expect(`${name}: ${await verdict(broken)}`).toBe(`${name}: damaged: ${code}`);
      }
    });
  });

  it('does not judge what is not clean, and copies it whole', async () => {
    makeFresh(PLAIN);
    for (const [command, state] of [
      ['set_super_value state 0', 'dirty'],
      ['set_super_value state 3', 'dirty'],
      ['feature needs_recovery', 'needs-recovery'],
    ] as const) {
      makeFresh(PLAIN);
      run('debugfs', ['-w', '-R', command, image]);
      await withFile(image, async (volume) => {
        const facts = await ext.inspect(volume);
        expect(facts).toMatchObject({ state, reasons: [], move: { copies: 'all', blockers: [] } });
        expect(await verdict(volume)).toBe('clean');
        await expect(ext.usedMap?.(volume)).rejects.toMatchObject({ code: 'ext-bitmaps-unsure' });
      });
    }
  });

  it('copies whole what has a feature that is not understood', async () => {
    makeFresh(PLAIN);
    await withFile(image, async (volume) => {
      const unknown = patchedReader(volume, 1024 + 0x63, Uint8Array.of(0x80));
      expect(await ext.inspect(unknown)).toMatchObject({ kind: 'ext4', move: { copies: 'all' } });
    });
  });

  function makeFresh(options: readonly string[]): void {
    rmSync(image, { force: true });
    makeExt(image, '32M', options, join(folder, 'content'));
  }

  /** The first data block of a file. */
  function blockOf(name: string, options: readonly string[]): number {
    makeFresh(options);
    return Number(/^(\d+) /m.exec(run('debugfs', ['-R', `blocks /${name}`, image]))?.[1]);
  }

  /** A block of the map of a file: an extent node or an indirect block. */
  function nodeOf(name: string, options: readonly string[]): number {
    makeFresh(options);
    const found = /\((?:ETB0|IND)\):(\d+)/.exec(run('debugfs', ['-R', `stat /${name}`, image]));
    return Number(found?.[1]);
  }

  /** Commands that add to the free count of group 0 what freeb took away. */
  function countRight(blocks: number): string[] {
    const free = Number(/(\d+) free blocks, \d+ free inodes/.exec(run('dumpe2fs', [image]))?.[1]);
    return [`set_bg 0 free_blocks_count ${free + blocks}`];
  }
});
