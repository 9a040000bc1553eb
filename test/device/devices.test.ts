import { beforeAll, describe, expect, it } from 'vitest';
import { readOnlyDevice } from '../../src/device/read-only.js';
import { spanDevice } from '../../src/device/span.js';
import type { BlockDevice } from '../../src/device/types.js';
import { windowDevice, windowReader } from '../../src/device/window.js';
import { writeZerosDevice } from '../../src/device/write-zeros.js';
import { blockDeviceContract, expectSame } from '../contract/block-device.js';
import { CrashDevice } from '../support/crash-device.js';
import { FaultyDevice } from '../support/faulty-device.js';
import { MemoryDevice } from '../support/memory-device.js';
import { randomBytes } from '../support/random.js';
import { TraceDevice } from '../support/trace-device.js';

const SIZE = 65_536 + 300;
const filled = (length: number, seed = 7): MemoryDevice => MemoryDevice.of(randomBytes(length, seed));
const only = (device: BlockDevice) => Promise.resolve({ device });

blockDeviceContract('memory', () => only(filled(SIZE)));
blockDeviceContract('a window in the middle', async () => {
  const disk = filled(SIZE + 3000);
  return { device: windowDevice(disk, 1000, SIZE, 'partition 1') };
});
blockDeviceContract('discards as zeros', () => only(writeZerosDevice(filled(SIZE))));
blockDeviceContract('read-only', () => only(readOnlyDevice(filled(SIZE))));
blockDeviceContract('a span of one', () => only(spanDevice('span', [filled(SIZE)])));
blockDeviceContract('a span of four', () =>
  only(spanDevice('span', [filled(10_000, 1), filled(0), filled(4096, 2), filled(SIZE - 14_096, 3)])),
);
blockDeviceContract('a span of fixed size', () =>
  only(spanDevice('span', [filled(300, 1), filled(SIZE)], { resize: false })),
);
blockDeviceContract('faulty without a fault', () => only(new FaultyDevice(filled(SIZE))));
blockDeviceContract('crash before the crash', () => only(new CrashDevice(filled(SIZE))));
blockDeviceContract('trace', () => only(new TraceDevice(filled(SIZE))));

describe('window', () => {
  it('touches nothing outside of its range', async () => {
    const disk = filled(10_000);
    const before = disk.bytes();
    const part = windowDevice(disk, 1000, 500);
    await part.discard(0, 500);
    expectSame(disk.bytes(0, 1000), before.subarray(0, 1000));
    expectSame(disk.bytes(1500), before.subarray(1500));
    expectSame(disk.bytes(1000, 500), new Uint8Array(500));
  });

  it('leaves the disk open when it is closed', async () => {
    const disk = filled(1000);
    await windowDevice(disk, 0, 10).close();
    expect(await disk.readAt(0, 10)).toHaveLength(10);
  });

  it('must lie inside the device', () => {
    const outside = { family: 'internal', code: 'out-of-bounds' };
    expect(() => windowDevice(filled(1000), 900, 101)).toThrow(expect.objectContaining(outside));
    expect(() => windowReader(filled(1000), -1, 10, 'w')).toThrow(expect.objectContaining(outside));
  });

  it('as a reader reads the same and refuses what lies behind it', async () => {
    const disk = filled(1000);
    const reader = windowReader(disk, 100, 50, 'volume');
    expectSame(await reader.readAt(10, 40), disk.bytes(110, 40));
    await expect(reader.readAt(10, 41)).rejects.toMatchObject({ code: 'out-of-bounds' });
  });
});

describe('span', () => {
  let parts: MemoryDevice[];
  let span: BlockDevice;
  beforeAll(() => {
    parts = [filled(1000, 1), filled(500, 2), filled(2000, 3)];
    span = spanDevice('span', parts);
  });

  it('grows its last part, empties parts behind a smaller end, and cuts the one that holds it', async () => {
    await span.resize(9000);
    expect(parts.map((part) => part.sizeBytes)).toEqual([1000, 500, 7500]);
    await span.resize(1200);
    expect(parts.map((part) => part.sizeBytes)).toEqual([1000, 200, 0]);
    expect(span.sizeBytes).toBe(1200);
    const first = parts[0] ?? filled(0);
    expectSame(await span.readAt(0, 1000), first.bytes(0, 1000));
    await expect(span.readAt(1199, 2)).rejects.toMatchObject({ code: 'out-of-bounds' });
    await expect(span.resize(1300)).rejects.toMatchObject({ family: 'internal', code: 'resize-order' });
  });

  it('goes on with a cut that broke off: from the last part on', async () => {
    const [a, b, c] = [filled(1000, 1), filled(500, 2), filled(0)];
    const cut = spanDevice('cut', [a, b, c]);
    await cut.resize(700);
    expect([a, b, c].map((part) => part.sizeBytes)).toEqual([700, 0, 0]);
  });

  it('flushes and closes every part, even behind one that fails', async () => {
    const first = new FaultyDevice(filled(10), [{ fail: 'flush', nth: 1 }]);
    const second = new TraceDevice(filled(10));
    const pair = spanDevice('pair', [first, second]);
    await expect(pair.flush()).rejects.toMatchObject({ family: 'device' });
    await pair.flush();
    expect(second.entries('flush')).toHaveLength(1);
    await pair.close();
    await expect(second.readAt(0, 1)).rejects.toMatchObject({ code: 'device-closed' });
  });

  it('keeps holes when it copies from one part to another', async () => {
    const source = new MemoryDevice(1 << 20);
    source.poke(500_000, randomBytes(10, 1));
    const target = new TraceDevice(new MemoryDevice(1 << 20));
    const pair = spanDevice('pair', [source, target]);
    await pair.copyRange(0, 1 << 20, 1 << 20);
    expect(target.bytesOf('write')).toBeLessThanOrEqual(8192);
    expectSame(await pair.readAt((1 << 20) + 500_000, 10), randomBytes(10, 1));
  });

  it('finds data in thousands of parts', async () => {
    const many = Array.from({ length: 5000 }, (_, i) => filled(1 + (i % 3), i + 1));
    const device = spanDevice('many', many);
    const all = Uint8Array.from(many.flatMap((part) => [...part.bytes()]));
    expect(device.sizeBytes).toBe(all.length);
    for (const at of [0, 1, 777, 5000, all.length - 4]) {
      expectSame(await device.readAt(at, 4), all.subarray(at, at + 4));
    }
  });
});
