import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GIB, KIB, MIB, TIB } from '../../src/core/units.js';
import { Overlay } from '../../src/device/overlay.js';
import { windowDevice } from '../../src/device/window.js';
import { blockDeviceContract, expectSame } from '../contract/block-device.js';
import { FaultyDevice } from '../support/faulty-device.js';
import { MemoryDevice } from '../support/memory-device.js';
import { randomBytes } from '../support/random.js';
import { TraceDevice } from '../support/trace-device.js';

const SIZE = 65_536 + 300;
const filled = (length: number, seed = 7): MemoryDevice => MemoryDevice.of(randomBytes(length, seed));
const emptySpill = async (): Promise<MemoryDevice> => new MemoryDevice(0, 'spill');

blockDeviceContract('an overlay in memory', async () => ({ device: new Overlay(filled(SIZE)) }));
blockDeviceContract('an overlay that spills', async () => ({
  device: new Overlay(filled(SIZE), { memoryBytes: 64 * KIB, spill: emptySpill }),
}));
blockDeviceContract('an overlay that spills everything', async () => ({
  device: new Overlay(filled(SIZE), { memoryBytes: 0, spill: emptySpill }),
}));
blockDeviceContract('an overlay that joins writes', async () => ({
  device: new Overlay(filled(SIZE), { joinBytes: 700, memoryBytes: 64 * KIB, spill: emptySpill }),
}));
blockDeviceContract('an overlay of a window of an overlay', async () => ({
  device: new Overlay(windowDevice(new Overlay(filled(SIZE + 900)), 450, SIZE)),
}));

/** Few places and lengths, so that copies meet copies, patches and their own sources again and again. */
const moves = fc.array(
  fc.record({
    op: fc.constantFrom('copy', 'copy', 'shift', 'shift', 'write', 'discard', 'cut'),
    at: fc.nat(64),
    to: fc.nat(64),
    length: fc.integer({ min: 1, max: 24 }),
    seed: fc.nat(),
  }),
  { minLength: 1, maxLength: 60 },
);

