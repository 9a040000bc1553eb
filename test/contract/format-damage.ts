import { expect, it } from 'vitest';
import { VmreclaimError } from '../../src/core/errors.js';
import { KIB } from '../../src/core/units.js';
import type { Reader } from '../../src/device/types.js';
import { type FilesystemFormat, PROBE_BYTES } from '../../src/formats/types.js';
import type { MemoryDevice } from '../support/memory-device.js';
import { seededRandom } from '../support/random.js';
import { patchedReader, truncatedReader } from '../support/reader.js';
import { TraceDevice } from '../support/trace-device.js';
import {
  type Current,
  checkBudget,
  expectFitting,
  expectWritesInside,
  type FormatUnderTest,
  inspectBudget,
} from './format-laws.js';
import { moveOf } from './format-move.js';

const FLIPS = 120;
const CUTS = 40;
const BLAMES_THE_DISK: readonly string[] = ['damaged', 'unsupported', 'refused'];

/**
 * Damage is answered by a value that fits or by an error that blames the disk, and never costs more reads than
 * the volume has bytes for.
 */
export function damageContract(current: Current): void {
  it('survives being cut anywhere', async () => {
    const { format, volume } = current();
    for (const length of cutsOf(volume.sizeBytes)) {
      await mustAnswer(format, truncatedReader(volume, length), `cut at ${length}`);
    }
  });

  it('survives bytes that were changed', async () => {
    const subject = current();
    const places = await structureBytes(subject);
    expect(places).not.toEqual([]);
    for (const { at, patch } of flipsOf(places, subject.volume, 3)) {
      await mustAnswer(subject.format, patchedReader(subject.volume, at, patch), `${patch} at ${at}`);
    }
  });

  it('survives changed bytes that its checksum vouches for', async () => {
    const { format, volume, seal } = current();
    if (seal === undefined) return;
    const sound = volume.bytes(seal.at, seal.length);
    const same = sound.slice();
    seal.apply(same);
    expect(same, 'the seal of the sound volume').toEqual(sound);
    const places = nonZero(volume, seal.at, seal.length);
    for (const { at, patch } of flipsOf(places, volume, 4)) {
      const bytes = sound.slice();
      bytes.set(patch.subarray(0, seal.at + seal.length - at), at - seal.at);
      seal.apply(bytes);
      await mustAnswer(format, patchedReader(volume, seal.at, bytes), `sealed ${patch} at ${at}`);
    }
  });
}

function cutsOf(sizeBytes: number): number[] {
  const random = seededRandom(7);
  const cuts = [0, 1, 511, 512, sizeBytes - 1, sizeBytes - 512, sizeBytes - 4 * KIB];
  for (let i = 0; i < CUTS; i++) {
    cuts.push(Math.floor(random() * 4 * KIB), Math.floor(random() * PROBE_BYTES));
    cuts.push(Math.floor(random() * sizeBytes));
  }
  return cuts.filter((length) => length >= 0 && length <= sizeBytes);
}

/** Bytes that say something: not zero, in the head or where the format looks. */
async function structureBytes({ format, volume }: FormatUnderTest): Promise<number[]> {
  const traced = new TraceDevice(volume);
  const head = await traced.readAt(0, Math.min(PROBE_BYTES, volume.sizeBytes));
  await format.probe(head, traced);
  await format.inspect(traced);
  await format.check?.(traced);
  // Small reads are structures; the rest are bitmaps, of which a few places will do.
  const places = new Set<number>();
  for (const { at, length } of traced.entries('read')) {
    for (const place of nonZero(volume, at, Math.min(length, PROBE_BYTES))) places.add(place);
  }
  return [...places].sort((a, b) => a - b);
}

function nonZero(volume: MemoryDevice, at: number, length: number): number[] {
  const places: number[] = [];
  for (const [i, byte] of volume.bytes(at, length).entries()) if (byte !== 0) places.push(at + i);
  return places;
}

/** Single bits, bytes, and whole fields of ones and zeros: half of them where the structures begin. */
function* flipsOf(
  places: readonly number[],
  volume: MemoryDevice,
  seed: number,
): Generator<{ at: number; patch: Uint8Array }> {
  const random = seededRandom(seed);
  for (let i = 0; i < FLIPS; i++) {
    const among = i % 2 === 0 ? places.length : Math.min(places.length, FLIPS);
    const at = places[Math.floor(random() * among)] ?? 0;
    const old = volume.bytes(at, 1)[0] ?? 0;
    const bit = 1 << Math.floor(random() * 8);
    const width = Math.min([2, 4, 8][i % 3] ?? 1, volume.sizeBytes - at);
    yield { at, patch: Uint8Array.of(old ^ bit) };
    yield { at, patch: Uint8Array.of(old ^ 0xff) };
    yield { at, patch: new Uint8Array(width).fill(i % 4 < 2 ? 0xff : 0) };
  }
}

/** Asks everything that a scan and a run would ask, each within its budget of reads. */
async function mustAnswer(format: FilesystemFormat, volume: Reader, what: string): Promise<void> {
  const { sizeBytes } = volume;
  try {
    const head = await volume.readAt(0, Math.min(PROBE_BYTES, sizeBytes));
    if (!(await format.probe(head, volume))) return;
    await typed(async () => {
      expectFitting(await format.inspect(budgeted(volume, inspectBudget(sizeBytes))), sizeBytes);
    });
    await typed(() => edited(format, volume));
    await typed(async () => {
      const map = await format.usedMap?.(budgeted(volume, inspectBudget(sizeBytes)));
      await map?.ranges(0, sizeBytes);
    });
    await typed(async () => {
      await format.check?.(budgeted(volume, checkBudget(sizeBytes)));
    });
  } catch (error) {
    throw new Error(`${format.id}, ${what}: ${error instanceof Error ? error.message : error}`, {
      cause: error,
    });
  }
}

async function edited(format: FilesystemFormat, volume: Reader): Promise<void> {
  const sectors = Math.floor(volume.sizeBytes / 512);
  for (const more of [0, 7]) {
    const move = moveOf(sectors, { start: 63 }, { start: 2048, more });
    const edit = await format.onMove?.(budgeted(volume, inspectBudget(volume.sizeBytes)), move);
    if (edit !== undefined) expectWritesInside(edit, move.newSectorCount * move.sectorSize);
  }
}

/** Passes errors that are typed and blame the disk. */
async function typed(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof VmreclaimError)) throw error;
    if (!BLAMES_THE_DISK.includes(error.family)) throw error;
  }
}

/** Fails where a field that nobody checked sends the format through the disk, or round in circles. */
function budgeted(volume: Reader, budget: number): Reader {
  let left = budget;
  return {
    label: volume.label,
    sizeBytes: volume.sizeBytes,
    readAt(offset, length, signal) {
      // Reads of nothing, for ever, count too.
      left -= Math.max(length, 1);
      if (left < 0) throw new Error(`reads more than ${budget} bytes`);
      return volume.readAt(offset, length, signal);
    },
  };
}
