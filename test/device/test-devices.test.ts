import { describe, expect, it } from 'vitest';
import { expectSame } from '../contract/block-device.js';
import { CrashDevice } from '../support/crash-device.js';
import { type Fault, FaultyDevice } from '../support/faulty-device.js';
import { MemoryDevice } from '../support/memory-device.js';
import { randomBytes } from '../support/random.js';
import { TraceDevice } from '../support/trace-device.js';

const filled = (length: number, seed = 7): MemoryDevice => MemoryDevice.of(randomBytes(length, seed));
const faulty = (...faults: Fault[]) => {
  const inner = filled(10_000);
  return { inner, before: inner.bytes(), device: new FaultyDevice(inner, faults) };
};

describe('memory device', () => {
  it('costs nothing when it is empty, and compares sizes and bytes', async () => {
    const disk = new MemoryDevice(4 * 2 ** 40);
    await disk.writeAt(3 * 2 ** 40, randomBytes(5000, 1));
    const copy = disk.snapshot();
    expect(copy.equals(disk)).toBe(true);
    await copy.writeAt(3 * 2 ** 40 + 4999, Uint8Array.of(0));
    expect(copy.firstDifference(disk)).toBe(3 * 2 ** 40 + 4999);
    await disk.discard(0, disk.sizeBytes);
    expect(await disk.dataRanges(0, disk.sizeBytes)).toEqual([]);
    expect(disk.equals(new MemoryDevice(4 * 2 ** 40 - 1))).toBe(false);
  });
});

describe('faulty device', () => {
  it('fails the n-th change and lets the others pass', async () => {
    const { inner, before, device } = faulty({ fail: 'change', nth: 2 });
    await device.writeAt(0, randomBytes(10, 1));
    await expect(device.writeAt(10, randomBytes(10, 2))).rejects.toMatchObject({
      family: 'device',
      code: 'io',
    });
    await device.writeAt(20, randomBytes(10, 3));
    before.set(randomBytes(10, 1), 0);
    before.set(randomBytes(10, 3), 20);
    expectSame(inner.bytes(), before);
    expect(device.counts).toEqual({ changes: 3, flushes: 0, reads: 0 });
  });

  it('tears a write at whole grains', async () => {
    for (const [grain, kept] of [
      [1, 1500],
      [512, 1024],
      [4096, 0],
    ] as const) {
      const { inner, before, device } = faulty({ fail: 'change', nth: 1, torn: { fraction: 0.5, grain } });
      await expect(device.writeAt(100, randomBytes(3000, 1))).rejects.toMatchObject({ family: 'device' });
      before.set(randomBytes(3000, 1).subarray(0, kept), 100);
      expectSame(inner.bytes(), before);
    }
  });

  it('tears copies and discards', async () => {
    const { inner, before, device } = faulty({ fail: 'change', nth: 1, torn: { fraction: 0.5, grain: 1 } });
    await expect(device.copyRange(0, 5000, 1000)).rejects.toMatchObject({ family: 'device' });
    before.copyWithin(5000, 0, 500);
    expectSame(inner.bytes(), before);
    device.arm({ fail: 'change', nth: 2, torn: { fraction: 0.5, grain: 1 } });
    await expect(device.discard(0, 100)).rejects.toMatchObject({ family: 'device' });
    before.fill(0, 0, 50);
    expectSame(inner.bytes(), before);
  });

  it('is gone after a fatal fault', async () => {
    const { inner, before, device } = faulty({ fail: 'flush', nth: 1, fatal: true });
    await expect(device.flush()).rejects.toMatchObject({ code: 'io' });
    await expect(device.writeAt(0, randomBytes(1, 1))).rejects.toMatchObject({ code: 'gone' });
    await expect(device.readAt(0, 1)).rejects.toMatchObject({ code: 'gone' });
    await expect(device.flush()).rejects.toMatchObject({ code: 'gone' });
    expectSame(inner.bytes(), before);
  });

  it('has bad sectors and short reads', async () => {
    const { device } = faulty(
      { fail: 'read', range: { at: 512, length: 512 } },
      { fail: 'short-read', nth: 3 },
    );
    await device.readAt(0, 512);
    await expect(device.readAt(500, 13)).rejects.toMatchObject({ code: 'io', detail: { offset: 500 } });
    await expect(device.readAt(2000, 10)).rejects.toMatchObject({ code: 'short-read' });
    await device.readAt(2000, 10);
  });
});

