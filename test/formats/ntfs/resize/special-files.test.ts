import { describe, expect, it } from 'vitest';
import { checkDeep } from '../../../../src/formats/ntfs/resize/check-deep.js';
import { enlargeNtfs } from '../../../../src/formats/ntfs/resize/enlarge.js';
import { minimumNtfsSize } from '../../../../src/formats/ntfs/resize/minimum.js';
import { shrinkNtfs } from '../../../../src/formats/ntfs/resize/shrink.js';
import { openVolume } from '../../../../src/formats/ntfs/volume.js';
import { encodePairs, listEntry, nonResident, resident, TINY } from '../tiny-volume.js';
import { codeOf, VolumeBytes } from '../volumes.js';
import {
  clustersOf,
  fill,
  mark,
  partitionOf,
  putRecord,
  resizable,
  resized,
  streamOf,
} from './tiny-resize.js';

const [MFT, MIRROR, LOG, BITMAP, BOOT, FILE, FREE] = [0, 1, 2, 6, 7, 24, 26];
const { clusterBytes, clusterCount } = TINY;
const smaller = { newSizeBytes: partitionOf(200) };
const larger = { newSizeBytes: partitionOf(300) };

/** What both ways of resizing answer. */
async function codes(volume: Uint8Array): Promise<string[]> {
  const reader = new VolumeBytes(volume);
  return [await codeOf(shrinkNtfs(reader, smaller)), await codeOf(enlargeNtfs(reader, larger))];
}

function withRecords(records: Readonly<Record<number, Uint8Array[]>>): Uint8Array {
  const volume = resizable();
  for (const [number, attributes] of Object.entries(records)) putRecord(volume, Number(number), attributes);
  return volume;
}

const mftBits = (dataSize: number): Uint8Array =>
  streamOf([{ lcn: 90, length: 1 }], { type: 0xb0, instance: 2, dataSize });
const twice = (value: string): string[] => [value, value];

describe('special files that are not what a resize writes to by their place', () => {
  it('a sound one', async () => {
    expect(await codes(resizable())).toEqual(twice('none'));
    expect(await checkDeep(new VolumeBytes(resizable()))).toEqual([]);
  });

  it.each<readonly [string, Readonly<Record<number, Uint8Array[]>>, string]>([
    [
      '$MFTMirr longer than its clusters',
      { [MIRROR]: [streamOf([TINY.mirror], { dataSize: 65536 })] },
      'ntfs-runlist',
    ],
    [
      '$MFTMirr without its last records',
      { [MIRROR]: [streamOf([TINY.mirror], { dataSize: 2048 })] },
      'ntfs-mirror',
    ],
    [
      '$LogFile longer than its clusters',
      { [LOG]: [streamOf([TINY.log], { dataSize: 1 << 20 })] },
      'ntfs-runlist',
    ],
    ['$Boot somewhere else', { [BOOT]: [streamOf([{ lcn: 90, length: 2 }])] }, 'ntfs-boot-file'],
    [
      '$Boot without the shadow copy header',
      { [BOOT]: [streamOf([{ lcn: 0, length: 1 }])] },
      'ntfs-boot-file',
    ],
    ['$Boot in its record', { [BOOT]: [resident(0x80, '', new Uint8Array(8))] }, 'ntfs-boot-file'],
    [
      '$Bitmap with two contents',
      { [BITMAP]: [streamOf([TINY.bitmap], { dataSize: 32 }), streamOf([], { instance: 2 })] },
      'ntfs-record',
    ],
    [
      'a map of records that is longer than its cluster',
      { [MFT]: [streamOf([TINY.mft]), mftBits(8192)] },
      'ntfs-runlist',
    ],
  ])('%s', async (_name, records, code) => {
    expect(await codes(withRecords(records))).toEqual(twice(code));
  });
});

describe('a stream that lost its last pieces', () => {
  const short = (options: object) =>
    nonResident(0x80, '', encodePairs([{ lcn: 90, length: 4 }]), {
      dataSize: 8 * clusterBytes,
      highestVcn: 3,
      instance: 1,
      ...options,
    });

  it('without an attribute list', async () => {
    const volume = withRecords({ [FILE]: [short({})] });
    mark(volume, [{ lcn: 90, length: 4 }]);
    expect(await checkDeep(new VolumeBytes(volume))).toMatchObject([
      { severity: 'damage', code: 'ntfs-runlist' },
    ]);
  });

  it('that its attribute list leaves out', async () => {
    const volume = withRecords({ [FILE]: [resident(0x20, '', listEntry(0x80, 0, FILE, 1)), short({})] });
    mark(volume, [{ lcn: 90, length: 4 }]);
    expect(await checkDeep(new VolumeBytes(volume))).toMatchObject([
      { severity: 'damage', code: 'ntfs-runlist' },
    ]);
  });
});

