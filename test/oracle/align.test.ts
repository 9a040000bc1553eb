import { afterAll, describe, it } from 'vitest';
import type { DiskForm, Guest } from '../support/guests.js';
import { rootJudge } from '../support/judges.js';
import { JUDGES } from '../support/verdicts.js';
import { Workbench } from '../support/workbench.js';
import { judged } from './judged.js';

const bench = new Workbench();
afterAll(() => bench.remove());

/** One NTFS partition with room behind it. */
function ntfsGuest(name: string, start: number, clusterBytes: number, form: DiskForm = 'flat'): Guest {
  const volume = bench.volume('ntfs', { sectors: 131_071, clusterBytes, hidden: start });
  return bench.guest({
    name,
    form,
    sectors: 160_000,
    table: 'mbr',
    partitions: [{ number: 1, start, volume }],
  });
}

const ntfsAt63 = () => ntfsGuest('old', 63, 4096);

describe.skipIf(!rootJudge(...JUDGES))('align of NTFS, judged by outside tools', () => {
  it('63 to 64 KiB', () => judged(ntfsAt63(), { 1: 128 }, 'align'));
  it('63 to 1 MiB', () => judged(ntfsAt63(), { 1: 2048 }, 'align', '--boundary', '1M'));
  it('63 to 4 KiB: by one sector', () => judged(ntfsAt63(), { 1: 64 }, 'align', '--boundary', '4K'));
  it('clusters of 512 bytes', () => judged(ntfsGuest('small', 63, 512), { 1: 128 }, 'align'));
  it('clusters of 64 KiB, longer than the distance', () =>
    judged(ntfsGuest('big', 63, 65536), { 1: 128 }, 'align'));
  it('a start that is no multiple of anything', () =>
    judged(ntfsGuest('odd', 3001, 4096), { 1: 3072 }, 'align'));
  it('a bare image, without a descriptor', () =>
    judged(ntfsGuest('bare', 63, 4096, 'raw'), { 1: 2048 }, 'align', '--boundary', '1M'));
  it('a disk of many small extents', () =>
    judged(ntfsGuest('split', 63, 4096, 'split'), { 1: 128 }, 'align'));
});