describe('crash device', () => {
  const images = (disk: CrashDevice, count: number): MemoryDevice[] =>
    Array.from({ length: count }, (_, seed) => disk.crash(seed));

  it('keeps what was flushed', async () => {
    const disk = new CrashDevice(filled(10_000));
    await disk.writeAt(100, randomBytes(3000, 1));
    await disk.discard(5000, 2000);
    await disk.copyRange(100, 7000, 500);
    await disk.resize(12_345);
    await disk.writeAt(12_000, randomBytes(345, 2));
    await disk.flush();
    for (const image of images(disk, 20)) expect(image.equals(disk.image())).toBe(true);
  });

  it('may lose any sector written since, and leaves the others alone', async () => {
    const before = filled(8192);
    const disk = new CrashDevice(before);
    await disk.writeAt(1024, randomBytes(1024, 1));
    await disk.writeAt(4096, randomBytes(512, 2));
    const seen = new Set<string>();
    for (const image of images(disk, 200)) {
      const kept = [1024, 1536, 4096].map((at) => {
        const old = image.bytes(at, 512).every((byte, i) => byte === before.bytes(at, 512)[i]);
        if (!old) expectSame(image.bytes(at, 512), disk.image().bytes(at, 512));
        image.poke(at, before.bytes(at, 512));
        return !old;
      });
      expect(image.equals(before)).toBe(true);
      seen.add(kept.join());
    }
    expect(seen.size).toBe(8);
  });

  it('may bring back any content a sector had since the flush', async () => {
    const disk = new CrashDevice(new MemoryDevice(512));
    for (const value of [1, 2, 3]) await disk.writeAt(0, new Uint8Array(512).fill(value));
    await disk.discard(0, 512);
    const seen = new Set(images(disk, 100).map((image) => image.bytes(0, 1)[0]));
    expect([...seen].sort()).toEqual([0, 1, 2, 3]);
  });

  it('may lose a change of size, with what was written behind the old end', async () => {
    const disk = new CrashDevice(filled(1000));
    await disk.resize(3000);
    await disk.writeAt(1024, randomBytes(1976, 2));
    await disk.resize(600);
    const sizes = new Set(images(disk, 100).map((image) => image.sizeBytes));
    expect([...sizes].sort((a, b) => a - b)).toEqual([600, 1000, 3000]);
    for (const image of images(disk, 100)) expectSame(image.bytes(0, 512), filled(1000).bytes(0, 512));
  });

  it('is dead afterwards, and answers equal seeds with equal images', async () => {
    const disk = new CrashDevice(filled(5000));
    await disk.writeAt(0, randomBytes(5000, 1));
    expect(disk.crash(5).equals(disk.crash(5))).toBe(true);
    await expect(disk.readAt(0, 1)).rejects.toMatchObject({ code: 'power-cut' });
    await expect(disk.flush()).rejects.toMatchObject({ code: 'power-cut' });
    await expect(disk.resize(1)).rejects.toMatchObject({ code: 'power-cut' });
  });
});

describe('trace device', () => {
  it('counts bytes by kind of access', async () => {
    const disk = new TraceDevice(filled(1000));
    await disk.readAt(0, 100);
    await disk.readInto(0, new Uint8Array(50));
    await disk.flush();
    expect(disk.untouched).toBe(true);
    await disk.writeAt(0, new Uint8Array(10));
    await disk.copyRange(0, 500, 20);
    expect(disk.untouched).toBe(false);
    expect(disk.bytesOf('read')).toBe(150);
    expect(disk.bytesOf('write')).toBe(10);
    expect(disk.entries('copy')).toEqual([{ op: 'copy', at: 500, length: 20, from: 0 }]);
  });
});
