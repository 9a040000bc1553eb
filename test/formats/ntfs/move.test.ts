import { closeSync, copyFileSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { lba, MIB } from '../../../src/core/units.js';
import { ntfs } from '../../../src/formats/ntfs/index.js';
import type { VolumeEdit, VolumeMove } from '../../../src/formats/types.js';
import { judge, run } from '../../support/judges.js';
import { tinyVolume } from './tiny-volume.js';
import { codeOf, Scratch, VolumeBytes, VolumeFile } from './volumes.js';

/** Sectors of the tiny volume: 2048 of the file system, one for the backup boot sector. */
const SECTORS = 2049;

function move(change: Partial<VolumeMove> = {}): VolumeMove {
  return {
    sectorSize: 512,
    oldStart: lba(63),
    newStart: lba(128),
    oldSectorCount: SECTORS,
    newSectorCount: SECTORS,
    oldEbr: null,
    newEbr: null,
    ...change,
  };
}

const edit = async (bytes: Uint8Array, how = move()): Promise<VolumeEdit> => {
  const done = await ntfs.onMove?.(new VolumeBytes(bytes), how);
  if (done === undefined) throw new Error('no edit');
  return done;
};

const places = ({ writes }: VolumeEdit): number[] => writes.map(({ at }) => at / 512);
const hiddenOf = (bytes: Uint8Array): number =>
  new DataView(bytes.buffer, bytes.byteOffset).getUint32(0x1c, true);

function withHidden(value: number): Uint8Array {
  const volume = tinyVolume();
  for (const at of [0, 2048 * 512]) new DataView(volume.buffer).setUint32(at + 0x1c, value, true);
  return volume;
}

describe('a move', () => {
  it('changes the hidden sectors of both boot sectors and nothing else', async () => {
    const volume = tinyVolume();
    const result = await edit(volume);
    expect(places(result)).toEqual([2048, 0]);
    for (const { bytes } of result.writes) {
      expect(hiddenOf(bytes)).toBe(128);
      const expected = volume.slice(0, 512);
      new DataView(expected.buffer).setUint32(0x1c, 128, true);
      expect(bytes).toEqual(expected);
    }
    expect(result.warnings).toEqual([]);
    expect(result.fixups.map(({ kind }) => kind)).toEqual(['hidden-sectors', 'backup-boot-sector']);
    expect(result.fixups[0]?.message).toBe('boot sector: hidden sectors 63 -> 128');
  });

  it('with a new end puts the backup into the last sector and keeps the one behind the volume', async () => {
    expect(places(await edit(tinyVolume(), move({ newSectorCount: 2176 })))).toEqual([2048, 2175, 0]);
  });

  it('writes the backup although there was none', async () => {
    const volume = tinyVolume();
    volume.fill(0, 2048 * 512);
    expect(places(await edit(volume))).toEqual([2048, 0]);
    expect(places(await edit(volume, move({ newSectorCount: 2176 })))).toEqual([2175, 0]);
  });

  it('does not take the boot sector of another volume for the backup', async () => {
    const volume = tinyVolume();
    volume[2048 * 512 + 0x48] = 0x11;
    expect(places(await edit(volume, move({ newSectorCount: 2176 })))).toEqual([2175, 0]);
  });

  it('of a volume that fills its partition keeps the backup in the middle and warns', async () => {
    const volume = tinyVolume().slice(0, 2048 * 512);
    const how = move({ oldSectorCount: 2048, newSectorCount: 2048 });
    const without = await edit(volume, how);
    expect(places(without)).toEqual([0]);
    expect(without.warnings.map(({ code }) => code)).toEqual(['ntfs-fills-partition']);
    volume.copyWithin(1024 * 512, 0, 512);
    const result = await edit(volume, how);
    expect(places(result)).toEqual([1024, 0]);
    expect(result.warnings.map(({ code }) => code)).toEqual(['ntfs-fills-partition']);
    const larger = await edit(volume, move({ oldSectorCount: 2048, newSectorCount: 2176 }));
    expect(places(larger)).toEqual([1024, 2175, 0]);
    expect(larger.warnings).toEqual([]);
  });

  it('into a partition that does not reach behind the volume is refused', async () => {
    for (const newSectorCount of [2047, 2048]) {
      const volume = new VolumeBytes(tinyVolume());
      const result = ntfs.onMove?.(volume, move({ newSectorCount })) ?? Promise.resolve();
      expect(await codeOf(result)).toBe('ntfs-partition-too-small');
    }
  });
});

describe('hidden sectors', () => {
  const logical = { oldStart: lba(5063), newStart: lba(6144), oldEbr: lba(5000), newEbr: lba(6081) };

  it.each<[string, number, Partial<VolumeMove>, number, string[]]>([
    ['of a primary: the start', 63, {}, 128, []],
    ['of a primary that nobody set', 0, {}, 128, []],
    ['of a primary with something else', 2048, {}, 128, ['ntfs-hidden-sectors-unusual']],
    ['of a primary that already has the new start', 128, {}, 128, []],
    ['of a logical, absolute', 5063, logical, 6144, []],
    ['of a logical, from its EBR', 63, { ...logical, newEbr: lba(6000) }, 144, []],
    ['of a logical with something else', 77, logical, 77, ['ntfs-hidden-sectors-unusual']],
    ['that cannot express the start', 63, { newStart: lba(2 ** 32) }, 63, ['ntfs-hidden-sectors-overflow']],
    ['of the last start they can express', 63, { newStart: lba(2 ** 32 - 1) }, 2 ** 32 - 1, []],
  ])('%s', async (_, old, how, expected, warnings) => {
    const result = await edit(withHidden(old), move(how));
    const primary = result.writes.find(({ at }) => at === 0)?.bytes;
    expect(primary === undefined ? old : hiddenOf(primary)).toBe(expected);
    expect(result.writes.filter(({ at }) => at > 0).map(({ bytes }) => hiddenOf(bytes))).toEqual([expected]);
    expect(result.warnings.map(({ code }) => code)).toEqual(warnings);
  });
});

const scratch = new Scratch();
afterAll(() => scratch.remove());

describe.skipIf(!judge('mkntfs', 'ntfsfix'))('after a move of a real volume', () => {
  it.each([512, 4096])('ntfsfix finds both boot sectors equal, with sectors of %i bytes', async (sector) => {
    const path = scratch.format(`s${sector}`, 20 * MIB, '-s', `${sector}`, '-c', '4096', '-p', '63');
    const volume = new VolumeFile(path);
    const count = (20 * MIB) / sector;
    const newCount = count + 40;
    const how = move({ sectorSize: sector, oldSectorCount: count, newSectorCount: newCount });
    const result = await ntfs.onMove?.(volume, how);
    volume.close();
    const moved = scratch.path('moved');
    copyFileSync(path, moved);
    const handle = openSync(moved, 'r+');
    ftruncateSync(handle, newCount * sector);
    for (const { at, bytes } of result?.writes ?? []) writeSync(handle, bytes, 0, bytes.length, at);
    closeSync(handle);
    expect(result?.writes.map(({ at }) => at / sector)).toEqual([count - 1, newCount - 1, 0]);
    const verdict = run('ntfsfix', ['-n', moved]);
    expect(verdict).toContain('processed successfully');
    expect(verdict).toContain('Checking the alternate boot sector... OK');
    const after = new VolumeFile(moved);
    expect((await ntfs.inspect(after)).state).toBe('clean');
    await ntfs.check?.(after);
    after.close();
  });
});
