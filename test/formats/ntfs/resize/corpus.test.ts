import { afterAll, describe, expect, it } from 'vitest';
import { MIB } from '../../../../src/core/units.js';
import { checkDeep } from '../../../../src/formats/ntfs/resize/check-deep.js';
import { enlargeNtfs } from '../../../../src/formats/ntfs/resize/enlarge.js';
import { minimumNtfsSize } from '../../../../src/formats/ntfs/resize/minimum.js';
import { shrinkNtfs } from '../../../../src/formats/ntfs/resize/shrink.js';
import { corpusDisk } from '../../../support/corpus-disks.js';
import { cutOut } from '../../../support/guests.js';
import { corpus, rootJudge, run } from '../../../support/judges.js';
import { codeOf, Scratch, VolumeFile } from '../volumes.js';
import { applyStep, collect, copySparse, hashTree, judgeVolume, trim } from './harness.js';

const folder = corpus();
const scratch = new Scratch();
afterAll(() => scratch.remove());

const MOUNTS = rootJudge('ntfs-3g', 'ntfsresize', 'ntfsfix', 'ntfs-3g.probe');
describe.skipIf(folder === undefined || !MOUNTS)(
  'volumes that Windows made, to their minimum and back',
  () => {
    it.each([
      ['win10-2mib-clusters.raw', 128, 2091008],
      ['win10-ptrn-free-space.raw', 128, 2091008],
      ['win10-compressed-stream.raw', 128, 2091008],
      ['win10-attribute-list.partition', 0, 81920],
    ])(
      '%s',
      async (name, start, count) => {
        const path = scratch.path(name);
        cutOut(corpusDisk(`ntfs/${name}.gz`), start, count, path);
        const before = hashTree(scratch, path);
        const target = copySparse(path, scratch.path('target'));
        const volume = new VolumeFile(path);
        const { technicalBytes } = await minimumNtfsSize(volume);
        expect(technicalBytes).toBeLessThanOrEqual(volume.sizeBytes);
        for (const step of await collect(await shrinkNtfs(volume, { newSizeBytes: technicalBytes })))
          applyStep(target, step);
        const originalBytes = volume.sizeBytes;
        volume.close();
        trim(target, technicalBytes);
        judgeVolume(target);
        expect(hashTree(scratch, target)).toBe(before);

        const small = new VolumeFile(target);
        const steps = await collect(await enlargeNtfs(small, { newSizeBytes: originalBytes }));
        small.close();
        trim(target, originalBytes);
        for (const step of steps) applyStep(target, step);
        judgeVolume(target);
        expect(hashTree(scratch, target)).toBe(before);
        const large = new VolumeFile(target);
        expect((await checkDeep(large)).filter(({ severity }) => severity === 'damage')).toEqual([]);
        large.close();
        run('rm', [path, target]);
      },
      120_000,
    );

    it('shadow copies: refused, and dropped with consent', async () => {
      const disk = corpusDisk('ntfs/win10-64gib-two-shadow-copies.tgz');
      const volume = new VolumeFile(disk, MIB, 64 * 1024 * MIB - 2 * MIB);
      const newSizeBytes = 2048 * MIB;
      expect(await codeOf(shrinkNtfs(volume, { newSizeBytes }))).toBe('ntfs-shadow-copies');
      const resize = await shrinkNtfs(volume, { newSizeBytes, dropShadowCopies: true });
      expect(resize.warnings.map(({ code }) => code)).toContain('ntfs-shadow-copies-dropped');
      const steps = await collect(resize);
      volume.close();
      const writes = steps.flatMap((step) => step.writes);
      expect(writes.find(({ at }) => at === 0x1e30)?.bytes).toEqual(new Uint8Array(8));
      expect(steps.at(-1)?.discards).toEqual([{ at: newSizeBytes, length: 62 * 1024 * MIB - 2 * MIB }]);
    }, 60_000);
  },
);
