import { expect, it } from 'vitest';
import { lba } from '../../src/core/units.js';
import type { FilesystemFormat, VolumeMove } from '../../src/formats/types.js';
import type { MemoryDevice } from '../support/memory-device.js';
import { TraceDevice } from '../support/trace-device.js';
import { type Current, expectWritesInside, type FormatUnderTest } from './format-laws.js';

const SECTOR = 512;
const START = 63;

interface Place {
  readonly start: number;
  readonly ebr?: number;
  /** Sectors more than the volume has. */
  readonly more?: number;
}

/** Where a volume comes from and goes to: of a primary, far away, larger, and of a logical partition. */
function journeys(start: number): readonly (readonly [name: string, from: Place, to: Place])[] {
  return [
    ['nowhere', { start }, { start }],
    ['to an aligned start', { start }, { start: 2048 }],
    ['back by one sector', { start }, { start: start - 1 }],
    ['to where 32 bits end', { start }, { start: 2 ** 32 - 1 }],
    ['beyond what 32 bits express', { start }, { start: 2 ** 33 }],
    ['into a larger partition', { start }, { start: 2048, more: 1985 }],
    ['into a larger partition at the same start', { start }, { start, more: 8 }],
    // The volume counts from its EBR: `start` sectors, then 128.
    ['as a logical one', { start: 5000 + start, ebr: 5000 }, { start: 6144, ebr: 6016 }],
  ];
}

/** The way from one place to the other of a volume of that many sectors. */
export function moveOf(sectors: number, from: Place, to: Place): VolumeMove {
  return {
    sectorSize: SECTOR,
    oldStart: lba(from.start),
    newStart: lba(to.start),
    oldSectorCount: sectors + (from.more ?? 0),
    newSectorCount: sectors + (to.more ?? 0),
    oldEbr: from.ebr === undefined ? null : lba(from.ebr),
    newEbr: to.ebr === undefined ? null : lba(to.ebr),
  };
}

/** Does what a run does after it has copied the bytes: the new size, then the writes of the format. */
async function moved(format: FilesystemFormat, volume: MemoryDevice, move: VolumeMove) {
  const traced = new TraceDevice(volume);
  const edit = await format.onMove?.(traced, move);
  expect(traced.untouched).toBe(true);
  const there = volume.snapshot();
  there.setSize(move.newSectorCount * SECTOR);
  if (edit !== undefined) expectWritesInside(edit, there.sizeBytes);
  for (const { at, bytes } of edit?.writes ?? []) there.poke(at, bytes);
  return there;
}

/** A move keeps what the volume is, and the way back undoes it to the byte. */
export function moveContract(current: Current): void {
  const sectorsOf = ({ volume }: FormatUnderTest): number => volume.sizeBytes / SECTOR;

  it.each(journeys(START).map(([name], index) => [name, index] as const))(
    'moves %s and back',
    async (_name, index) => {
      const subject = current();
      const { format, volume, start = START } = subject;
      const facts = await format.inspect(volume);
      if (facts.move.blockers.length > 0) return;
      const [, from, to] = journeys(start)[index] ?? [];
      if (from === undefined || to === undefined) throw new Error(`no journey ${index}`);
      // Nothing changes inside: only the size of the partition could.
      if (format.onMove === undefined && to.more === undefined) return;
      if (to.more !== undefined && !facts.move.toleratesLargerPartition) return;
      const original = volume.snapshot();
      const there = await moved(format, volume, moveOf(sectorsOf(subject), from, to));
      expect(await format.inspect(there)).toEqual(facts);
      await format.check?.(there);
      const back = await moved(format, there, moveOf(sectorsOf(subject), to, from));
      expect(back.firstDifference(original)).toBeUndefined();
      expect(volume.firstDifference(original)).toBeUndefined();
    },
  );

  it('changes no byte when nothing moves', async () => {
    const subject = current();
    const { format, volume, start = START } = subject;
    if ((await format.inspect(volume)).move.blockers.length > 0) return;
    const there = await moved(format, volume, moveOf(sectorsOf(subject), { start }, { start }));
    expect(there.firstDifference(volume)).toBeUndefined();
  });
}