describe('overlay', () => {
  it.each([0, 6])(
    'follows chains of copies over copies, patches and cuts; joins writes over %i bytes',
    async (joinBytes) => {
      await fc.assert(
        fc.asyncProperty(moves, async (sequence) => {
          const base = filled(64);
          const original = base.bytes();
          const overlay = new Overlay(base, { joinBytes, memoryBytes: 0, spill: emptySpill });
          const model = base.bytes();
          for (const { op, at, to, length, seed } of sequence) {
            const count = Math.min(length, 64 - at);
            if (op === 'write') {
              await overlay.writeAt(at, randomBytes(count, seed));
              model.set(randomBytes(count, seed), at);
            } else if (op === 'discard') {
              await overlay.discard(at, count);
              model.fill(0, at, at + count);
            } else if (op === 'cut') {
              await overlay.resize(at);
              await overlay.resize(64);
              model.fill(0, at);
            } else if (op === 'copy') {
              const most = Math.min(count, 64 - to, Math.abs(at - to));
              await overlay.copyRange(at, to, most);
              model.copyWithin(to, at, at + most);
            } else {
              const most = Math.min(count, 64 - to);
              const half = most >>> 1;
              await overlay.copyTogether([
                { from: at, to, length: half },
                { from: at + half, to: to + half, length: most - half },
              ]);
              model.copyWithin(to, at, at + most);
            }
            expectSame(await overlay.readAt(0, 64), model);
            expect(overlay.segmentCount).toBeLessThanOrEqual(64);
          }
          expectSame(base.bytes(), original);
        }),
        { numRuns: 400 },
      );
    },
  );

  it('keeps one segment for every second record of a table, and reads them at once', async () => {
    const overlay = new Overlay(filled(MIB), { joinBytes: 4 * KIB, memoryBytes: 0, spill: emptySpill });
    const model = filled(MIB).bytes();
    for (let at = KIB; at < MIB; at += 2 * KIB) {
      await overlay.writeAt(at, randomBytes(KIB, at));
      model.set(randomBytes(KIB, at), at);
    }
    expect(overlay.segmentCount).toBe(1);
    expectSame(await overlay.readAt(0, MIB), model);
  });

  it('reads pieces of the device below together, with little that is covered between', async () => {
    const below = new TraceDevice(filled(MIB));
    const overlay = new Overlay(below, { memoryBytes: 0, spill: emptySpill });
    const model = filled(MIB).bytes();
    for (let at = KIB; at < MIB; at += 2 * KIB) {
      await overlay.writeAt(at, randomBytes(KIB, at));
      model.set(randomBytes(KIB, at), at);
    }
    await overlay.discard(512 * KIB, 128 * KIB);
    model.fill(0, 512 * KIB, 640 * KIB);
    expect(overlay.segmentCount).toBeGreaterThan(400);
    const before = below.entries('read').length;
    expectSame(await overlay.readAt(0, MIB), model);
    expect(below.entries('read').length - before).toBe(2);
  });

  it('never changes what lies below and never closes it', async () => {
    const base = new TraceDevice(filled(10_000));
    const overlay = new Overlay(base);
    await overlay.writeAt(0, randomBytes(5000, 1));
    await overlay.copyRange(0, 5000, 5000);
    await overlay.discard(100, 100);
    await overlay.resize(20_000);
    await overlay.resize(50);
    await overlay.flush();
    await overlay.close();
    expect(base.log).toEqual([]);
    await base.readAt(0, 1);
  });

  it('rehearses a move of 100 GiB in windows as one segment, without reading', async () => {
    const base = new TraceDevice(new MemoryDevice(200 * GIB));
    const overlay = new Overlay(base);
    const window = 64 * MIB;
    for (let end = 100 * GIB; end > 0; end -= window) {
      const at = end - window;
      await overlay.copyTogether([{ from: 32_256 + at, to: MIB + at, length: window }]);
    }
    expect(base.log).toEqual([]);
    expect(overlay.segmentCount).toBe(1);
  });

  it('forgets a copy that is taken back', async () => {
    const overlay = new Overlay(filled(4000));
    await overlay.copyRange(0, 2000, 1000);
    expect(overlay.segmentCount).toBe(1);
    await overlay.copyRange(0, 3000, 1000);
    await overlay.discard(0, 1000);
    await overlay.copyRange(2000, 0, 1000);
    await overlay.discard(2500, 100);
    expect(overlay.segmentCount).toBe(4);
    await overlay.resize(1000);
    expect(overlay.segmentCount).toBe(0);
  });

  it('writes a patch again where it is, unless a copy shows it', async () => {
    let spilled: MemoryDevice | undefined;
    const overlay = new Overlay(filled(10_000), {
      memoryBytes: 0,
      spill: async () => {
        spilled = new MemoryDevice(0);
        return spilled;
      },
    });
    for (let i = 1; i <= 9; i++) await overlay.writeAt(100, randomBytes(1000, i));
    expect(spilled?.bytes(1000, 1000)).toEqual(new Uint8Array(1000));
    await overlay.copyRange(100, 5000, 1000);
    await overlay.writeAt(100, randomBytes(1000, 10));
    expectSame(await overlay.readAt(5000, 1000), randomBytes(1000, 9));
    expectSame(await overlay.readAt(100, 1000), randomBytes(1000, 10));
  });

  it('opens the spill file when memory is used up, and closes it', async () => {
    const spills: MemoryDevice[] = [];
    const overlay = new Overlay(new MemoryDevice(TIB), {
      memoryBytes: 128 * KIB,
      spill: async () => {
        const file = new MemoryDevice(0);
        spills.push(file);
        return file;
      },
    });
    await overlay.writeAt(5, randomBytes(100 * KIB, 1));
    expect(spills).toHaveLength(0);
    const far = TIB - 300 * KIB;
    await Promise.all([0, 1, 2].map((i) => overlay.writeAt(far + i * 100 * KIB, randomBytes(100 * KIB, i))));
    expect(spills).toHaveLength(1);
    for (const i of [0, 1, 2]) {
      expectSame(await overlay.readAt(far + i * 100 * KIB, 100 * KIB), randomBytes(100 * KIB, i));
    }
    expectSame(await overlay.readAt(5, 100 * KIB), randomBytes(100 * KIB, 1));
    await overlay.close();
    await expect(spills[0]?.readAt(0, 1)).rejects.toMatchObject({ code: 'device-closed' });
  });

  it('lets the spill file grow as it needs it', async () => {
    const overlay = new Overlay(new MemoryDevice(GIB), { memoryBytes: MIB, spill: emptySpill });
    const piece = (i: number): Uint8Array => new Uint8Array(5 * MIB).fill(i + 1);
    for (let i = 0; i < 8; i++) await overlay.writeAt(i * 50 * MIB, piece(i));
    for (let i = 0; i < 8; i++) {
      const found = await overlay.readAt(i * 50 * MIB, 5 * MIB);
      expect(found.every((byte) => byte === i + 1)).toBe(true);
    }
  });

  it('passes on the failure of its spill file', async () => {
    const full = new FaultyDevice(new MemoryDevice(0), [{ fail: 'change', nth: 2 }]);
    const overlay = new Overlay(filled(1000), { memoryBytes: 0, spill: async () => full });
    const before = await overlay.readAt(0, 1000);
    await expect(overlay.writeAt(0, randomBytes(10, 1))).rejects.toMatchObject({ family: 'device' });
    expectSame(await overlay.readAt(0, 1000), before);
  });

  it('finds data under aliases, patches and zeros', async () => {
    const base = new MemoryDevice(TIB);
    base.poke(40_960, randomBytes(4096, 1));
    const overlay = new Overlay(base);
    await overlay.copyRange(0, GIB, MIB);
    await overlay.writeAt(2 * GIB, randomBytes(10, 2));
    await overlay.discard(40_960, 4096);
    await overlay.resize(2 * TIB);
    expect(await overlay.dataRanges(0, 2 * TIB)).toEqual([
      { at: GIB + 40_960, length: 4096 },
      { at: 2 * GIB, length: 10 },
    ]);
  });

  it('refuses to hold more segments than allowed', async () => {
    const overlay = new Overlay(new MemoryDevice(MIB), { maxSegments: 10 });
    const fill = async (): Promise<void> => {
      for (let i = 0; i < 20; i++) await overlay.copyRange(512 * KIB + i * 1000, i * 2000, 100);
    };
    await expect(fill()).rejects.toMatchObject({ family: 'refused', code: 'too-fragmented' });
    expect(overlay.segmentCount).toBe(11);
  });

  it.each(['up', 'down'] as const)('takes 200,000 separate copies going %s', async (direction) => {
    const count = 200_000;
    const step = 64 * KIB;
    const base = new MemoryDevice(64 * GIB);
    const overlay = new Overlay(base);
    const started = performance.now();
    for (let i = 0; i < count; i++) {
      const at = (direction === 'up' ? i : count - 1 - i) * step;
      await overlay.copyRange(at + 32 * GIB, at, 4096);
    }
    const seconds = (performance.now() - started) / 1000;
    expect(overlay.segmentCount).toBe(count);
    // Half a second here; a list that moves everything at each insertion needs minutes.
    expect(seconds).toBeLessThan(15);
    base.poke(32 * GIB + 77_777 * step, randomBytes(4096, 5));
    expectSame(await overlay.readAt(77_777 * step, 4096), randomBytes(4096, 5));
  });
});
