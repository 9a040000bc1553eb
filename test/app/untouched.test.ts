import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { changeDisk } from '../../src/app/change.js';
import type { Wish } from '../../src/app/plan.js';
import { abandonRun, resumeRun } from '../../src/app/resume.js';
import type { Services } from '../../src/app/services.js';
import { layoutRequest } from '../../src/plan/types.js';
import { judge, run } from '../support/judges.js';
import { randomBytes } from '../support/random.js';
import { testServices } from '../support/services.js';
import { fill } from '../support/unused.js';
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

/** Clears the first of two file systems, which were made on noise, and is stopped. */
async function stopped(): Promise<{ disk: string; folder: string }> {
  const folder = bench.newFolder();
  const disk = join(folder, 'disk.img');
  writeFileSync(disk, '');
  truncateSync(disk, (SECOND + SECTORS) * SECTOR);
  fill(disk, [{ at: 0, length: (SECOND + SECTORS) * SECTOR }], 'noise');
  const entries = [2048, SECOND].map((start) => `start=${start}, size=${SECTORS}, type=83`);
  run('sfdisk', ['-q', '--wipe', 'always', disk], { input: `label: dos\n${entries.join('\n')}\n` });
  for (const start of [2048, SECOND]) {
    const place = `nodiscard,offset=${start * SECTOR}`;
    run('mke2fs', ['-q', '-F', '-t', 'ext4', '-b', '4096', '-E', place, disk, `${SECTORS / 8}`]);
  }
  const controller = new AbortController();
  const onProgress: Services['onProgress'] = ({ why }) => {
    if (why === 'clear free space of partition 1') controller.abort();
  };
  const services = testServices({ signal: controller.signal, onProgress });
  await expect(changeDisk(disk, ZERO, { dryRun: false }, services)).rejects.toMatchObject({
    family: 'interrupted',
  });
  return { disk, folder };
}

const debugfs = (disk: string, command: string, ...options: string[]): string =>
  run('debugfs', [...options, '-R', command, `${disk}?offset=${SECOND * SECTOR}`]);

it.skipIf(!judge('debugfs', 'mke2fs', 'sfdisk'))(
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

it.skipIf(!judge('mke2fs', 'sfdisk'))('a disk that nobody has touched is cleared on', async () => {
  const { disk } = await stopped();
  await expect(resumeRun(disk, {}, testServices())).resolves.toMatchObject({ status: 'done' });
});
