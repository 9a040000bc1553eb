import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { type ByteRange, rangeEnd } from '../../src/core/range.js';
import type { BlockDevice } from '../../src/device/types.js';
import { randomBytes } from '../support/random.js';

export interface DeviceUnderTest {
  readonly device: BlockDevice;
  cleanup?(): Promise<void>;
}

interface Step {
  readonly op: 'write' | 'discard' | 'copy' | 'read' | 'data-ranges' | 'resize' | 'flush';
  readonly at: number;
  readonly to: number;
  readonly length: number;
  readonly seed: number;
}

/** Sizes that meet sectors, pages and odd places. */
const lengths = fc.oneof(
  fc.nat(40),
  fc.constantFrom(0, 511, 512, 4095, 4096, 8192),
  fc.integer({ min: 1, max: 20_000 }),
);
const offsets = fc.oneof(
  fc.nat(70_000),
  fc.nat(17).map((page) => page * 4096),
);
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    op: fc.constantFrom(
      'write',
      'write',
      'discard',
      'copy',
      'copy',
      'read',
      'data-ranges',
      'resize',
      'flush',
    ),
    at: offsets,
    to: offsets,
    length: lengths,
    seed: fc.nat(),
  }),
  { maxLength: 40 },
);

/**
 * What every BlockDevice promises, against a plain array of bytes. `make` is called for each case and may
 * deliver any content; a size of about 64 KiB that is no multiple of a page suits best.
 */
export function blockDeviceContract(
  name: string,
  make: () => Promise<DeviceUnderTest>,
  options: { readonly runs?: number } = {},
): void {
  describe(`${name} is a block device`, () => {
    const made: DeviceUnderTest[] = [];
    const fresh = async (): Promise<BlockDevice> => {
      const subject = await make();
      made.push(subject);
      return subject.device;
    };
    afterEach(async () => {
      for (const subject of made.splice(0)) {
        await subject.device.close();
        await subject.cleanup?.();
      }
    });

    readContract(fresh);
    boundsContract(fresh);
    changeContract(fresh);
    closeContract(fresh);

    it('behaves like an array of bytes under any sequence of accesses', async () => {
      await fc.assert(
        fc.asyncProperty(steps, async (sequence) => {
          const device = await fresh();
          let model = await device.readAt(0, device.sizeBytes);
          for (const step of sequence) model = await applyStep(device, model, step);
          expect(device.sizeBytes).toBe(model.length);
          expectSame(await device.readAt(0, model.length), model);
          await device.close();
          await made.pop()?.cleanup?.();
        }),
        { numRuns: options.runs ?? 60 },
      );
    });
  });
}

function readContract(fresh: () => Promise<BlockDevice>): void {
  it('reads any range, by both ways', async () => {
    const device = await fresh();
    const all = await device.readAt(0, device.sizeBytes);
    for (const [at, length] of [
      [0, 0],
      [device.sizeBytes, 0],
      [1, 4097],
      [device.sizeBytes - 1, 1],
    ] as const) {
      const target = new Uint8Array(length).fill(0x5a);
      await device.readInto(at, target);
      expectSame(target, all.subarray(at, at + length));
      expectSame(await device.readAt(at, length), target);
    }
  });

  it('flushes', async () => {
    await (await fresh()).flush();
  });

  it('hands out bytes that are the caller’s own', async () => {
    const device = await fresh();
    const before = await device.readAt(0, 600);
    (await device.readAt(0, 600)).fill(0x77);
    expectSame(await device.readAt(0, 600), before);
  });
}

function boundsContract(fresh: () => Promise<BlockDevice>): void {
  it('refuses ranges outside as a bug of the caller', async () => {
    const device = await fresh();
    const end = device.sizeBytes;
    const outside = { family: 'internal', code: 'out-of-bounds' };
    for (const [at, length] of [
      [-1, 2],
      [end, 1],
      [end - 1, 2],
      [end + 1, 0],
      [0.5, 1],
      [0, Number.NaN],
    ] as const) {
      await expect(device.readAt(at, length)).rejects.toMatchObject(outside);
      await expect(device.dataRanges(at, length)).rejects.toMatchObject(outside);
      if (!device.capabilities.writable) continue;
      await expect(device.discard(at, length)).rejects.toMatchObject(outside);
      await expect(device.copyRange(at, 0, length)).rejects.toMatchObject(outside);
      await expect(device.copyRange(0, at, length)).rejects.toMatchObject(outside);
    }
    for (const at of [-1, end - 1, end + 1, 0.5]) {
      await expect(device.readInto(at, new Uint8Array(2))).rejects.toMatchObject(outside);
      if (!device.capabilities.writable) continue;
      await expect(device.writeAt(at, new Uint8Array(2))).rejects.toMatchObject(outside);
    }
  });
}

