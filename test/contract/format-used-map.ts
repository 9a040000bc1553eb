import { expect, it } from 'vitest';
import { type ByteRange, clipRanges, complement, mergeRanges, rangeEnd } from '../../src/core/range.js';
import { KIB } from '../../src/core/units.js';
import type { UsedMap } from '../../src/formats/types.js';
import { MemoryDevice } from '../support/memory-device.js';
import { randomBytes, seededRandom } from '../support/random.js';
import { TraceDevice } from '../support/trace-device.js';
import type { Current } from './format-laws.js';

const WINDOWS = 60;

/** The used map answers alike however it is asked, and what it leaves out is of no use to anybody. */
export function usedMapContract(current: Current): void {
  const open = async (): Promise<{ map: UsedMap; all: ByteRange[] } | undefined> => {
    const { format, volume } = current();
    if ((await format.inspect(volume)).move.copies !== 'used') return undefined;
    const traced = new TraceDevice(volume);
    const map = await format.usedMap?.(traced);
    if (map === undefined) throw new Error(`${format.id} is copied by a map that it does not have`);
    const all = await map.ranges(0, volume.sizeBytes);
    expect(traced.untouched).toBe(true);
    return { map, all };
  };

  it('used map: sorted, merged, inside the volume', async () => {
    const opened = await open();
    if (opened === undefined) return;
    expect(opened.all).not.toEqual([]);
    expectMerged(opened.all, { at: 0, length: current().volume.sizeBytes });
  });

  it('used map: windows agree with the whole, and two with the one they make', async () => {
    const opened = await open();
    if (opened === undefined) return;
    const { map, all } = opened;
    const { sizeBytes } = current().volume;
    const random = seededRandom(11);
    for (let round = 0; round < WINDOWS; round++) {
      const unit = [1, 512, 4 * KIB, 64 * KIB][round % 4] ?? 1;
      const at = Math.floor((random() * sizeBytes) / unit) * unit;
      const length = Math.floor(random() * (sizeBytes - at));
      const cut = Math.floor(random() * length);
      const ranges = await map.ranges(at, length);
      expectMerged(ranges, { at, length });
      expect(ranges).toEqual(clipRanges(all, { at, length }));
      const halves = [...(await map.ranges(at, cut)), ...(await map.ranges(at + cut, length - cut))];
      expect(mergeRanges(halves)).toEqual(ranges);
      expect(await map.ranges(at, 0)).toEqual([]);
    }
  });

  it('free map: what the used map leaves of the file system, however it is asked; nothing behind its end', async () => {
    const opened = await open();
    const { format, volume } = current();
    if (opened === undefined || format.freeMap === undefined) return;
    const map = await format.freeMap(volume);
    const free = await map.ranges(0, volume.sizeBytes);
    const end = Math.max(
      rangeEnd(free.at(-1) ?? { at: 0, length: 0 }),
      rangeEnd(opened.all.at(-1) ?? { at: 0, length: 0 }),
    );
    const { totalBytes } = await format.inspect(volume);
    expect(end).toBeLessThanOrEqual(totalBytes ?? 0);
    expect(complement(opened.all, { at: 0, length: end })).toEqual(free);
    const random = seededRandom(12);
    for (let round = 0; round < WINDOWS; round++) {
      const at = Math.floor(random() * volume.sizeBytes);
      const length = Math.floor(random() * (volume.sizeBytes - at));
      expect(await map.ranges(at, length)).toEqual(clipRanges(free, { at, length }));
    }
  });

  it('free map: a volume with zeros in it is as sound as it was', async () => {
    const opened = await open();
    const { format, volume } = current();
    if (opened === undefined || format.freeMap === undefined) return;
    const copy = new MemoryDevice(volume.sizeBytes);
    copy.poke(0, volume.bytes(0, volume.sizeBytes));
    for (const { at, length } of await (await format.freeMap(volume)).ranges(0, volume.sizeBytes)) {
      await copy.discard(at, length);
    }
    expect(await format.inspect(copy)).toEqual(await format.inspect(volume));
    await format.check?.(copy);
  });

  it('used map: a volume of only these bytes, among garbage, is as sound as it was', async () => {
    const opened = await open();
    if (opened === undefined) return;
    const { format, volume } = current();
    const copy = garbage(volume.sizeBytes);
    for (const { at, length } of opened.all) copy.poke(at, volume.bytes(at, length));
    expect(await format.inspect(copy)).toEqual(await format.inspect(volume));
    await format.check?.(copy);
  });
}

function expectMerged(ranges: readonly ByteRange[], holder: ByteRange): void {
  let end = holder.at - 1;
  for (const range of ranges) {
    expect(range.length).toBeGreaterThan(0);
    expect(range.at, 'apart from the range before').toBeGreaterThan(end);
    end = rangeEnd(range);
  }
  expect(end).toBeLessThanOrEqual(rangeEnd(holder));
}

function garbage(sizeBytes: number): MemoryDevice {
  const device = new MemoryDevice(sizeBytes);
  const noise = randomBytes(64 * KIB, 5);
  for (let at = 0; at < sizeBytes; at += noise.length) {
    device.poke(at, noise.subarray(0, Math.min(noise.length, sizeBytes - at)));
  }
  return device;
}
