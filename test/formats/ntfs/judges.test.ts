import { closeSync, openSync, writeSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { rangeEnd } from '../../../src/core/range.js';
import { MIB } from '../../../src/core/units.js';
import { ntfs } from '../../../src/formats/ntfs/index.js';
import { openVolume } from '../../../src/formats/ntfs/volume.js';
import { judge, rootJudge, run } from '../../support/judges.js';
import { codeOf, Scratch, VolumeFile } from './volumes.js';

const scratch = new Scratch();
afterAll(() => scratch.remove());

/** Used bytes as ntfs-3g counts them. */
function usedByJudge(path: string): number {
  const text = run('ntfsinfo', ['-fm', path]);
  const field = (name: string): number => Number(new RegExp(`${name}: (\\d+)`).exec(text)?.[1] ?? Number.NaN);
  return (field('Volume Size in Clusters') - field('Free Clusters')) * field('Cluster Size');
}

async function withVolume<T>(path: string, use: (volume: VolumeFile) => Promise<T>): Promise<T> {
  const volume = new VolumeFile(path);
  try {
    return await use(volume);
  } finally {
    volume.close();
  }
}

async function sameAsJudge(path: string): Promise<void> {
  await withVolume(path, async (volume) => {
    const facts = await ntfs.inspect(volume);
    expect(facts.usedBytes).toBe(usedByJudge(path));
    expect(facts).toMatchObject({
      kind: 'ntfs',
      state: 'clean',
      reasons: [],
      totalBytes: volume.sizeBytes - 512,
    });
    await ntfs.check?.(volume);
    const map = await ntfs.usedMap?.(volume);
    const ranges = (await map?.ranges(0, volume.sizeBytes)) ?? [];
    expect(ranges.reduce((sum, { length }) => sum + length, 0)).toBe(facts.usedBytes);
  });
}

describe.skipIf(!judge('mkntfs', 'ntfsinfo', 'ntfslabel'))('volumes made by mkntfs', () => {
  it.each([512, 1024, 2048, 4096, 16384, 65536, 131072, 2097152])('clusters of %i bytes', async (cluster) => {
    const path = scratch.format(`c${cluster}`, cluster > 65536 ? 16384 * MIB : 20 * MIB, '-c', `${cluster}`);
    await sameAsJudge(path);
    await withVolume(path, async (volume) => {
      const head = await volume.readAt(0, 512);
      expect(await ntfs.probe(head, volume)).toBe(true);
      expect((await ntfs.inspect(volume)).clusterBytes).toBe(cluster);
    });
  });

  it('records of 4096 bytes and sectors of 4096 bytes', async () => {
    const path = scratch.format('s4096', 20 * MIB, '-s', '4096', '-c', '4096', '-p', '8');
    await withVolume(path, async (volume) => {
      expect((await openVolume(volume)).boot).toMatchObject({
        recordBytes: 4096,
        bytesPerSector: 4096,
        hiddenSectors: 8,
      });
      expect((await ntfs.inspect(volume)).usedBytes).toBe(usedByJudge(path));
      await ntfs.check?.(volume);
    });
  });

  it('label and serial number', async () => {
    const path = scratch.format('label', 8 * MIB, '-L', 'Größe 12', '-p', '63');
    await withVolume(path, async (volume) => {
      const facts = await ntfs.inspect(volume);
      expect(facts.label).toBe('Größe 12');
      const serial = /Serial number : ([0-9a-f]{16})/.exec(run('ntfslabel', ['-v', path]))?.[1];
      expect(facts.serial).toBe(serial?.toUpperCase());
      expect((await openVolume(volume)).boot.hiddenSectors).toBe(63);
    });
  });

  it('reads little, however large the volume', async () => {
    const path = scratch.format('large', 8192 * MIB);
    await withVolume(path, async (volume) => {
      await ntfs.inspect(volume);
      expect(volume.bytesRead).toBeLessThan(400 * 1024);
    });
  });
});

const FILES = `
  for i in $(seq 1 300); do echo "content $i" > "file with a longer name $i"; done
  mkdir -p deep/er; for i in $(seq 1 20); do head -c 20000 /dev/urandom > deep/er/$i; done
  truncate -s 50M sparse; dd if=/dev/urandom of=sparse bs=4k seek=5000 count=3 conv=notrunc status=none
  echo stream > 'file with a longer name 1:second'; head -c 100000 /dev/urandom > 'deep/er/1:big'
  mkdir packed; setfattr -h -v 0x00080000 -n system.ntfs_attrib packed || true
  yes compressible | head -c 3000000 > packed/text
  rm 'file with a longer name 7'
`;

/** Fills the volume with small files and removes every second one: what comes next is in hundreds of pieces. */
const FRAGMENTS = `
  content=$(printf '%04096d' 0); i=0
  while [ $i -lt 1500 ] && echo "$content" > f$i; do i=$((i+1)); done 2>/dev/null
  seq 0 2 $((i-1)) | sed 's/^/f/' | xargs rm -f
  head -c 2500000 /dev/urandom > pieces || true
`;

describe.skipIf(!rootJudge('mkntfs', 'ntfs-3g', 'ntfsinfo'))('volumes in use', () => {
  it('small, sparse, compressed files, streams', async () => {
    const path = scratch.format('files', 64 * MIB);
    scratch.populate(path, FILES);
    await sameAsJudge(path);
  });

  it('clusters of 512 bytes with fragments and attribute lists', async () => {
    const path = scratch.format('pieces', 9 * MIB, '-c', '512');
    scratch.populate(path, FRAGMENTS);
    await sameAsJudge(path);
    expect(run('ntfsinfo', ['-f', '-F', 'pieces', path])).toContain('ATTRIBUTE_LIST');
  });

  it('every block of a file that is found by content lies in a used range', async () => {
    const path = scratch.format('marks', 32 * MIB);
    scratch.populate(
      path,
      `yes 0123456789abcde | head -c 1000000 > marked; head -c 500000 /dev/zero > zeros`,
    );
    await withVolume(path, async (volume) => {
      const ranges = (await (await ntfs.usedMap?.(volume))?.ranges(0, volume.sizeBytes)) ?? [];
      const bytes = Buffer.from(await volume.readAt(0, volume.sizeBytes));
      let at = bytes.indexOf('0123456789abcde\n');
      let found = 0;
      for (; at >= 0; at = bytes.indexOf('0123456789abcde\n', at + 4096)) {
        const position = at;
        expect(ranges.some((range) => range.at <= position && position < rangeEnd(range))).toBe(true);
        found++;
      }
      expect(found).toBeGreaterThan(200);
    });
  });

  it.each([
    ['hibr', 'hibernated'],
    ['HIBR', 'hibernated'],
    ['wake', 'clean'],
    ['\\0\\0\\0\\0', 'clean'],
    ['what', 'hibernated'],
  ])('hiberfil.sys that begins with %s', async (magic, state) => {
    const path = scratch.format('sleep', 16 * MIB);
    scratch.populate(
      path,
      `seq 1 200 | while read i; do : > "aa $i"; done; truncate -s 1M HiberFil.sys
      printf '${magic}' | dd of=HiberFil.sys conv=notrunc status=none`,
    );
    await withVolume(path, async (volume) => {
      const facts = await ntfs.inspect(volume);
      expect(facts.state).toBe(state);
      expect(facts.move.blockers.map(({ code }) => code)).toEqual(
        state === 'clean' ? [] : ['ntfs-hibernated'],
      );
      expect(await codeOf(ntfs.check?.(volume) ?? Promise.resolve())).toBe('none');
    });
  });

  it('a hiberfil.sys that is too short counts as hibernated', async () => {
    const path = scratch.format('short', 16 * MIB);
    scratch.populate(path, 'printf wake > hiberfil.sys');
    await withVolume(path, async (volume) => {
      expect((await ntfs.inspect(volume)).reasons.map(({ code }) => code)).toEqual(['ntfs-hibernated']);
    });
  });

  it('a larger partition than the volume is fine, a smaller one is damage', async () => {
    const path = scratch.format('sizes', 16 * MIB);
    const more = new VolumeFile(path, 0, 16 * MIB - 512);
    expect((await ntfs.inspect(more)).state).toBe('clean');
    more.close();
    const less = new VolumeFile(path, 0, 16 * MIB - 1024);
    const facts = await ntfs.inspect(less);
    expect(facts.state).toBe('damaged');
    expect(facts.move.blockers.map(({ code }) => code)).toEqual(['ntfs-total-too-large']);
    expect(await codeOf(openVolume(less))).toBe('ntfs-total-too-large');
    less.close();
  });

  it('the dirty flag of the volume', async () => {
    const path = scratch.format('torn', 16 * MIB);
    const handle = openSync(path, 'r+');
    // The dirty flag of $VOLUME_INFORMATION, in $MFT and in $MFTMirr.
    const volume = new VolumeFile(path);
    const opened = await openVolume(volume);
    const record = await opened.readRecord(3);
    const flagAt = (record.find(0x70)?.at ?? 0) + 0x18 + 10;
    const mirror = opened.boot.mftMirrorLcn * opened.boot.clusterBytes + 3 * opened.boot.recordBytes;
    for (const base of [record.offset, mirror]) writeSync(handle, Uint8Array.of(0x01), 0, 1, base + flagAt);
    closeSync(handle);
    const facts = await ntfs.inspect(volume);
    expect(facts).toMatchObject({ state: 'dirty', reasons: [{ code: 'ntfs-dirty' }] });
    expect(run('ntfsinfo', ['-fm', path])).toMatch(/Volume Flags: 0x0001/);
    volume.close();
  });
});
