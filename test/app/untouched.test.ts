import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { changeDisk } from '../../src/app/change.js';
import type { Wish } from '../../src/app/plan.js';
import { abandonRun, resumeRun } from '../../src/app/resume.js';
import type { Services } from '../../src/app/services.js';
import { layoutRequest } from '../../src/plan/types.js';
import type { Guest } from '../support/guests.js';
import { judge, run } from '../support/judges.js';
import { randomBytes } from '../support/random.js';
import { testServices } from '../support/services.js';
import { fill, flatOf, unusedOf } from '../support/unused.js';
import { SECTOR } from '../support/volumes.js';
import { Workbench } from '../support/workbench.js';

const bench = new Workbench();
afterAll(() => bench.remove());

const ZERO: Wish = {
  request: () =>
    layoutRequest({
      command: 'zero',
      zero: { gapsOnly: false, swap: false, pagefile: false, punch: true },
    }),
  measure: () => false,
};
const SECTORS = 32_768;
const SECOND = 2048 + SECTORS;

/** Clears the first of two file systems and is stopped. */
async function stopped(): Promise<Guest> {
  const partitions = [2048, SECOND].map((start, index) => bench.partition(index + 1, 'ext4', start, SECTORS));
  const guest = bench.guest({
    name: 'disk',
    form: 'raw',
    sectors: SECOND + SECTORS,
    table: 'mbr',
    partitions,
  });
  fill(flatOf(guest), unusedOf(guest), 'noise');
  const controller = new AbortController();
  const onProgress: Services['onProgress'] = ({ why }) => {
    if (why === 'clear free space of partition 1') controller.abort();
  };
  const services = testServices({ signal: controller.signal, onProgress });
  await expect(changeDisk(guest.disk, ZERO, { dryRun: false }, services)).rejects.toMatchObject({
    family: 'interrupted',
  });
  return guest;
}

const debugfs = (disk: string, command: string, ...options: string[]): string =>
  run('debugfs', [...options, '-R', command, `${disk}?offset=${SECOND * SECTOR}`]);

it.skipIf(!judge('debugfs', 'mke2fs', 'dumpe2fs', 'sfdisk'))(
  'what a guest has written to a raw disk since the run was stopped is not cleared',
  async () => {
    const { disk, folder } = await stopped();
    const [file, back] = [join(folder, 'file'), join(folder, 'back')];
    const content = randomBytes(1 << 20, 5);
    writeFileSync(file, content);
    debugfs(disk, `write ${file} new`, '-w');
    await expect(resumeRun(disk, {}, testServices())).rejects.toMatchObject({
      family: 'conflict',
      code: 'changed-since-plan',
    });
    debugfs(disk, `dump new ${back}`);
    expect(readFileSync(back).equals(content)).toBe(true);
    await abandonRun(disk, false, {});
  },
);

it.skipIf(!judge('mke2fs', 'dumpe2fs', 'sfdisk'))(
  'a disk that nobody has touched is cleared on',
  async () => {
    const { disk } = await stopped();
    await expect(resumeRun(disk, {}, testServices())).resolves.toMatchObject({ status: 'done' });
  },
);
