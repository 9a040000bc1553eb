import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { MIB } from '../../../../src/core/units.js';
import { MappingPairs } from '../../../../src/formats/ntfs/mapping-pairs.js';
import { checkDeep } from '../../../../src/formats/ntfs/resize/check-deep.js';
import { shrinkNtfs } from '../../../../src/formats/ntfs/resize/shrink.js';
import { walkRecords } from '../../../../src/formats/ntfs/resize/walk-records.js';
import { openVolume } from '../../../../src/formats/ntfs/volume.js';
import type { VolumeResize } from '../../../../src/formats/types.js';
import { rootJudge, run } from '../../../support/judges.js';
import { codeOf, Scratch, VolumeFile } from '../volumes.js';
import { applyStep, collect, copySparse, hashTree, judgeVolume, trim } from './harness.js';

const scratch = new Scratch();
afterAll(() => scratch.remove());
const STEP = MIB / 16;
const MOUNTS = rootJudge('mkntfs', 'ntfs-3g', 'ntfsresize', 'ntfsfix', 'ntfs-3g.probe');

/** Bytes in front of everything and of the plain stream, thousands of bytes of the compressed one, pieces of the sparse one. */
interface Fill {
  readonly front: number;
  readonly plain: number;
  readonly packed: number;
  readonly pieces: number;
}

/**
 * Streams of many kinds, most of them in one piece, behind what is then filled with files of one cluster; every
 * second of those is removed, so that a shrink finds nothing but crumbs.
 */
const CRUMBS = ({ front, plain, packed, pieces }: Fill): string => `
  head -c ${front} /dev/zero > ballast; sync ballast
  head -c ${plain} /dev/urandom > plain
  for i in $(seq 1 6); do ln plain "a hard link with a name that is rather long $i"; done
  head -c 300000 /dev/urandom > plain:second
  mkdir packed; setfattr -h -v 0x00000800 -n system.ntfs_attrib_be packed
  for i in $(seq 1 ${packed}); do head -c 30000 /dev/urandom; yes "text $i" | head -c 40000; done > packed/mixed
  truncate -s 20M sparse
  for i in $(seq 1 ${pieces}); do head -c 9000 /dev/urandom | dd of=sparse bs=64k seek=$((i * 5)) conv=notrunc status=none; done
  sync; rm ballast
  content=$(printf '%0900d' 0); i=0
  while [ $i -lt 6000 ] && echo "$content" > f$i; do i=$((i+1)); done 2>/dev/null
  seq 0 2 $((i-1)) | sed 's/^/f/' | xargs rm -f
`;

/** Entries of the attribute list of each file that has one. */
async function readLists(path: string): Promise<Map<number, number>> {
  const volume = new VolumeFile(path);
  const opened = await openVolume(volume);
  const lists = new Map<number, number>();
  for await (const records of walkRecords(opened)) {
    for (const record of records) {
      const entries = await opened.attributeList(record);
      if (entries !== undefined) lists.set(record.number, entries.length);
    }
  }
  volume.close();
  return lists;
}

/** The first size, in steps of 64 KiB above what is used, that is not refused for want of space. */
async function smallest(volume: VolumeFile): Promise<{ size: number; resize: VolumeResize }> {
  const opened = await openVolume(volume);
  const used = (await (await opened.clusterBitmap()).countUsed()) * opened.clusterBytes;
  for (let size = Math.ceil(used / STEP) * STEP; ; size += STEP) {
    const code = await codeOf(shrinkNtfs(volume, { newSizeBytes: size }));
    if (code === 'none') return { size, resize: await shrinkNtfs(volume, { newSizeBytes: size }) };
    if (code !== 'ntfs-no-space') throw new Error(code);
  }
}

