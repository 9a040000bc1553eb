import { describe, expect, it } from 'vitest';
import { bootEdits } from '../../src/boot/index.js';
import type { BootEdits, BootInput } from '../../src/boot/types.js';
import { isFamily } from '../../src/core/errors.js';
import { windowReader } from '../../src/device/window.js';
import { randomBytes } from '../support/random.js';
import { bytesReader } from '../support/reader.js';

const SECTOR = 512;
const DISK = 4000 * SECTOR;
const nothing: ReadonlySet<string> = new Set();

interface Part {
  readonly number: number;
  readonly from: number;
  readonly to: number;
  readonly count: number;
  readonly newCount?: number;
  readonly filesystem?: string;
  readonly isExtended?: boolean;
}
const ROOT: Part = { number: 1, from: 63, to: 128, count: 1000 };
const DATA: Part = { number: 2, from: 1100, to: 1256, count: 900 };

/** A disk before and after its partitions were moved; nothing that a loader says was changed yet. */
function disks(
  paint: (disk: Buffer) => void,
  parts: readonly Part[] = [ROOT, DATA],
): { before: Buffer; after: Buffer } {
  const before = Buffer.from(randomBytes(DISK, 7));
  before.fill(0, 0, SECTOR);
  for (const { from } of parts) before.fill(0, from * SECTOR, (from + 1) * SECTOR);
  paint(before);
  const after = Buffer.from(before);
  for (const { from, to, count } of parts) {
    before.copy(after, to * SECTOR, from * SECTOR, (from + count) * SECTOR);
  }
  return { before, after };
}

function inputOf(
  { before, after }: { before: Buffer; after: Buffer },
  parts: readonly Part[] = [ROOT, DATA],
  table: 'mbr' | 'gpt' = 'mbr',
): BootInput {
  const [old, now] = [bytesReader(before), bytesReader(after)];
  return {
    table,
    sectorSize: SECTOR,
    diskId: '5cbea03e',
    before: old,
    after: now,
    partitions: parts.map(({ number, from, to, count, newCount, filesystem = null, isExtended = false }) => ({
      number,
      isExtended,
      filesystem,
      type: '0x83',
      obstacle: null,
      oldStartLba: from,
      oldSectorCount: count,
      newStartLba: to,
      newSectorCount: newCount ?? count,
      before: windowReader(old, from * SECTOR, count * SECTOR, 'before'),
      after: windowReader(now, to * SECTOR, count * SECTOR, 'after'),
    })),
  };
}

/** The disk with the writes applied at the new places. */
function written(disk: Buffer, { writes }: BootEdits, parts: readonly Part[] = [ROOT, DATA]): Buffer {
  const copy = Buffer.from(disk);
  for (const { at, bytes, partition } of writes) {
    const start = parts.find(({ number }) => number === partition)?.to ?? 0;
    copy.set(bytes, start * SECTOR + at);
  }
  return copy;
}

type Runs = readonly (readonly [number, number])[];

/** boot.img in a first sector, and the core image's first sector with its list: as grub-install leaves them. */
function grub2(disk: Buffer, at: number, core: number, runs: Runs): void {
  disk.write('GRUB \0Geom', at * SECTOR + 0x180, 'latin1');
  disk.writeUInt16LE(0x8000, at * SECTOR + 0x5a);
  disk.writeBigUInt64LE(BigInt(core), at * SECTOR + 0x5c);
  disk.fill(0, core * SECTOR + 0x100, (core + 1) * SECTOR);
  for (const [index, [start, count]] of runs.entries()) {
    const entry = core * SECTOR + 0x1f4 - index * 12;
    disk.writeBigUInt64LE(BigInt(start), entry);
    disk.writeUInt16LE(count, entry + 8);
    disk.writeUInt16LE(0x820, entry + 10);
  }
}

function readGrub2(disk: Buffer, at: number): { core: number; runs: Runs } {
  const core = Number(disk.readBigUInt64LE(at * SECTOR + 0x5c));
  const runs: [number, number][] = [];
  for (let entry = core * SECTOR + 0x1f4; disk.readUInt16LE(entry + 8) > 0; entry -= 12) {
    runs.push([Number(disk.readBigUInt64LE(entry)), disk.readUInt16LE(entry + 8)]);
  }
  return { core, runs };
}

