import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { changeDisk } from '../../src/app/change.js';
import type { Wish } from '../../src/app/plan.js';
import { layoutRequest } from '../../src/plan/types.js';
import { judge, run } from '../support/judges.js';
import { hashPieces } from '../support/mounts.js';
import { testServices } from '../support/services.js';
import { fill } from '../support/unused.js';
import { SECTOR } from '../support/volumes.js';
import { Workbench } from '../support/workbench.js';

const MIB = 1 << 20;
const bench = new Workbench();
afterAll(() => bench.remove());

const GAPS: Wish = {
  request: () =>
    layoutRequest({
      command: 'zero',
      zero: { gapsOnly: true, swap: false, pagefile: false, punch: true },
    }),
  measure: () => false,
};
const clear = (disk: string) => changeDisk(disk, GAPS, { dryRun: false }, testServices());

describe.skipIf(!judge('mke2fs', 'sfdisk', 'sgdisk'))('unallocated space', () => {
  it('is not unused where a file system goes on behind its partition', async () => {
    const disk = join(bench.newFolder(), 'disk.img');
    writeFileSync(disk, '');
    truncateSync(disk, 40_000 * SECTOR);
    run('sfdisk', ['-q', disk], { input: 'label: dos\nstart=2048, size=20000, type=83\n' });
    const place = `offset=${2048 * SECTOR}`;
    run('mke2fs', ['-q', '-F', '-t', 'ext4', '-b', '4096', '-E', place, disk, `${32_768 / 8}`]);
    fill(disk, [{ at: 15 * MIB, length: MIB }], 'noise');
    const whole = () => hashPieces(disk, { at: 2048 * SECTOR, length: 32_768 * SECTOR });
    const before = whole();
    await expect(clear(disk)).rejects.toMatchObject({ family: 'refused', code: 'volume-overhang' });
    expect(whole()).toEqual(before);
  });

  it('is cleared on a disk that has outgrown its GPT, whose copies both stay', async () => {
    const partitions = [bench.partition(1, 'opaque', 2048, 2048)];
    const { disk } = bench.guest({ name: 'disk', form: 'raw', sectors: 16_384, table: 'gpt', partitions });
    truncateSync(disk, 16 * MIB);
    const gap = { at: 4 * MIB, length: 2 * MIB };
    fill(disk, [gap], 'noise');
    const tables = () =>
      [0, 16_351].map((sector) => hashPieces(disk, { at: sector * SECTOR, length: 33 * SECTOR }));
    const before = tables();
    await expect(clear(disk)).resolves.toMatchObject({ status: 'done' });
    expect(tables()).toEqual(before);
    run('cmp', ['--bytes', `${gap.length}`, '--ignore-initial', `${gap.at}:0`, disk, '/dev/zero']);
  });
});
