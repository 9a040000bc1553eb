import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isFamily } from '../../../src/core/errors.js';
import { extFiles } from '../../../src/formats/ext/files.js';
import { judge, run } from '../../support/judges.js';
import { patchedReader, withFile } from '../../support/reader.js';
import { makeContent, makeExt, noise } from './images.js';

const folder = mkdtempSync(join(tmpdir(), 'vmreclaim-ext-files-'));
afterAll(() => rmSync(folder, { recursive: true }));

const KINDS: readonly (readonly [string, readonly string[]])[] = [
  ['ext4', ['-t', 'ext4']],
  ['ext4 without extents', ['-t', 'ext4', '-O', '^extents,^64bit,^metadata_csum', '-b', '1024']],
  ['ext2', ['-t', 'ext2', '-b', '1024']],
];

describe.skipIf(!judge('mke2fs', 'e2fsck', 'debugfs'))('files of an ext file system', () => {
  const content = join(folder, 'content');
  beforeAll(() => {
    mkdirSync(join(content, 'etc'), { recursive: true });
    makeContent(content);
    // Longer than the direct blocks and one indirect block of a kilobyte have room for.
    writeFileSync(join(content, 'etc', 'fstab'), noise(400_000, 5));
    mkdirSync(join(content, 'crowd'));
    for (let index = 0; index < 1500; index++)
      writeFileSync(join(content, 'crowd', `a long name ${index}`), '');
    writeFileSync(join(content, 'crowd', 'wanted'), 'found');
  });

  it.each(KINDS)('of %s are found, read and patched', async (kind, options) => {
    const image = join(folder, kind.replaceAll(' ', '-'));
    makeExt(image, '24M', options, content);
    // Directories get their index, as a running kernel would have given it to them.
    run('e2fsck', ['-f', '-y', '-D', image]);
    const patch = { at: 99_998, bytes: Buffer.from('PATCH') };
    const bytes = readFileSync(image);
    await withFile(image, async (volume) => {
      const files = await extFiles(volume);
      for (const path of ['etc/fstab', 'large', 'holed', 'many/file-57', 'crowd/wanted']) {
        const file = await files.find(path.split('/'));
        if (file === undefined) throw new Error(`${path} is not found`);
        expect(file.sizeBytes).toBe(statSync(join(content, path)).size);
        const read = Buffer.from(await file.readAt(0, file.sizeBytes));
        expect(read.equals(readFileSync(join(content, path)))).toBe(true);
      }
      expect(await files.find(['crowd', 'WANTED'])).toBeUndefined();
      expect(await files.find(['large', 'below'])).toBeUndefined();
      expect(await files.find(['etc'])).toBeUndefined();
      await expect(files.find(['short-link'])).rejects.toMatchObject({ family: 'unsupported' });
      const file = await files.find(['etc', 'fstab']);
      for (const write of file?.patch([patch], 'test') ?? []) bytes.set(write.bytes, write.at);
      const holed = await files.find(['holed']);
      expect(() => holed?.places(0, 80_000)).toThrow(/no blocks/);
    });
    writeFileSync(image, bytes);
    run('e2fsck', ['-f', '-n', image]);
    run('debugfs', ['-R', `dump /etc/fstab ${join(folder, 'dumped')}`, image]);
    const wanted = Buffer.from(noise(400_000, 5));
    wanted.set(patch.bytes, patch.at);
    expect(readFileSync(join(folder, 'dumped')).equals(wanted)).toBe(true);
  });

  it('inside their inodes are refused', async () => {
    const image = join(folder, 'inline');
    makeExt(image, '24M', ['-t', 'ext4', '-O', 'inline_data', '-I', '256'], content);
    await withFile(image, async (volume) => {
      const files = await extFiles(volume);
      await expect(files.find(['etc', 'fstab'])).rejects.toMatchObject({ family: 'unsupported' });
    });
  });

  it('end in a typed error, or are right, whatever a byte of the inodes and directories is', async () => {
    const image = join(folder, 'hostile');
    makeExt(image, '4M', ['-t', 'ext2', '-b', '1024']);
    run('debugfs', ['-w', '-R', 'mkdir etc', image]);
    const source = join(folder, 'source');
    writeFileSync(source, 'hello');
    run('debugfs', ['-w', '-R', `write ${source} etc/fstab`, image]);
    const used = readFileSync(image).findLastIndex((byte) => byte !== 0);
    await withFile(image, async (volume) => {
      const whole = await volume.readAt(0, used + 1);
      const places = [...whole.entries()].filter(([, byte]) => byte !== 0).map(([at]) => at);
      for (const at of places) {
        const flipped = Uint8Array.of((whole[at] ?? 0) ^ 0x41);
        try {
          const file = await (await extFiles(patchedReader(volume, at, flipped))).find(['etc', 'fstab']);
          if (file !== undefined && file.sizeBytes < 1 << 20) await file.readAt(0, file.sizeBytes);
        } catch (error) {
          if (!isFamily(error, 'damaged') && !isFamily(error, 'unsupported')) throw error;
        }
      }
    });
  });
});
