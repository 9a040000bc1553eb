import { beforeAll, describe, expect, it } from 'vitest';
import { KIB } from '../../src/core/units.js';
import { PROBE_BYTES } from '../../src/formats/types.js';
import { CRAFTED, memoryOf } from '../inspect/crafted.js';
import { MemoryDevice } from '../support/memory-device.js';
import { randomBytes } from '../support/random.js';
import { TraceDevice } from '../support/trace-device.js';
import { damageContract } from './format-damage.js';
import {
  type Current,
  checkBudget,
  expectFitting,
  type FormatUnderTest,
  headOf,
  ID,
  inspectBudget,
} from './format-laws.js';
import { moveContract } from './format-move.js';
import { usedMapContract } from './format-used-map.js';

/**
 * What every FilesystemFormat promises. `make` is called once; the volume should have less than 1 MiB of
 * structures, because each of some hundred damages is read whole. Several volumes of a format are several calls.
 */
export function filesystemFormatContract(name: string, make: () => Promise<FormatUnderTest>): void {
  describe(`${name} is a file system format`, () => {
    let subject: FormatUnderTest;
    beforeAll(async () => {
      subject = await make();
    });
    const current = (): FormatUnderTest => subject;

    probeContract(current);
    inspectContract(current);
    usedMapContract(current);
    moveContract(current);
    checkContract(current);
    damageContract(current);
  });
}

const NOISE = randomBytes(256 * KIB, 9);

/** Formats that sign other places than the head read a few of them. */
const PROBE_BUDGET = 64 * KIB;

function probeContract(current: Current): void {
  it('has an id in lower case, and knows its own volume by a few bytes', async () => {
    const { format, volume } = current();
    expect(format.id).toMatch(ID);
    const traced = new TraceDevice(volume);
    expect(await format.probe(await headOf(volume), traced)).toBe(true);
    expect(traced.bytesOf('read')).toBeLessThanOrEqual(PROBE_BUDGET);
    expect(traced.untouched).toBe(true);
  });

  it('does not know zeros or noise of any size', async () => {
    const { format, volume } = current();
    for (const size of [0, 1, 511, 512, 4096, 64 * KIB, PROBE_BYTES, NOISE.length]) {
      for (const stranger of [new MemoryDevice(size), MemoryDevice.of(NOISE.subarray(0, size))]) {
        expect(await format.probe(await headOf(stranger), stranger)).toBe(false);
      }
    }
    const empty = new MemoryDevice(volume.sizeBytes);
    expect(await format.probe(await headOf(empty), empty)).toBe(false);
  });

  it('answers for any volume, and for a head that ends anywhere', async () => {
    const { format, volume } = current();
    for (const stranger of [volume, ...CRAFTED.map(memoryOf)]) {
      const head = await headOf(stranger);
      for (let length = head.length; length > 0; length = Math.floor(length * 0.8)) {
        expect(await format.probe(head.subarray(0, length), stranger)).toBeTypeOf('boolean');
      }
    }
  });
}

function inspectContract(current: Current): void {
  it('tells facts that fit together, from metadata only', async () => {
    const { format, volume } = current();
    const traced = new TraceDevice(volume);
    const facts = await format.inspect(traced);
    expect(traced.untouched).toBe(true);
    expect(traced.bytesOf('read')).toBeLessThanOrEqual(inspectBudget(volume.sizeBytes));
    expectFitting(facts, volume.sizeBytes);
    expect(facts.state).not.toBe('damaged');
    expect(await format.inspect(volume)).toEqual(facts);
  });

  it('has the members that its facts ask for', async () => {
    const { format, volume } = current();
    const { move } = await format.inspect(volume);
    if (move.copies === 'used') expect(format.usedMap).toBeTypeOf('function');
    // Only a deep check can prove that the bitmaps tell the truth.
    if (format.usedMap !== undefined) expect(format.check).toBeTypeOf('function');
  });
}

function checkContract(current: Current): void {
  it('finds nothing against a sound volume, and can be stopped', async () => {
    const { format, volume } = current();
    if (format.check === undefined) return;
    const traced = new TraceDevice(volume);
    await format.check(traced);
    expect(traced.untouched).toBe(true);
    expect(traced.bytesOf('read')).toBeLessThanOrEqual(checkBudget(volume.sizeBytes));
    // Without bitmaps to hold anything against there may be nothing to stop.
    if ((await format.inspect(volume)).move.copies !== 'used') return;
    await expect(format.check(volume, AbortSignal.abort())).rejects.toThrow();
  });
}