/** stage1 of GRUB 0.97, and the first sector of what it loads. */
function grubLegacy(disk: Buffer, address: number, next: number, runs: Runs): void {
  disk.write('GRUB \0Geom', 0x17f, 'latin1');
  disk.set([3, 2, 0xff, 0], 0x3e);
  disk.writeUInt16LE(address, 0x42);
  disk.writeUInt32LE(next, 0x44);
  disk.fill(0, next * SECTOR + 0x100, (next + 1) * SECTOR);
  for (const [index, [start, count]] of runs.entries()) {
    const entry = next * SECTOR + 0x1f8 - index * 8;
    disk.writeUInt32LE(start, entry);
    disk.writeUInt16LE(count, entry + 4);
  }
}

describe('GRUB 2', () => {
  it('in the gap is safe, and said to be', async () => {
    const edits = await bootEdits(inputOf(disks((disk) => grub2(disk, 0, 1, [[2, 50]]))), nothing);
    expect(edits.writes).toEqual([]);
    expect(edits.fixups).toEqual([
      { kind: 'grub', partition: null, message: 'GRUB 2 in the MBR: its sectors stay where they are' },
    ]);
  });

  it('between the tables and a partition that moves over it, is refused', async () => {
    const input = inputOf(disks((disk) => grub2(disk, 0, 1070, [[1071, 20]])));
    const failing = bootEdits(input, nothing);
    await expect(failing).rejects.toMatchObject({ family: 'refused', code: 'boot-loader-overwritten' });
    const skipped = await bootEdits(input, new Set(['grub']));
    expect(skipped.writes).toEqual([]);
  });

  it('by block list in a partition: every number follows, across partitions', async () => {
    const pair = disks((disk) =>
      grub2(disk, 0, 200, [
        [201, 30],
        [1500, 10],
        [40, 5],
      ]),
    );
    const edits = await bootEdits(inputOf(pair), nothing);
    const now = written(pair.after, edits);
    expect(readGrub2(now, 0)).toEqual({
      core: 265,
      runs: [
        [266, 30],
        [1656, 10],
        [40, 5],
      ],
    });
    expect(edits.writes).toHaveLength(3);
    const list = (runs: Runs) =>
      runs.map(([start, count]) => [start * SECTOR, (start + count) * SECTOR] as const);
    const old = list([
      [201, 30],
      [1500, 10],
    ]).map(([from, to]) => pair.before.subarray(from, to));
    const moved = list([
      [266, 30],
      [1656, 10],
    ]).map(([from, to]) => now.subarray(from, to));
    expect(moved).toEqual(old);
  });

  it('in the BIOS boot partition of a GPT disk follows it', async () => {
    const bios: Part = { number: 3, from: 34, to: 128, count: 100 };
    const pair = disks((disk) => grub2(disk, 0, 34, [[35, 60]]), [bios]);
    const edits = await bootEdits(inputOf(pair, [bios], 'gpt'), nothing);
    expect(readGrub2(written(pair.after, edits, [bios]), 0)).toEqual({ core: 128, runs: [[129, 60]] });
  });

  it('in the first sector of a partition: the numbers there follow too', async () => {
    const pair = disks((disk) => grub2(disk, 63, 300, [[301, 20]]));
    const edits = await bootEdits(inputOf(pair), nothing);
    expect(edits.writes.map(({ partition }) => partition)).toEqual([1, 1]);
    expect(readGrub2(written(pair.after, edits), 128)).toEqual({ core: 365, runs: [[366, 20]] });
  });

  it('is refused when a resize put its files elsewhere', async () => {
    const pair = disks((disk) => grub2(disk, 0, 200, [[201, 30]]));
    pair.after.fill(0, (201 + 65 + 10) * SECTOR, (201 + 65 + 11) * SECTOR);
    await expect(bootEdits(inputOf(pair), nothing)).rejects.toMatchObject({
      family: 'refused',
      code: 'boot-loader-lost',
      detail: { hint: expect.stringContaining('--skip-boot-fixups grub') },
    });
    const { warnings } = await bootEdits(inputOf(pair), new Set(['grub']));
    expect(warnings.map(({ code }) => code)).toEqual(['boot-fixup-skipped']);
  });

  it('is looked after when its partition only becomes smaller', async () => {
    const part = (newCount: number): Part => ({ ...ROOT, to: ROOT.from, newCount });
    const pair = disks((disk) => grub2(disk, 0, 200, [[201, 30]]), [part(1000)]);
    const kept = await bootEdits(inputOf(pair, [part(500)]), nothing);
    expect([kept.writes, kept.fixups.length]).toEqual([[], 1]);
    const cut = bootEdits(inputOf(pair, [part(150)]), nothing);
    await expect(cut).rejects.toMatchObject({ code: 'boot-loader-lost' });
  });

  it('whose list does not end, or which points behind the disk, is damaged', async () => {
    const endless = disks((disk) => {
      grub2(disk, 0, 200, [[201, 30]]);
      disk.fill(1, 200 * SECTOR, 201 * SECTOR);
    });
    const outside = disks((disk) => {
      grub2(disk, 0, 200, []);
      disk.writeBigUInt64LE(2n ** 60n, 0x5c);
    });
    for (const pair of [endless, outside]) {
      await expect(bootEdits(inputOf(pair), nothing)).rejects.toMatchObject({ code: 'boot-block-list' });
    }
  });

  it('in an extended partition does not follow', async () => {
    const container: Part = { number: 4, from: 2100, to: 2100, count: 1000, isExtended: true };
    const pair = disks((disk) => grub2(disk, 2100, 1, [[2, 50]]), [ROOT]);
    const input = inputOf(pair, [ROOT, container]);
    await expect(bootEdits(input, nothing)).rejects.toMatchObject({ code: 'boot-loader-in-extended' });
  });
});