function changeContract(fresh: () => Promise<BlockDevice>): void {
  it('changes only if it is writable', async () => {
    const device = await fresh();
    const before = await device.readAt(0, device.sizeBytes);
    if (device.capabilities.writable) {
      const bytes = randomBytes(700, 1);
      await device.writeAt(333, bytes);
      before.set(bytes, 333);
      bytes.fill(0);
    } else {
      const refused = { family: 'internal', code: 'read-only' };
      await expect(device.writeAt(0, new Uint8Array(1))).rejects.toMatchObject(refused);
      await expect(device.discard(0, 1)).rejects.toMatchObject(refused);
      await expect(device.copyRange(0, 1, 1)).rejects.toMatchObject(refused);
      await expect(device.resize(1)).rejects.toMatchObject(refused);
    }
    expectSame(await device.readAt(0, device.sizeBytes), before);
  });

  it('refuses a copy onto itself', async () => {
    const device = await fresh();
    if (!device.capabilities.writable) return;
    const overlap = { family: 'internal', code: 'overlap' };
    await expect(device.copyRange(0, 1, 2)).rejects.toMatchObject(overlap);
    await expect(device.copyRange(1000, 0, 1001)).rejects.toMatchObject(overlap);
    await device.copyRange(5, 5, 0);
  });

  it('takes writes side by side', async () => {
    const device = await fresh();
    if (!device.capabilities.writable) return;
    const count = 24;
    const length = 1021;
    const parts = Array.from({ length: count }, (_, i) => randomBytes(length, i + 1));
    await Promise.all(parts.map((bytes, i) => device.writeAt(i * length, bytes)));
    for (const [i, bytes] of parts.entries()) expectSame(await device.readAt(i * length, length), bytes);
  });

  it('is resized if it can be, and new bytes are zeros', async () => {
    const device = await fresh();
    const size = device.sizeBytes;
    if (!device.capabilities.resizable) {
      await expect(device.resize(size + 1)).rejects.toMatchObject({ name: 'VmreclaimError' });
      expect(device.sizeBytes).toBe(size);
      return;
    }
    await device.writeAt(size - 2000, randomBytes(2000, 3));
    await device.resize(size - 1000);
    await device.resize(size + 9000);
    expect(device.sizeBytes).toBe(size + 9000);
    expectSame(await device.readAt(size - 2000, 1000), randomBytes(2000, 3).subarray(0, 1000));
    expectSame(await device.readAt(size - 1000, 10_000), new Uint8Array(10_000));
    await expect(device.resize(-1)).rejects.toMatchObject({ family: 'internal', code: 'out-of-bounds' });
    await expect(device.resize(1.5)).rejects.toMatchObject({ family: 'internal', code: 'out-of-bounds' });
  });
}

function closeContract(fresh: () => Promise<BlockDevice>): void {
  it('refuses everything after close, which may be repeated', async () => {
    const device = await fresh();
    await device.close();
    await device.close();
    const closed = { family: 'internal', code: 'device-closed' };
    await expect(device.readAt(0, 1)).rejects.toMatchObject(closed);
    await expect(device.readInto(0, new Uint8Array(1))).rejects.toMatchObject(closed);
    await expect(device.dataRanges(0, 1)).rejects.toMatchObject(closed);
    await expect(device.flush()).rejects.toMatchObject(closed);
    if (!device.capabilities.writable) return;
    await expect(device.writeAt(0, new Uint8Array(1))).rejects.toMatchObject(closed);
    await expect(device.discard(0, 1)).rejects.toMatchObject(closed);
    await expect(device.copyRange(0, 1, 1)).rejects.toMatchObject(closed);
    if (device.capabilities.resizable) await expect(device.resize(1)).rejects.toMatchObject(closed);
  });
}

/** Does the step on the device and on the model; returns the model. */
async function applyStep(device: BlockDevice, model: Uint8Array, step: Step): Promise<Uint8Array> {
  const at = step.at % (model.length + 1);
  const length = Math.min(step.length, model.length - at);
  if (step.op === 'read') expectSame(await device.readAt(at, length), model.subarray(at, at + length));
  if (step.op === 'data-ranges') expectCovers(await device.dataRanges(at, length), model, at, length);
  if (step.op === 'flush') await device.flush();
  if (!device.capabilities.writable) return model;
  if (step.op === 'resize') return resizeBoth(device, model, step);
  if (step.op === 'write') {
    const bytes = randomBytes(length, step.seed);
    await device.writeAt(at, bytes);
    model.set(bytes, at);
  }
  if (step.op === 'discard') {
    await device.discard(at, length);
    model.fill(0, at, at + length);
  }
  if (step.op === 'copy') {
    const to = step.to % (model.length + 1);
    const most = Math.min(length, model.length - to, Math.abs(to - at));
    await device.copyRange(at, to, most);
    model.copyWithin(to, at, at + most);
  }
  return model;
}

/** A span refuses cuts beyond its last part, so the change is kept small. */
async function resizeBoth(device: BlockDevice, model: Uint8Array, step: Step): Promise<Uint8Array> {
  if (!device.capabilities.resizable) return model;
  const change = (step.seed % 6000) - 3000;
  const size = Math.min(Math.max(model.length + change, 62_000), 80_000);
  await device.resize(size);
  const next = new Uint8Array(size);
  next.set(model.subarray(0, size));
  return next;
}

/** Sorted, apart, inside the range, and nothing but zeros outside of them. */
function expectCovers(ranges: readonly ByteRange[], model: Uint8Array, at: number, length: number): void {
  const rest = model.slice(at, at + length);
  let last = at;
  for (const range of ranges) {
    expect(range.at).toBeGreaterThanOrEqual(last);
    expect(range.length).toBeGreaterThan(0);
    last = rangeEnd(range);
    expect(last).toBeLessThanOrEqual(at + length);
    rest.fill(0, range.at - at, last - at);
  }
  expectSame(rest, new Uint8Array(length));
}

/** Equality with a message that names the place; printing 64 KiB helps nobody. */
export function expectSame(actual: Uint8Array, expected: Uint8Array): void {
  expect(actual.length).toBe(expected.length);
  const at = actual.findIndex((byte, i) => byte !== expected[i]);
  if (at >= 0) expect({ at, byte: actual[at] }).toEqual({ at, byte: expected[at] });
}
