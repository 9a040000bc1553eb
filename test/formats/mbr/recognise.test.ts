import { spawnSync } from 'node:child_process';
import { afterEach, describe, expect, it } from 'vitest';
import { mbrTypeName, readMbr } from '../../../src/formats/mbr/index.js';
import { corpus, judge, run } from '../../support/judges.js';
import { DiskFile, SparseDisk } from './disk-file.js';
import { bootRecord } from './table-bytes.js';

const MIB = 1 << 20;
const disks: DiskFile[] = [];

function blank(sizeBytes: number): DiskFile {
  const disk = new DiskFile(sizeBytes);
  disks.push(disk);
  return disk;
}

afterEach(() => {
  for (const disk of disks.splice(0)) disk.close();
});

describe('is sector 0 a partition table?', () => {
  const withMbr = (bytes: Uint8Array): SparseDisk => new SparseDisk(MIB).with([{ at: 0, bytes }]);
  const entry = { slot: 2, type: 7, start: 64, count: 1000 };

  it('not without 55 AA, on a disk too small, or with other status bytes', async () => {
    expect(await readMbr(new SparseDisk(MIB), 512)).toBeNull();
    expect(await readMbr(new SparseDisk(0), 512)).toBeNull();
    expect(await readMbr(new SparseDisk(511), 512)).toBeNull();
    expect(await readMbr(withMbr(bootRecord([{ ...entry, status: 1 }])), 512)).toBeNull();
    expect(await readMbr(withMbr(bootRecord([{ ...entry, status: 0x80 }])), 512)).not.toBeNull();
  });

  it('not when every entry lies beyond the disk', async () => {
    expect(await readMbr(withMbr(bootRecord([{ ...entry, start: 5000 }])), 512)).toBeNull();
    const one = [
      { ...entry, start: 5000 },
      { ...entry, slot: 3 },
    ];
    expect(await readMbr(withMbr(bootRecord(one)), 512)).toMatchObject({
      problems: [{ code: 'partition-beyond-disk' }],
    });
  });

  it('yes when it is empty, or keeps a BPB beside entries that make sense', async () => {
    expect(await readMbr(withMbr(bootRecord([])), 512)).toMatchObject({ partitions: [], problems: [] });
    const both = bootRecord([entry]);
    both.set(new TextEncoder().encode('NTFS    '), 3);
    expect(await readMbr(withMbr(both), 512)).not.toBeNull();
    const bare = bootRecord([]);
    bare.set(new TextEncoder().encode('NTFS    '), 3);
    expect(await readMbr(withMbr(bare), 512)).toBeNull();
  });

  it.skipIf(!judge('mkntfs'))('not on a bare NTFS volume', async () => {
    const disk = blank(16 * MIB);
    run('mkntfs', ['--quick', '--quiet', '--force', disk.path]);
    expect(await readMbr(disk, 512)).toBeNull();
  });

  it.skipIf(!judge('mkfs.fat')).each([
    ['12', '64'],
    ['16', '8'],
    ['32', '1'],
  ])('not on a bare FAT%s volume', async (bits, cluster) => {
    const disk = blank(64 * MIB);
    run('mkfs.fat', ['-F', bits, '-s', cluster, '--mbr=n', disk.path]);
    expect(await readMbr(disk, 512)).toBeNull();
    run('mkfs.fat', ['-F', bits, '-s', cluster, '--mbr=y', disk.path]);
    expect(await readMbr(disk, 512)).toBeNull();
  });

  it.skipIf(!judge('mkfs.exfat'))('not on a bare exFAT volume', async () => {
    const disk = blank(64 * MIB);
    run('mkfs.exfat', [disk.path]);
    expect(await readMbr(disk, 512)).toBeNull();
  });

  it.skipIf(!judge('mke2fs'))('not on a bare ext4 volume', async () => {
    const disk = blank(16 * MIB);
    run('mke2fs', ['-q', '-F', '-t', 'ext4', disk.path]);
    expect(await readMbr(disk, 512)).toBeNull();
  });
});

const samples = corpus();
const WINDOWS = { heads: 255, sectorsPerTrack: 63 };

describe.skipIf(samples === undefined)('MBRs of real disks', () => {
  /** The first sector of a packed image; the rest of these disks holds no part of the table. */
  function firstSector(name: string): Uint8Array {
    const unpack = name.endsWith('.tgz') ? 'tar xzOf' : 'gzip -dc';
    const { stdout } = spawnSync('sh', ['-c', `${unpack} "${samples}${name}" 2>/dev/null | head -c 512`]);
    expect(stdout).toHaveLength(512);
    return stdout;
  }

  it.each([
    ['vmdk/monolithicFlat-flat.vmdk.gz', 10 * MIB, 128, 18_304, 7, WINDOWS],
    ['vmdk/twoGbMaxExtentFlat-f001.vmdk.gz', 10 * MIB, 128, 18_304, 7, WINDOWS],
    ['vmdk/vmfs_thick-flat.vmdk.gz', 2 * MIB, 2048, 2048, 0x83, { heads: 255, sectorsPerTrack: 2 }],
    ['ntfs/win10-64gib-two-shadow-copies.tgz', 65_536 * MIB, 2048, 134_211_584, 7, WINDOWS],
    ['ntfs/win10-2mib-clusters.raw.gz', 1024 * MIB, 128, 2_091_008, 7, WINDOWS],
    [
      'ntfs/win10-compressed-stream.raw.gz',
      1024 * MIB,
      128,
      2_091_008,
      7,
      { heads: 32, sectorsPerTrack: 63 },
    ],
  ])('%s', async (name, size, start, count, type, geometry) => {
    const table = await readMbr(new SparseDisk(size).with([{ at: 0, bytes: firstSector(name) }]), 512);
    expect(table).toMatchObject({
      partitions: [{ number: 1, startLba: start, sectorCount: count, type, active: false }],
      geometry,
      problems: [],
    });
  });

  it('a bare volume has none', async () => {
    const bytes = firstSector('ntfs/win10-attribute-list.partition.gz');
    expect(await readMbr(new SparseDisk(1024 * MIB).with([{ at: 0, bytes }]), 512)).toBeNull();
  });
});

describe('mbrTypeName', () => {
  it('names the common types and shows the others', () => {
    expect(mbrTypeName(7)).toBe('NTFS/exFAT/HPFS');
    expect(mbrTypeName(0xee)).toBe('GPT protective');
    expect(mbrTypeName(0x3)).toBe('0x03');
  });
});
