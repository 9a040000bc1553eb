import { afterAll, describe, it } from 'vitest';
import type { DiskForm, Guest } from '../support/guests.js';
import { rootJudge } from '../support/judges.js';
import { JUDGES } from '../support/verdicts.js';
import type { VolumeKind } from '../support/volumes.js';
import { Workbench } from '../support/workbench.js';
import { judged, refusedBy } from './judged.js';

const bench = new Workbench();
afterAll(() => bench.remove());

const NTFS = { sectors: 80_262, hidden: 63 };

function guestWith(kind: VolumeKind, start: number, form: DiskForm = 'flat'): Guest {
  const volume = bench.volume(kind, NTFS);
  return bench.guest({
    name: kind,
    form,
    sectors: 170_000,
    table: 'mbr',
    partitions: [{ number: 1, start, volume }],
  });
}

const move = (...targets: string[]) => ['move-extents', ...targets.flatMap((target) => ['--to', target])];

describe.skipIf(!rootJudge(...JUDGES))('move-extents, judged by outside tools', () => {
  it('NTFS to the left by one sector', () => judged(guestWith('ntfs', 2048), { 1: 2047 }, ...move('1=2047')));
  it('NTFS to the left by less than a window', () =>
    judged(guestWith('ntfs', 2048, 'split'), { 1: 63 }, ...move('1=63')));
  it('NTFS to the left by more than 16 MiB: direct', () =>
    judged(guestWith('ntfs', 60_001), { 1: 128 }, ...move('1=128')));
  it('NTFS to the right by more than 16 MiB: direct', () =>
    judged(guestWith('ntfs', 63, 'raw'), { 1: 60_007 }, ...move('1=60007')));
  it('NTFS to the right by more than its length', () =>
    judged(guestWith('ntfs', 63), { 1: 81_001 }, ...move('1=81001')));
  it('ext4 in both directions by odd distances', async () => {
    const guest = guestWith('ext4', 1001);
    await judged(guest, { 1: 1238 }, ...move('1=1238'));
    await judged(guest, { 1: 77 }, ...move('1=77'));
  });
  it('bytes nobody knows in both directions', async () => {
    const guest = guestWith('opaque', 1001, 'split');
    await judged(guest, { 1: 1002 }, ...move('1=1002'));
    await judged(guest, { 1: 64 }, ...move('1=64'));
  });

  it('two partitions in one run, one of them over the place of the other', async () => {
    const volume = (kind: VolumeKind, sectors: number) => bench.volume(kind, { sectors });
    const partitions = [
      { number: 1, start: 63, volume: volume('ext4', 50_000) },
      { number: 2, start: 50_063, volume: volume('opaque', 20_001) },
      { number: 3, start: 140_000, volume: volume('swap', 9_999) },
    ];
    const guest = bench.guest({ name: 'two', sectors: 150_000, table: 'mbr', partitions });
    await judged(guest, { 1: 30_000, 2: 110_000 }, ...move('1=30000', '2=110000'));
    await refusedBy(guest, 4, 'overlap', ...move('1=70000'));
    await refusedBy(guest, 4, 'target-reserved', ...move('1=1'));
  });
});
