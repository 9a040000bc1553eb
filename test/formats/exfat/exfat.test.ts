import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isFamily } from '../../../src/core/errors.js';
import { lba, MIB } from '../../../src/core/units.js';
import { sealRegion } from '../../../src/formats/exfat/boot.js';
import { exfat } from '../../../src/formats/exfat/index.js';
import type { VolumeMove } from '../../../src/formats/types.js';
import { judge, run } from '../../support/judges.js';
import { bytesReader } from '../../support/reader.js';

const SECTOR = 512;
const REGION = 12 * SECTOR;
const MOVE: VolumeMove = {
  sectorSize: SECTOR,
  oldStart: lba(63),
  newStart: lba(0x1_2345_6789),
  oldSectorCount: 131072,
  newSectorCount: 131072,
  oldEbr: null,
  newEbr: null,
};

describe.skipIf(!judge('mkfs.exfat', 'fsck.exfat'))('exFAT', () => {
  let folder = '';
  let image = '';
  let bytes = new Uint8Array();
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'vmreclaim-exfat-'));
    image = join(folder, 'image');
    writeFileSync(image, '');
    truncateSync(image, 64 * MIB);
    run('mkfs.exfat', ['-L', 'stick', image]);
    bytes = new Uint8Array(readFileSync(image));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** The image with a partition offset in the regions named. */
  function withOffset(offset: bigint, regions: readonly number[] = [0, REGION]): Uint8Array {
    const changed = bytes.slice();
    for (const at of regions) {
      const region = changed.subarray(at, at + REGION);
      new DataView(region.buffer, region.byteOffset).setBigUint64(0x40, offset, true);
      sealRegion(region, SECTOR);
    }
    return changed;
  }

  it('tells label, sizes and what is used', async () => {
    const facts = await exfat.inspect(bytesReader(bytes));
    expect(facts).toMatchObject({ kind: 'exfat', label: 'stick', state: 'clean', totalBytes: 64 * MIB });
    expect(facts.usedBytes).toBeGreaterThan(0);
    expect(facts.usedBytes).toBeLessThan(8 * MIB);
  });

  it('the checksum it computes is the one mkfs.exfat wrote', () => {
    const sealed = bytes.slice(0, REGION);
    sealRegion(sealed, SECTOR);
    expect(sealed).toEqual(bytes.slice(0, REGION));
  });

  it('changes the partition offset in both regions, sealed, the main one last', async () => {
    const before = withOffset(63n);
    const edit = await exfat.onMove?.(bytesReader(before), MOVE);
    expect(edit?.writes.map(({ at }) => at)).toEqual([REGION, 0]);
    for (const write of edit?.writes ?? []) before.set(write.bytes, write.at);
    for (const at of [0, REGION])
      expect(new DataView(before.buffer).getBigUint64(at + 0x40, true)).toBe(0x1_2345_6789n);
    writeFileSync(image, before);
    run('fsck.exfat', ['-n', image]);
    // Only the main region: fsck must notice, or it would not be a judge.
    before[0x40] = 1;
    writeFileSync(image, before);
    expect(() => run('fsck.exfat', ['-n', image])).toThrow(/checksum/);
  });

  it('leaves a broken backup region alone', async () => {
    const before = withOffset(63n);
    before[REGION + 0x50] = 0xff;
    const edit = await exfat.onMove?.(bytesReader(before), MOVE);
    expect(edit?.writes.map(({ at }) => at)).toEqual([0]);
  });

  it('leaves an offset of 0 alone, without a word, and a strange one with a warning', async () => {
    expect(await exfat.onMove?.(bytesReader(withOffset(0n)), MOVE)).toEqual({
      writes: [],
      fixups: [],
      warnings: [],
    });
    const strange = await exfat.onMove?.(bytesReader(withOffset(77n)), MOVE);
    expect(strange).toMatchObject({ writes: [], warnings: [{ code: 'hidden-sectors-unknown' }] });
  });

  it('with a wrong checksum is damaged', async () => {
    const broken = bytes.slice();
    broken[0x64] = (broken[0x64] ?? 0) ^ 1;
    await expect(exfat.inspect(bytesReader(broken))).rejects.toSatisfy((error) => isFamily(error, 'damaged'));
  });

  it('is dirty when its flag says so: the checksum leaves flags out', async () => {
    const dirty = bytes.slice();
    dirty[0x6a] = 2;
    expect((await exfat.inspect(bytesReader(dirty))).state).toBe('dirty');
  });
});
