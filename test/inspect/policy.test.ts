import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deviceError, isFamily } from '../../src/core/errors.js';
import { KIB, MIB } from '../../src/core/units.js';
import type { Reader } from '../../src/device/types.js';
import { FILESYSTEM_FORMATS, probeFilesystem } from '../../src/inspect/registry.js';
import { judge, run } from '../support/judges.js';
import { bytesReader, patchedReader, truncatedReader, withFile } from '../support/reader.js';
import { mdNew, word } from './crafted.js';

/** Passes everything on and counts the reads. */
function counting(volume: Reader): Reader & { reads: number } {
  const counter = {
    label: volume.label,
    sizeBytes: volume.sizeBytes,
    reads: 0,
    readAt(offset: number, length: number) {
      counter.reads++;
      return volume.readAt(offset, length);
    },
  };
  return counter;
}

describe('what the registry makes of a volume', () => {
  it('names each format once', () => {
    const ids = FILESYSTEM_FORMATS.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('lets device errors pass', async () => {
    const broken: Reader = {
      label: 'broken',
      sizeBytes: MIB,
      readAt: () => Promise.reject(deviceError('read', 'the disk does not answer')),
    };
    await expect(probeFilesystem(broken)).rejects.toSatisfy((error) => isFamily(error, 'device'));
  });

  it('looks at an unknown volume in a handful of reads', async () => {
    const volume = counting(bytesReader(new Uint8Array(4 * MIB)));
    expect(await probeFilesystem(volume)).toBeNull();
    expect(volume.reads).toBeLessThanOrEqual(6);
  });
});

describe.skipIf(!judge('mke2fs', 'e2fsck'))('an ext4 volume', () => {
  const sizeBytes = 32 * MIB;
  let folder = '';
  let image = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'vmreclaim-policy-'));
    image = join(folder, 'image');
    run('mke2fs', ['-q', '-F', '-t', 'ext4', image, '32M']);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const factsWith = (patches: readonly (readonly [number, Uint8Array])[]) =>
    withFile(image, async (file) => {
      const volume = patches.reduce((reader, [at, bytes]) => patchedReader(reader, at, bytes), file);
      return (await probeFilesystem(volume))?.facts;
    });

  it('is clean and copied by its bitmaps', async () => {
    expect(await factsWith([])).toMatchObject({ kind: 'ext4', state: 'clean', move: { copies: 'used' } });
  });

  it('with md metadata behind it is a member of an array, as for blkid, and keeps its size', async () => {
    const facts = await factsWith([mdNew(sizeBytes - 8 * KIB)]);
    expect(facts).toMatchObject({ kind: 'md', move: { copies: 'all', toleratesLargerPartition: false } });
  });

  it('with a second signature is copied whole and keeps its size', async () => {
    const facts = await factsWith([[64 * KIB + 64, word('_BHRfS_M')]]);
    expect(facts).toMatchObject({
      kind: 'ext4',
      state: 'clean',
      reasons: [{ code: 'ambiguous-signature' }],
      move: { blockers: [], copies: 'all', toleratesLargerPartition: false },
    });
  });

  it('with a wrong superblock checksum is damaged and must not move', async () => {
    const facts = await factsWith([[1024 + 0x78, word('other label')]]);
    expect(facts).toMatchObject({ kind: 'ext', state: 'damaged', reasons: [{ code: 'ext-superblock' }] });
    expect(facts?.move.blockers).toEqual(facts?.reasons);
  });

  it('that is larger than its partition is damaged and says how to go on', async () => {
    await withFile(image, async (file) => {
      const facts = (await probeFilesystem(truncatedReader(file, sizeBytes - 4096)))?.facts;
      expect(facts).toMatchObject({ state: 'damaged', reasons: [{ code: 'ext-larger-than-volume' }] });
      expect(facts?.reasons[0]?.hint).toBeTruthy();
    });
  });
});
