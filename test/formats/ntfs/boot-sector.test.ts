import { describe, expect, it } from 'vitest';
import { VmreclaimError } from '../../../src/core/errors.js';
import { decodeBootSector, hasNtfsOemId } from '../../../src/formats/ntfs/boot-sector.js';
import { tinyVolume } from './tiny-volume.js';

function boot(at: number, ...values: number[]): Uint8Array {
  const bytes = tinyVolume().slice(0, 512);
  bytes.set(values, at);
  return bytes;
}

function failure(bytes: Uint8Array): VmreclaimError {
  try {
    decodeBootSector(bytes);
  } catch (error) {
    if (error instanceof VmreclaimError) return error;
    throw error;
  }
  throw new Error('decoded');
}

describe('boot sector', () => {
  it.each([
    [0x01, 512],
    [0x08, 4096],
    [0x80, 65536],
    [0xf9, 65536],
    [0xf8, 131072],
    [0xf4, 2097152],
  ])('sectors per cluster 0x%s', (code, clusterBytes) => {
    const bytes = boot(0x0d, code);
    // Large enough for one cluster, with $MFT and its mirror in it.
    bytes.set([0, 0, 1, 0], 0x28);
    bytes.fill(0, 0x30, 0x40);
    expect(decodeBootSector(bytes).clusterBytes).toBe(clusterBytes);
  });

  it('sizes in clusters and as powers of two', () => {
    expect(decodeBootSector(boot(0x40, 0xf4, 0, 0, 0, 1))).toMatchObject({
      recordBytes: 4096,
      indexBlockBytes: 4096,
    });
    expect(decodeBootSector(boot(0x40, 1)).recordBytes).toBe(4096);
  });

  it('counts whole clusters', () => {
    expect(decodeBootSector(boot(0x28, 0x07, 0x08))).toMatchObject({ totalSectors: 2055, clusterCount: 256 });
  });

  it.each<[string, number, number[], number]>([
    ['OEM id', 0x03, [0x2d, 0x46, 0x56, 0x45], 0x03],
    ['bytes per sector', 0x0b, [0, 0], 0x0b],
    ['bytes per sector', 0x0b, [0, 0x20], 0x0b],
    ['bytes per sector', 0x0b, [0x01, 0x02], 0x0b],
    ['sectors per cluster', 0x0d, [0], 0x0d],
    ['sectors per cluster', 0x0d, [3], 0x0d],
    ['sectors per cluster', 0x0d, [0x81], 0x0d],
    ['sectors per cluster', 0x0d, [0xfe], 0x0d],
    ['cluster size', 0x0d, [0xf3], 0x0d],
    ['FAT fields', 0x0e, [1], 0x0e],
    ['total sectors', 0x28, [0, 0, 0, 0, 0, 0, 0, 0], 0x28],
    ['$MFT', 0x30, [0, 1], 0x30],
    ['$MFTMirr', 0x38, [0, 1], 0x38],
    ['record size', 0x40, [0xf8], 0x40],
    ['record size', 0x40, [0], 0x40],
    ['index block size', 0x44, [0x80], 0x44],
  ])('%s at 0x%s that no formatter writes', (_, at, values, offset) => {
    const error = failure(boot(at, ...values));
    expect(error).toMatchObject({ family: 'damaged', code: 'ntfs-boot-sector', detail: { offset } });
  });

  it('a total beyond any disk', () => {
    expect(failure(boot(0x28, 255, 255, 255, 255, 255, 255, 255, 255)).family).toBe('damaged');
    expect(failure(boot(0x28, 255, 255, 255, 255, 255, 255, 31)).family).toBe('damaged');
  });

  it('more clusters than 32 bits can number', () => {
    expect(decodeBootSector(boot(0x28, 0xff, 0xff, 0xff, 0xff, 7)).clusterCount).toBe(2 ** 32 - 1);
    expect(failure(boot(0x28, 0, 0, 0, 0, 8))).toMatchObject({ family: 'damaged', detail: { offset: 0x28 } });
  });

  it('is told from others by its OEM id', () => {
    expect(hasNtfsOemId(boot(0))).toBe(true);
    expect(hasNtfsOemId(boot(0x03, ...Buffer.from('-FVE-FS-')))).toBe(false);
    expect(hasNtfsOemId(new Uint8Array(0))).toBe(false);
    expect(failure(new Uint8Array(60)).code).toBe('truncated');
  });
});
