import { afterAll, describe, expect, it } from 'vitest';
import { MIB } from '../../../../src/core/units.js';
import { checkDeep } from '../../../../src/formats/ntfs/resize/check-deep.js';
import { enlargeNtfs } from '../../../../src/formats/ntfs/resize/enlarge.js';
import { minimumNtfsSize } from '../../../../src/formats/ntfs/resize/minimum.js';
import { shrinkNtfs } from '../../../../src/formats/ntfs/resize/shrink.js';
import type { VolumeResize } from '../../../../src/formats/types.js';
import { rootJudge, run } from '../../../support/judges.js';
import { seededRandom } from '../../../support/random.js';
import { Scratch, VolumeFile } from '../volumes.js';
import { applyStep, collect, copySparse, hashTree, judgeVolume, trim } from './harness.js';

const scratch = new Scratch();
afterAll(() => scratch.remove());

const TREE = `
  mkdir -p many deep/er packed
  for i in $(seq 1 150); do head -c $((i * 61 % 9000)) /dev/urandom > "deep/er/f$i"; done
  seq -f 'many/name of a file that is long %g' 1 2000 | xargs -d '\\n' touch
  head -c 3000000 /dev/urandom > middle
  for i in $(seq 1 3 150); do rm "deep/er/f$i"; done
  head -c 2000000 /dev/urandom > pieces
  truncate -s 30M sparse; head -c 20000 /dev/urandom | dd of=sparse bs=4k seek=3000 conv=notrunc status=none
  head -c 150000 /dev/urandom > 'middle:second'; echo small > 'pieces:note'
  setfattr -h -v 0x00000800 -n system.ntfs_attrib_be packed
  yes 'compressible text of some length' | head -c 2000000 > packed/text
  head -c 300000 /dev/urandom > packed/noise
  ln middle deep/link; ln pieces deep/er/link
`;

/** Files that lie behind the new end: the front is filled first and emptied again. */
const LATE = (front: number): string => `
  head -c ${front} /dev/zero > ballast; sync ballast
  ${TREE}
  rm ballast
`;

/** Every second small file removed, the gaps filled by one file, then some room made. */
const CRUMBS = `
  content=$(printf '%04096d' 0); i=0
  while [ $i -lt 1800 ] && echo "$content" > f$i; do i=$((i+1)); done 2>/dev/null
  seq 0 2 $((i-1)) | sed 's/^/f/' | xargs rm -f
  head -c 2500000 /dev/urandom > pieces || true
  head -c 300000 /dev/urandom > pieces:stream || true
  seq 1 6 $((i-1)) | sed 's/^/f/' | xargs rm -f
`;

const MOUNTS = rootJudge('mkntfs', 'ntfs-3g', 'ntfsresize', 'ntfsfix', 'ntfs-3g.probe');

async function apply(resize: VolumeResize, path: string): Promise<void> {
  for (const step of await collect(resize)) applyStep(path, step);
}

async function judgeAll(path: string): Promise<void> {
  const volume = new VolumeFile(path);
  expect(await checkDeep(volume)).toEqual([]);
  volume.close();
  judgeVolume(path);
}

describe.skipIf(!MOUNTS)('shrink and enlarge, judged', () => {
  it.each([512, 1024, 4096, 65536])(
    'clusters of %i bytes: to half the size and back',
    async (cluster) => {
      const path = scratch.format(`c${cluster}`, 96 * MIB, '-c', `${cluster}`, '-p', '2048');
      scratch.populate(path, LATE(40_000_000));
      const before = hashTree(scratch, path);
      const target = copySparse(path, scratch.path(`t${cluster}`));
      const volume = new VolumeFile(path);
      const newSizeBytes = 48 * MIB;
      const shrink = await shrinkNtfs(volume, { newSizeBytes });
      expect(shrink.relocatedBytes).toBeGreaterThan(0);
      await apply(shrink, target);
      volume.close();
      trim(target, newSizeBytes);
      await judgeAll(target);
      expect(hashTree(scratch, target)).toBe(before);

      const small = new VolumeFile(target);
      const enlarge = await enlargeNtfs(small, { newSizeBytes: 300 * MIB });
      const steps = await collect(enlarge);
      small.close();
      trim(target, 300 * MIB);
      for (const step of steps) applyStep(target, step);
      await judgeAll(target);
      expect(hashTree(scratch, target)).toBe(before);
    },
    120_000,
  );

  it('a minimum that was found is a size that works; stopping anywhere and going on ends the same', async () => {
    const path = scratch.format('cut', 64 * MIB);
    scratch.populate(path, LATE(20_000_000));
    const before = hashTree(scratch, path);
    const volume = new VolumeFile(path);
    const { technicalBytes, recommendedBytes } = await minimumNtfsSize(volume);
    expect(recommendedBytes).toBe(64 * MIB);
    expect(technicalBytes).toBeLessThan(24 * MIB);
    const steps = await collect(await shrinkNtfs(volume, { newSizeBytes: technicalBytes }));
    expect(await collect(await shrinkNtfs(volume, { newSizeBytes: technicalBytes }))).toEqual(steps);
    volume.close();
    const straight = copySparse(path, scratch.path('straight'));
    for (const step of steps) applyStep(straight, step);
    const random = seededRandom(7);
    const crooked = copySparse(path, scratch.path('crooked'));
    for (const step of steps) {
      if (step.stage === 'change' && step === steps.find(({ stage }) => stage === 'change')) {
        judgeVolume(crooked);
        expect(hashTree(scratch, crooked)).toBe(before);
      }
      while (random() < 0.6) applyStep(crooked, step, random() < 0.5, 1 + Math.floor(random() * 20));
      applyStep(crooked, step, random() < 0.5);
    }
    run('cmp', [straight, crooked]);
    trim(straight, technicalBytes);
    await judgeAll(straight);
    expect(hashTree(scratch, straight)).toBe(before);
  }, 120_000);

  it.each([512, 4096])(
    'crumbs, and streams in hundreds of pieces: clusters of %i bytes',
    async (cluster) => {
      const path = scratch.format(`crumbs${cluster}`, 12 * MIB, '-c', `${cluster}`);
      scratch.populate(path, CRUMBS);
      const before = hashTree(scratch, path);
      const volume = new VolumeFile(path);
      const { technicalBytes } = await minimumNtfsSize(volume);
      expect(technicalBytes).toBeLessThan(12 * MIB);
      const target = copySparse(path, scratch.path('crumbs'));
      await apply(await shrinkNtfs(volume, { newSizeBytes: technicalBytes }), target);
      volume.close();
      trim(target, technicalBytes);
      await judgeAll(target);
      expect(hashTree(scratch, target)).toBe(before);
    },
    60_000,
  );
});
