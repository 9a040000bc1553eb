import { closeSync, createReadStream, ftruncateSync, openSync, writeSync } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { MIB } from '../../../src/core/units.js';
import { ntfs } from '../../../src/formats/ntfs/index.js';
import { openVolume } from '../../../src/formats/ntfs/volume.js';
import { corpus, judge, run } from '../../support/judges.js';
import { Scratch, VolumeFile } from './volumes.js';

const folder = corpus();
const scratch = new Scratch();
afterAll(() => scratch.remove());

const PAGE = 4096;
const ZEROS = Buffer.alloc(PAGE);
const PATTERN = Buffer.alloc(PAGE, 'PTRN');

/**
 * Unpacks a volume, sparse. Pages full of the pattern that marks free clusters in some of the volumes become
 * holes as well, and are returned.
 */
async function unpack(name: string, path: string, start: number, sizeBytes: number): Promise<Set<number>> {
  const file = openSync(path, 'w');
  ftruncateSync(file, sizeBytes);
  const patterned = new Set<number>();
  let at = -start;
  let rest: Buffer = Buffer.alloc(0);
  const pages = (bytes: Buffer): Buffer => {
    let from = 0;
    for (; from + PAGE <= bytes.length; from += PAGE, at += PAGE) {
      const page = bytes.subarray(from, from + PAGE);
      if (at < 0 || at >= sizeBytes || page.equals(ZEROS)) continue;
      if (page.equals(PATTERN)) patterned.add(at);
      else writeSync(file, page, 0, Math.min(PAGE, sizeBytes - at), at);
    }
    return bytes.subarray(from);
  };
  const unzip = createReadStream(`${folder}ntfs/${name}.gz`).pipe(createGunzip({ chunkSize: MIB }));
  for await (const chunk of unzip) rest = pages(Buffer.concat([rest, chunk]));
  if (rest.length > 0) pages(Buffer.concat([rest, Buffer.alloc(PAGE - rest.length)]));
  closeSync(file);
  return patterned;
}

describe.skipIf(folder === undefined)('volumes that Windows made', () => {
  it.each([
    ['win10-2mib-clusters.raw', 128, 2091008, '2M', 2 * MIB, 510 - 490],
    ['win10-ptrn-free-space.raw', 128, 2091008, 'Slack', 4096, 261375 - 258073],
    ['win10-compressed-stream.raw', 128, 2091008, 'RAM Slack', 4096, 261375 - 256372],
    ['win10-attribute-list.partition', 0, 81920, 'Charlie', 4096, 9471 - 7983],
  ])('%s', async (name, start, count, label, clusterBytes, usedClusters) => {
    const path = scratch.path(name);
    const patterned = await unpack(name, path, start * 512, count * 512);
    const volume = new VolumeFile(path);
    const facts = await ntfs.inspect(volume);
    const usedBytes = usedClusters * clusterBytes;
    expect(facts).toMatchObject({ label, clusterBytes, usedBytes, state: 'clean', reasons: [] });
    await ntfs.check?.(volume);
    expect((await openVolume(volume)).hasShadowCopies).toBe(false);
    if (judge('ntfsresize')) {
      const info = run('ntfsresize', ['--info', '--force', path]);
      expect(Math.floor(usedBytes / 1e6) + 1).toBe(Number(/Space in use *: (\d+) MB/.exec(info)?.[1]));
    }
    const map = await ntfs.usedMap?.(volume);
    const ranges = (await map?.ranges(0, volume.sizeBytes)) ?? [];
    expect(ranges.reduce((sum, { length }) => sum + length, 0)).toBe(usedBytes);
    if (name.includes('ptrn')) {
      expect(patterned.size).toBeGreaterThan(200_000);
      for (const { at } of ranges) expect(patterned.has(at)).toBe(false);
    }
    volume.close();
  });

  it('a volume of 64 GiB with two shadow copies, on its disk', async () => {
    run('tar', ['xzSf', `${folder}ntfs/win10-64gib-two-shadow-copies.tgz`, '-C', scratch.folder]);
    const volume = new VolumeFile(scratch.path('ntfs.raw'), MIB, 64 * 1024 * MIB - 2 * MIB);
    expect((await openVolume(volume)).hasShadowCopies).toBe(true);
    expect(await ntfs.inspect(volume)).toMatchObject({
      state: 'clean',
      label: 'Test volume',
      usedBytes: 768258048,
    });
    await ntfs.check?.(volume);
    volume.close();
  });
});