/** A volume with an extension record of the file, that no list leads to; bits of $MFT are a byte for eight records. */
function withOrphan(base: number, name = ''): Uint8Array {
  const volume = resizable();
  const run = { lcn: 240, length: 3 };
  putRecord(volume, MFT, [
    streamOf([TINY.mft]),
    resident(0xb0, '', Uint8Array.of(0xff, 0xff, 0, 0x07, 0, 0, 0, 0), 2),
  ]);
  putRecord(volume, FREE, [streamOf([run], { name })], base);
  mark(volume, [run]);
  fill(volume, [run], 5);
  return volume;
}

describe('extension records that are in no attribute list', () => {
  it.each([
    [FILE, ''],
    [FILE + 1, 'lost'],
    [MFT, ''],
    [MIRROR, ''],
    [BITMAP, ''],
    [8, '$Bad'],
    [0xffff_ffff, ''],
  ])('of record %i: a note, and their clusters move with all others', async (base, name) => {
    const volume = withOrphan(base, name);
    const [note] = await checkDeep(new VolumeBytes(volume));
    expect(note).toMatchObject({ severity: 'note', code: 'ntfs-orphan-records' });
    const resize = await shrinkNtfs(new VolumeBytes(volume), smaller);
    expect(resize.relocatedBytes).toBe(3 * clusterBytes);
    const small = await resized(volume, resize, smaller.newSizeBytes);
    expect(await checkDeep(new VolumeBytes(small))).toEqual([note]);
    const back = await enlargeNtfs(new VolumeBytes(small), larger);
    expect(await checkDeep(new VolumeBytes(await resized(small, back, larger.newSizeBytes)))).toEqual([note]);
  });

  it('with an attribute list of their own: damage', async () => {
    const volume = withOrphan(FILE);
    putRecord(volume, FREE, [resident(0x20, '', listEntry(0x80, 0, FREE, 1))], FILE);
    expect(await checkDeep(new VolumeBytes(volume))).toMatchObject([{ severity: 'damage' }]);
  });
});

describe('a volume that does not fill its partition', () => {
  it('grows when the partition shrinks to a size that is still larger', async () => {
    const volume = new Uint8Array(partitionOf(400));
    volume.set(resizable());
    const sizeBytes = partitionOf(310);
    const resize = await shrinkNtfs(new VolumeBytes(volume), { newSizeBytes: sizeBytes });
    expect(resize.totalBytesAfter).toBe(sizeBytes - 512);
    const after = new VolumeBytes(await resized(volume, resize, sizeBytes));
    expect(await checkDeep(after)).toEqual([]);
    expect((await openVolume(after)).clusterCount).toBe(310);
  });
});

describe('a copy of the boot sector in the middle of the volume', () => {
  const middle = clusterCount / 2;

  it.each([
    ['is no obstacle', 0, 'none'],
    ['is one when it is of another volume', 0x48, 'ntfs-unowned-clusters'],
  ])('%s', async (_name, change, code) => {
    const volume = resizable();
    volume.set(volume.subarray(0, 512), middle * clusterBytes);
    const at = middle * clusterBytes + change;
    volume[at] = change === 0 ? (volume[at] ?? 0) : 1;
    mark(volume, [{ lcn: middle, length: 1 }]);
    expect(await codeOf(shrinkNtfs(new VolumeBytes(volume), { newSizeBytes: partitionOf(100) }))).toBe(code);
  });
});

describe('the technical minimum', () => {
  it('keeps a MiB free, though everything would fit without', async () => {
    const volume = new Uint8Array(partitionOf(1024));
    volume.set(resizable());
    const grown = await resized(
      volume,
      await enlargeNtfs(new VolumeBytes(volume), { newSizeBytes: partitionOf(1024) }),
      partitionOf(1024),
    );
    const run = { lcn: 400, length: 240 };
    putRecord(grown, FILE, [streamOf([run])]);
    mark(grown, [run]);
    fill(grown, [run], 3);
    const { technicalBytes } = await minimumNtfsSize(new VolumeBytes(grown));
    const resize = await shrinkNtfs(new VolumeBytes(grown), { newSizeBytes: technicalBytes });
    const after = await resized(grown, resize, technicalBytes);
    const opened = await openVolume(new VolumeBytes(after));
    const free = opened.clusterCount - (await (await opened.clusterBitmap()).countUsed());
    expect(free * clusterBytes).toBeGreaterThanOrEqual(1 << 20);
    expect(free * clusterBytes).toBeLessThan(2 << 20);
    expect(await clustersOf(after, FILE)).toEqual(await clustersOf(grown, FILE));
  });
});