describe('GRUB legacy', () => {
  it('with stage 1.5 in the gap is safe', async () => {
    const edits = await bootEdits(inputOf(disks((disk) => grubLegacy(disk, 0x2000, 1, [[2, 20]]))), nothing);
    expect(edits.writes).toEqual([]);
    expect(edits.fixups.map(({ kind }) => kind)).toEqual(['grub-legacy']);
  });

  it('that loads stage 2 from a partition: stage 1 and the list follow', async () => {
    const pair = disks((disk) =>
      grubLegacy(disk, 0x8000, 400, [
        [401, 100],
        [600, 20],
      ]),
    );
    const now = written(pair.after, await bootEdits(inputOf(pair), nothing));
    expect(now.readUInt32LE(0x44)).toBe(465);
    expect([0, 1].map((index) => now.readUInt32LE(465 * SECTOR + 0x1f8 - index * 8))).toEqual([466, 665]);
  });
});

describe('other loaders', () => {
  it('LILO is refused as soon as something moves, or left by name', async () => {
    const pair = disks((disk) => disk.write('LILO', 6, 'latin1'));
    await expect(bootEdits(inputOf(pair), nothing)).rejects.toMatchObject({
      family: 'refused',
      code: 'lilo',
    });
    expect((await bootEdits(inputOf(pair), new Set(['lilo']))).writes).toEqual([]);
    const still = [ROOT, DATA].map((part) => ({ ...part, to: part.from }));
    expect(
      (
        await bootEdits(
          inputOf(
            disks(() => undefined, still),
            still,
          ),
          nothing,
        )
      ).fixups,
    ).toEqual([]);
  });

  it('EXTLINUX gets its hidden sectors, when it has any', async () => {
    for (const [hidden, wanted] of [
      [63, 128],
      [0, 0],
    ] as const) {
      const pair = disks((disk) => {
        disk.write('EXTLINUX', 63 * SECTOR + 3, 'latin1');
        disk.writeUInt32LE(hidden, 63 * SECTOR + 0x1c);
      });
      const now = written(pair.after, await bootEdits(inputOf(pair), nothing));
      expect(now.readUInt32LE(128 * SECTOR + 0x1c)).toBe(wanted);
    }
  });

  it('a loader with any byte changed ends in a typed error, or in writes inside the disk', async () => {
    const pair = disks((disk) =>
      grub2(disk, 0, 200, [
        [201, 30],
        [1500, 10],
      ]),
    );
    for (const sector of [0, 200]) {
      for (let at = 0; at < SECTOR; at++) {
        const [before, after] = [Buffer.from(pair.before), Buffer.from(pair.after)];
        before[sector * SECTOR + at] = (before[sector * SECTOR + at] ?? 0) ^ 0x91;
        const moved = sector === 0 ? 0 : 265;
        after[moved * SECTOR + at] = (after[moved * SECTOR + at] ?? 0) ^ 0x91;
        try {
          const edits = await bootEdits(inputOf({ before, after }), nothing);
          for (const write of edits.writes) expect(write.at + write.bytes.length).toBeLessThan(DISK);
        } catch (error) {
          if (!isFamily(error, 'damaged') && !isFamily(error, 'refused')) throw error;
        }
      }
    }
  });
});
