import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lba, MIB } from '../../../src/core/units.js';
import { fat } from '../../../src/formats/fat/index.js';
import type { VolumeMove } from '../../../src/formats/types.js';
import { judge, run } from '../../support/judges.js';
import { bytesReader } from '../../support/reader.js';

const MOVE: VolumeMove = {
  sectorSize: 512,
  oldStart: lba(63),
  newStart: lba(2048),
  oldSectorCount: 131072,
  newSectorCount: 131072,
  oldEbr: null,
  newEbr: null,
};

describe.skipIf(!judge('mkfs.fat', 'fsck.fat'))('FAT', () => {
  let folder = '';
  let image = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'vmreclaim-fat-'));
    image = join(folder, 'image');
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function make(sizeBytes: number, ...options: string[]): Uint8Array {
    writeFileSync(image, '');
    truncateSync(image, sizeBytes);
    run('mkfs.fat', [...options, image]);
    return new Uint8Array(readFileSync(image));
  }

  it.each([
    ['fat12', 2 * MIB, '12'],
    ['fat16', 64 * MIB, '16'],
    ['fat32', 64 * MIB, '32'],
  ])('%s counts its clusters as fsck.fat does', async (kind, sizeBytes, bits) => {
    const bytes = make(sizeBytes, '-F', bits, '-i', '1234ABCD', '-n', 'LABEL');
    const facts = await fat.inspect(bytesReader(bytes));
    const [, used, clusters] = /, (\d+)\/(\d+) clusters/.exec(run('fsck.fat', ['-n', image])) ?? [];
    const cluster = facts.clusterBytes ?? 0;
    expect(facts).toMatchObject({
      kind,
      label: 'LABEL',
      serial: '1234-ABCD',
      state: 'clean',
      totalBytes: sizeBytes,
    });
    expect(facts.freeBytes).toBe((Number(clusters) - Number(used)) * cluster);
  });

  it('counts entries that are in use', async () => {
    for (const [bits, at, mark] of [
      ['12', 0, [0xff, 0xff, 0xff]],
      ['16', 6, [0xff, 0xff, 0xff, 0xff]],
      ['32', 12, [0xff, 0xff, 0xff, 0x0f, 0xff, 0xff, 0xff, 0x0f]],
    ] as const) {
      const bytes = make(bits === '12' ? 2 * MIB : 64 * MIB, '-F', bits);
      const before = await fat.inspect(bytesReader(bytes));
      const reserved = (bytes[14] ?? 0) | ((bytes[15] ?? 0) << 8);
      // Entries 2 and 3 of FAT12 are bytes 3 to 5.
      bytes.set(mark, reserved * 512 + (bits === '12' ? 3 : at));
      const after = await fat.inspect(bytesReader(bytes));
      const before2 = before.usedBytes ?? 0;
      expect((after.usedBytes ?? 0) - before2).toBe(2 * (after.clusterBytes ?? 0));
    }
  });

  it('is dirty when its flags say so', async () => {
    const fat32 = make(64 * MIB, '-F', '32');
    fat32[0x41] = 1;
    expect((await fat.inspect(bytesReader(fat32))).state).toBe('dirty');
    const fat16 = make(64 * MIB, '-F', '16');
    const reserved = (fat16[14] ?? 0) | ((fat16[15] ?? 0) << 8);
    fat16[reserved * 512 + 3] = 0x7f;
    expect((await fat.inspect(bytesReader(fat16))).state).toBe('dirty');
  });

  it('changes the hidden sectors of both boot sectors and nothing else', async () => {
    const bytes = make(64 * MIB, '-F', '32', '-h', '63');
    const edit = await fat.onMove?.(bytesReader(bytes), MOVE);
    const edited = bytes.slice();
    for (const write of edit?.writes ?? []) edited.set(write.bytes, write.at);
    const changed: number[] = [];
    for (let i = 0; i < bytes.length; i++) if (edited[i] !== bytes[i]) changed.push(i);
    expect(changed).toEqual([0x1c, 0x1d, 6 * 512 + 0x1c, 6 * 512 + 0x1d]);
    expect(new DataView(edited.buffer).getUint32(0x1c, true)).toBe(2048);
    expect(edit?.writes.at(-1)?.at).toBe(0);
    writeFileSync(image, edited);
    run('fsck.fat', ['-n', image]);
  });

  it('leaves hidden sectors that are not its start, and says so', async () => {
    const edit = await fat.onMove?.(bytesReader(make(64 * MIB, '-F', '16', '-h', '17')), MOVE);
    expect(edit).toMatchObject({ writes: [], warnings: [{ code: 'hidden-sectors-unknown' }] });
  });

  it.skipIf(!judge('mkntfs', 'mkfs.exfat', 'sfdisk'))('is not NTFS, exFAT or an MBR', () => {
    for (const [tool, ...args] of [
      ['mkntfs', '-q', '-F', '-Q', image],
      ['mkfs.exfat', image],
      ['sfdisk', '-q', image],
    ] as const) {
      writeFileSync(image, '');
      truncateSync(image, 16 * MIB);
      run(tool, args, tool === 'sfdisk' ? { input: '63,,c\n' } : {});
      expect(fat.probe(readFileSync(image).subarray(0, 512), bytesReader(new Uint8Array()))).toBe(false);
    }
  });
});