/** Changes one byte, hands the file to `judge`, and changes it back. */
async function withByte(path: string, at: number, change: number, judge: () => Promise<void>): Promise<void> {
  const handle = openSync(path, 'r+');
  const byte = Buffer.alloc(1);
  readSync(handle, byte, 0, 1, at);
  writeSync(handle, Uint8Array.of((byte[0] ?? 0) ^ change), 0, 1, at);
  await judge();
  writeSync(handle, byte, 0, 1, at);
  closeSync(handle);
}

/** Fields of the first two entries of the last file's list, each wrong for once. */
async function findsDamage(path: string): Promise<void> {
  const volume = new VolumeFile(path);
  const opened = await openVolume(volume);
  for (const file of [...(await readLists(path)).keys()].slice(-1)) {
    const list = (await opened.readFile(file)).find(0x20);
    if (file === 0 || list === undefined || list.isResident) continue;
    const pairs = new MappingPairs(opened.clusterCount).open(list);
    pairs.next();
    const at = pairs.lcn * opened.clusterBytes;
    // Type, length, lowest VCN, record, sequence, instance.
    for (const field of [0x00, 0x04, 0x08, 0x10, 0x16, 0x18]) {
      for (const entry of [at, at + 32]) {
        await withByte(path, entry + field, 0x08, async () => {
          expect(await checkDeep(volume)).toMatchObject([{ severity: 'damage' }]);
        });
      }
    }
    // Without its last entry, a piece is left out.
    const field = (await opened.readFile(file)).offset + list.at + 0x30;
    await withByte(path, field, 0x20, async () => {
      expect(await checkDeep(volume)).toMatchObject([{ severity: 'damage' }]);
    });
  }
  volume.close();
}

/** With no free record left there is nothing to extend a file with. */
async function refusesFullTable(path: string, newSizeBytes: number): Promise<void> {
  const copy = copySparse(path, scratch.path('full'));
  const volume = new VolumeFile(copy);
  const opened = await openVolume(volume);
  const bits = await opened.recordBitmap();
  const handle = openSync(copy, 'r+');
  writeSync(handle, new Uint8Array(bits.sizeBytes).fill(0xff), 0, bits.sizeBytes, bits.locate(0));
  closeSync(handle);
  expect(await codeOf(shrinkNtfs(volume, { newSizeBytes }))).toBe('ntfs-mft-full');
  volume.close();
}

async function judgeAll(path: string): Promise<void> {
  const volume = new VolumeFile(path);
  expect(await checkDeep(volume)).toEqual([]);
  volume.close();
  judgeVolume(path);
}

describe.skipIf(!MOUNTS)('files packed anew, judged', () => {
  it.each([
    [512, 8 * MIB, { front: 3 * MIB, plain: 700_000, packed: 8, pieces: 24 }],
    [1024, 12 * MIB, { front: 6 * MIB, plain: 1_000_000, packed: 12, pieces: 40 }],
  ])(
    'clusters of %i bytes',
    async (cluster, size, fill) => {
      const path = scratch.format(`l${cluster}`, size, '-c', `${cluster}`);
      scratch.populate(path, CRUMBS(fill));
      const before = hashTree(scratch, path);
      const had = await readLists(path);
      const volume = new VolumeFile(path);
      const { size: newSizeBytes, resize } = await smallest(volume);
      const steps = await collect(resize);
      expect(await collect(resize)).toEqual(steps);
      volume.close();
      const target = copySparse(path, scratch.path('target'));
      for (const step of steps) applyStep(target, step);
      const again = copySparse(path, scratch.path('again'));
      for (const step of steps) for (const reverse of [true, false, true]) applyStep(again, step, reverse);
      run('cmp', [target, again]);
      trim(target, newSizeBytes);
      const has = await readLists(target);
      expect([...has.keys()].some((file) => !had.has(file))).toBe(true);
      expect([...has].some(([file, entries]) => entries > (had.get(file) ?? entries))).toBe(true);
      if (cluster === 1024) await findsDamage(target);
      await refusesFullTable(path, newSizeBytes);
      await judgeAll(target);
      expect(hashTree(scratch, target)).toBe(before);
    },
    120_000,
  );
});
