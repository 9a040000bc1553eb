import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MIB } from '../../src/core/units.js';
import { probeFilesystem } from '../../src/inspect/registry.js';
import { judge, run } from '../support/judges.js';
import { withFile } from '../support/reader.js';
import { blkid } from './blkid.js';

/** Name, tool, size, arguments, our kind, what blkid calls it. */
const SAMPLES: readonly (readonly [string, string, number, string, string, string])[] = [
  ['ext2', 'mke2fs', 8 * MIB, '-q -F -t ext2 -L two IMAGE', 'ext2', 'ext2'],
  ['ext3', 'mke2fs', 16 * MIB, '-q -F -t ext3 -L three IMAGE', 'ext3', 'ext3'],
  ['ext4', 'mke2fs', 32 * MIB, '-q -F -t ext4 -L four IMAGE', 'ext4', 'ext4'],
  ['ext4 without a journal', 'mke2fs', 32 * MIB, '-q -F -t ext4 -O ^has_journal IMAGE', 'ext4', 'ext4'],
  ['external journal', 'mke2fs', 16 * MIB, '-q -F -O journal_dev -L log IMAGE', 'jbd', 'jbd'],
  ['FAT12', 'mkfs.fat', 2 * MIB, '-F 12 -n TWELVE IMAGE', 'fat12', 'vfat'],
  ['FAT16', 'mkfs.fat', 64 * MIB, '-F 16 -n SIXTEEN IMAGE', 'fat16', 'vfat'],
  ['FAT32', 'mkfs.fat', 64 * MIB, '-F 32 -n THIRTYTWO IMAGE', 'fat32', 'vfat'],
  ['FAT32, 4 KiB sectors', 'mkfs.fat', 300 * MIB, '-F 32 -S 4096 IMAGE', 'fat32', 'vfat'],
  ['exFAT', 'mkfs.exfat', 64 * MIB, '-L ex-fat IMAGE', 'exfat', 'exfat'],
  ['exFAT without a label', 'mkfs.exfat', 8 * MIB, 'IMAGE', 'exfat', 'exfat'],
  ['swap', 'mkswap', MIB, '-q -L exchange -U 0f5a8b1c-2d3e-4f60-8a7b-9c0d1e2f3a4b IMAGE', 'swap', 'swap'],
  ['swap, 64 KiB pages', 'mkswap', 2 * MIB, '-q -p 65536 IMAGE', 'swap', 'swap'],
  ['XFS', 'mkfs.xfs', 300 * MIB, '-q -L exes IMAGE', 'xfs', 'xfs'],
  ['XFS version 4', 'mkfs.xfs', 300 * MIB, '-q -m crc=0 IMAGE', 'xfs', 'xfs'],
  ['btrfs', 'mkfs.btrfs', 200 * MIB, '-q -L butter IMAGE', 'btrfs', 'btrfs'],
  [
    'LUKS1',
    'cryptsetup',
    32 * MIB,
    '-q luksFormat --type luks1 --pbkdf-force-iterations 1000 IMAGE -',
    'luks1',
    'crypto_LUKS',
  ],
  [
    'LUKS2',
    'cryptsetup',
    32 * MIB,
    '-q luksFormat --type luks2 --label safe --pbkdf pbkdf2 --pbkdf-force-iterations 1000 IMAGE -',
    'luks2',
    'crypto_LUKS',
  ],
  ['NTFS', 'mkntfs', 16 * MIB, '-q -F -Q -L volume IMAGE', 'ntfs', 'ntfs'],
];

describe('registry against blkid', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'vmreclaim-registry-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  describe.each(SAMPLES)('%s', (_name, tool, sizeBytes, options, kind, type) => {
    it.skipIf(!judge(tool, 'blkid'))('has the same type, label and UUID', async () => {
      const image = join(folder, 'image');
      writeFileSync(image, '');
      truncateSync(image, sizeBytes);
      const args = options.split(' ').map((word) => (word === 'IMAGE' ? image : word));
      run(tool, args, tool === 'cryptsetup' ? { input: 'password' } : {});
      const judged = blkid(image);
      const facts = (await withFile(image, probeFilesystem))?.facts;
      expect(judged.TYPE).toBe(type);
      expect(facts?.kind).toBe(kind);
      expect(facts?.label ?? undefined).toBe(judged.LABEL);
      if (kind !== 'ntfs') expect(facts?.serial ?? undefined).toBe(judged.UUID);
      expect(facts?.move).toMatchObject({ blockers: [], toleratesLargerPartition: true });
      expect(facts?.reasons).toEqual([]);
      expect(facts?.totalBytes ?? sizeBytes).toBeLessThanOrEqual(sizeBytes);
      rmSync(image);
    });
  });
});
