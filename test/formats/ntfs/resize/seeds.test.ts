import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MIB } from '../../../../src/core/units.js';
import { checkDeep } from '../../../../src/formats/ntfs/resize/check-deep.js';
import { enlargeNtfs } from '../../../../src/formats/ntfs/resize/enlarge.js';
import { minimumNtfsSize } from '../../../../src/formats/ntfs/resize/minimum.js';
import { shrinkNtfs } from '../../../../src/formats/ntfs/resize/shrink.js';
import { rootJudge } from '../../../support/judges.js';
import { seededRandom } from '../../../support/random.js';
import { Scratch, VolumeFile } from '../volumes.js';
import { applyStep, collect, copySparse, hashTree, judgeVolume, trim } from './harness.js';

/** How many volumes; scripts/seeds.sh asks for more. Few of them are small ones. */
const COUNT = Number(process.env.VMRECLAIM_SEEDS ?? 2);
const FIRST = Number(process.env.VMRECLAIM_SEED ?? 1);
const IS_CAMPAIGN = process.env.VMRECLAIM_SEEDS !== undefined;
const CLUSTERS = [4096, 512, 65536, 1024];

const scratch = new Scratch();
afterAll(() => scratch.remove());
const JUDGES = rootJudge(
  'mkntfs',
  'ntfs-3g',
  'ntfsresize',
  'ntfsfix',
  'ntfs-3g.probe',
  'setfattr',
  'getfattr',
);

interface Choice {
  readonly cluster: number;
  readonly sizeMib: number;
  readonly entries: number;
  readonly isFull: boolean;
  readonly script: string;
}

/** What a seed stands for; the bytes of files come from the seed too. */
function choose(seed: number): Choice {
  const random = seededRandom(seed);
  const cluster = CLUSTERS[seed % CLUSTERS.length] ?? 4096;
  const sizeMib = (IS_CAMPAIGN ? 48 : 32) + Math.floor(random() * (IS_CAMPAIGN ? 64 : 8));
  const entries = IS_CAMPAIGN ? 5000 : 400;
  const isFull = random() < 0.4;
  const ballast = Math.floor(sizeMib * (0.3 + random() * 0.3));
  const room = Math.floor((sizeMib * MIB * 0.15) / Math.max(cluster, 8192));
  const small = Math.min(room, 100 + Math.floor(random() * (IS_CAMPAIGN ? 400 : 100)));
  const script = `
    noise() { openssl enc -aes-128-ctr -nosalt -K 0 -iv "$(printf '%x' $2)" < /dev/zero 2>/dev/null | head -c $1; }
    head -c ${ballast}M /dev/zero > ballast; sync ballast
    mkdir -p many tree/a/b packed
    seq -f 'many/an entry of a large directory %g' ${entries} | xargs -d '\\n' touch
    noise $(( ${small} * 7000 )) ${seed} | split -b 7000 -a 3 -d - tree/a/s
    ls tree/a | awk 'NR % 2' | sed 's,^,tree/a/,' | xargs rm -rf
    mkdir -p tree/a/b
    noise 1500000 ${seed + 1} > fragmented
    for round in $(seq 1 12); do
      noise 40000 $((${seed} + round)) >> grown-1; noise 24000 $((${seed} + 50 + round)) >> grown-2
    done
    setfattr -h -v 0x00000800 -n system.ntfs_attrib_be packed
    yes 'compressible text of seed ${seed}' | head -c 1500000 > packed/text
    noise 200000 ${seed + 2} > packed/noise
    truncate -s 20M sparse
    noise 30000 ${seed + 3} | dd of=sparse bs=4k seek=2000 conv=notrunc status=none
    noise 120000 ${seed + 4} > 'fragmented:second'; echo note > 'sparse:note'
    ln fragmented tree/link-1; ln grown-1 tree/a/b/link-2; ln fragmented many/link-3
    ${isFull ? 'rm -f tree/a/s*5; fill=$(df --output=avail -B1 . | tail -1); noise $((fill * 97 / 100)) 9 > full || true; rm ballast; fill=$(df --output=avail -B1 . | tail -1); noise $((fill * 97 / 100)) 8 > full-2 || true' : 'rm ballast'}
  `;
  return { cluster, sizeMib, entries, isFull, script };
}

async function judgeAll(path: string, tree: string): Promise<void> {
  const volume = new VolumeFile(path);
  expect(await checkDeep(volume)).toEqual([]);
  volume.close();
  judgeVolume(path);
  expect(hashTree(scratch, path)).toBe(tree);
}

/** To a size and back; the volume in `path` stays. */
async function thereAndBack(path: string, name: string, newSizeBytes: number, tree: string): Promise<void> {
  const target = copySparse(path, scratch.path(name));
  const original = new VolumeFile(path);
  const today = original.sizeBytes;
  for (const step of await collect(await shrinkNtfs(original, { newSizeBytes }))) applyStep(target, step);
  original.close();
  trim(target, newSizeBytes);
  await judgeAll(target, tree);
  const small = new VolumeFile(target);
  const steps = await collect(await enlargeNtfs(small, { newSizeBytes: today }));
  small.close();
  trim(target, today);
  for (const step of steps) applyStep(target, step);
  await judgeAll(target, tree);
}

describe.skipIf(!JUDGES)(
  'generated volumes: to the technical minimum, to somewhere between, and back',
  () => {
    beforeAll(() => console.log(`seeds: ${COUNT}, VMRECLAIM_SEED=${FIRST}`));

    it.each(Array.from({ length: COUNT }, (_, index) => FIRST + index))(
      'seed %i',
      async (seed) => {
        const { cluster, sizeMib, script } = choose(seed);
        const path = scratch.format(`seed${seed}`, sizeMib * MIB, '-c', `${cluster}`, '-p', '2048');
        scratch.populate(path, script);
        const tree = hashTree(scratch, path);
        expect(tree).toContain('link-3');
        const volume = new VolumeFile(path);
        const { technicalBytes } = await minimumNtfsSize(volume);
        volume.close();
        const between = technicalBytes + Math.floor(((sizeMib * MIB - technicalBytes) * (seed % 7)) / 7);
        await thereAndBack(path, `minimum${seed}`, technicalBytes, tree);
        if (between > technicalBytes) await thereAndBack(path, `between${seed}`, between, tree);
      },
      300_000,
    );
  },
);
