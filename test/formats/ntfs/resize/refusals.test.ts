import { closeSync, openSync, writeSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MIB } from '../../../../src/core/units.js';
import { checkDeep } from '../../../../src/formats/ntfs/resize/check-deep.js';
import { enlargeNtfs } from '../../../../src/formats/ntfs/resize/enlarge.js';
import { shrinkNtfs } from '../../../../src/formats/ntfs/resize/shrink.js';
import { openVolume } from '../../../../src/formats/ntfs/volume.js';
import { rootJudge } from '../../../support/judges.js';
import { codeOf, Scratch, VolumeFile } from '../volumes.js';
import { copySparse } from './harness.js';

const scratch = new Scratch();
afterAll(() => scratch.remove());
const MOUNTS = rootJudge('mkntfs', 'ntfs-3g');

/** Sets or clears the bit of a cluster in $Bitmap, or a byte anywhere. */
async function setBit(path: string, lcn: number, value: boolean): Promise<void> {
  const volume = new VolumeFile(path);
  const opened = await openVolume(volume);
  const record = await opened.readFile(6);
  const stream = await opened.openStream(record, 0x80);
  const at = stream?.locate(Math.floor(lcn / 8)) ?? 0;
  const [byte = 0] = await volume.readAt(at, 1);
  volume.close();
  poke(path, at, value ? byte | (1 << (lcn % 8)) : byte & ~(1 << (lcn % 8)));
}

function poke(path: string, at: number, byte: number): void {
  const handle = openSync(path, 'r+');
  writeSync(handle, Uint8Array.of(byte), 0, 1, at);
  closeSync(handle);
}

describe.skipIf(!MOUNTS)('what a resize refuses before it writes', () => {
  let path = '';
  let dataLcn = 0;
  beforeAll(async () => {
    path = scratch.format('base', 24 * MIB);
    scratch.populate(path, 'head -c 3000000 /dev/urandom > big; echo x > small');
    const volume = new VolumeFile(path);
    const opened = await openVolume(volume);
    for (let number = 64; number < opened.recordCount && dataLcn === 0; number++) {
      const data = (await opened.readRecord(number)).find(0x80);
      if (data === undefined || data.isResident) continue;
      const stream = await opened.openStream(await opened.readFile(number), 0x80);
      dataLcn = stream?.runs.at(0).lcn ?? 0;
    }
    volume.close();
  });

  async function shrinkCode(file: string, newSizeBytes: number): Promise<string> {
    const volume = new VolumeFile(file);
    const code = await codeOf(shrinkNtfs(volume, { newSizeBytes }));
    volume.close();
    return code;
  }

  it.each([
    [20 * MIB, 'none'],
    [24 * MIB, 'none'],
    [25 * MIB, 'ntfs-not-smaller'],
    [2 * MIB, 'ntfs-no-space'],
    [4096, 'ntfs-too-small'],
  ])('a size of %i bytes: %s', async (size, code) => {
    expect(await shrinkCode(path, size)).toBe(code);
  });

  it('an owned cluster that is marked free', async () => {
    expect(dataLcn).toBeGreaterThan(0);
    const copy = copySparse(path, scratch.path('free'));
    await setBit(copy, dataLcn, false);
    expect(await shrinkCode(copy, 20 * MIB)).toBe('ntfs-bitmap-mismatch');
    const volume = new VolumeFile(copy);
    expect((await checkDeep(volume)).map(({ severity }) => severity)).toEqual(['damage']);
    expect(await codeOf(enlargeNtfs(volume, { newSizeBytes: 30 * MIB }))).toBe('ntfs-bitmap-mismatch');
    volume.close();
  });

  it('a used cluster without an owner stands in the way only behind the new end', async () => {
    const copy = copySparse(path, scratch.path('unowned'));
    await setBit(copy, (22 * MIB) / 4096, true);
    expect(await shrinkCode(copy, 20 * MIB)).toBe('ntfs-unowned-clusters');
    expect(await shrinkCode(copy, 23 * MIB)).toBe('none');
    const volume = new VolumeFile(copy);
    expect(await checkDeep(volume)).toMatchObject([{ severity: 'note', code: 'ntfs-unowned-clusters' }]);
    volume.close();
  });

  it('a dirty volume, a stale copy of the boot sector', async () => {
    const copy = copySparse(path, scratch.path('dirty'));
    const volume = new VolumeFile(copy);
    const record = await (await openVolume(volume)).readFile(3);
    const at = record.offset + (record.find(0x70)?.at ?? 0) + 0x18 + 10;
    poke(copy, 24 * MIB - 512 + 0x1c, 9);
    expect(await checkDeep(volume)).toMatchObject([{ severity: 'note', code: 'ntfs-backup-boot-stale' }]);
    poke(copy, at, 1);
    volume.close();
    expect(await shrinkCode(copy, 20 * MIB)).toBe('ntfs-dirty');
  });

  it('an enlarge that is none', async () => {
    const volume = new VolumeFile(path);
    expect(await codeOf(enlargeNtfs(volume, { newSizeBytes: 20 * MIB }))).toBe('ntfs-not-larger');
    volume.close();
  });
});
