import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VmreclaimError } from '../../../src/core/errors.js';
import { ntfs } from '../../../src/formats/ntfs/index.js';
import { openVolume } from '../../../src/formats/ntfs/volume.js';
import { TINY, tinyVolume } from './tiny-volume.js';
import { codeOf, VolumeBytes } from './volumes.js';

function patched(at: number, ...values: number[]): Uint8Array {
  const volume = tinyVolume();
  volume.set(values, at);
  return volume;
}

describe('used ranges', () => {
  const everything = async (bytes: Uint8Array) =>
    (await ntfs.usedMap?.(new VolumeBytes(bytes)))?.ranges(0, bytes.length);

  it('are the used clusters, joined', async () => {
    const runs = [{ lcn: 0, length: 3 }, TINY.mft, TINY.bitmap, TINY.log, TINY.file];
    const expected = runs.map(({ lcn, length }) => ({ at: lcn * 4096, length: length * 4096 }));
    expect(await everything(tinyVolume())).toEqual(expected);
  });

  it('always hold $Boot', async () => {
    const volume = patched(TINY.bitmap.lcn * 4096, 0);
    expect((await everything(volume))?.[0]).toEqual({ at: 0, length: 8192 });
  });

  it('are the same through any windows', async () => {
    const bits = fc.uint8Array({ minLength: 32, maxLength: 32 });
    const window = fc.integer({ min: 3000, max: 200_000 });
    await fc.assert(
      fc.asyncProperty(bits, window, async (bitmap, length) => {
        const volume = patched(TINY.bitmap.lcn * 4096, ...bitmap);
        const whole = await everything(volume);
        const map = await ntfs.usedMap?.(new VolumeBytes(volume));
        const pieces: { at: number; length: number }[] = [];
        for (let at = 0; at < volume.length; at += length) {
          for (const range of (await map?.ranges(at, length)) ?? []) {
            expect(range.at).toBeGreaterThanOrEqual(at);
            expect(range.at + range.length).toBeLessThanOrEqual(at + length);
            const last = pieces.at(-1);
            if (last !== undefined && last.at + last.length === range.at) last.length += range.length;
            else pieces.push({ ...range });
          }
        }
        expect(pieces).toEqual(whole);
      }),
      { numRuns: 60 },
    );
  });
});

describe('hostile volumes', () => {
  const everyStep = async (bytes: Uint8Array): Promise<void> => {
    const reader = new VolumeBytes(bytes);
    await ntfs.probe(bytes.subarray(0, 4096), reader);
    await codeOf(ntfs.inspect(reader));
    await codeOf(ntfs.usedMap?.(reader).then((map) => map.ranges(0, bytes.length)) ?? Promise.resolve());
    await codeOf(ntfs.check?.(reader) ?? Promise.resolve());
  };

  it('cut off at any length: an error of ours or a value', async () => {
    const volume = tinyVolume();
    const lengths = [0, 1, 3, 79, 80, 511, 512, 4096, 8191, 8192, 9000, 32768, 33000, volume.length - 513];
    for (const length of lengths) {
      const cut = new VolumeBytes(volume.slice(0, length));
      await everyStep(cut.bytes);
      await expect(openVolume(cut)).rejects.toBeInstanceOf(VmreclaimError);
    }
  });

  it('with changed bytes: an error of ours or a value', async () => {
    const mft = TINY.mft.lcn * TINY.clusterBytes;
    // Where it hurts: boot sector, the records in use, the mirror.
    const place = fc.oneof(
      fc.integer({ min: 0, max: 0x50 }),
      fc.integer({ min: mft, max: mft + 7 * 1024 }),
      fc.integer({ min: mft + 24 * 1024, max: mft + 25 * 1024 }),
      fc.integer({ min: 0x18, max: 0x180 }).map((at) => mft + at),
    );
    const change = fc.record({ at: place, value: fc.integer({ min: 0, max: 255 }) });
    const list = fc.boolean();
    await fc.assert(
      fc.asyncProperty(list, fc.array(change, { minLength: 1, maxLength: 6 }), async (mftList, changes) => {
        const volume = tinyVolume({ mftList });
        for (const { at, value } of changes) volume[at] = value;
        await everyStep(volume);
      }),
      { numRuns: 800 },
    );
  });
});
