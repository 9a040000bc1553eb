import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { VmreclaimError } from '../../src/core/errors.js';
import { KIB, lba, MIB } from '../../src/core/units.js';
import type { Reader } from '../../src/device/types.js';
import type { FilesystemFormat, VolumeMove } from '../../src/formats/types.js';
import { probeFilesystem } from '../../src/inspect/registry.js';
import { judge, run } from '../support/judges.js';
import { bytesReader, patchedReader, truncatedReader } from '../support/reader.js';
import { CRAFTED, craftedBytes } from './crafted.js';

const MOVE: VolumeMove = {
  sectorSize: 512,
  oldStart: lba(63),
  newStart: lba(2048),
  oldSectorCount: 4096,
  newSectorCount: 4096,
  oldEbr: null,
  newEbr: null,
};

/** Whatever the bytes, the answer is a value: damage is a fact, and nothing else is thrown. */
async function mustAnswer(volume: Reader): Promise<void> {
  const found = await probeFilesystem(volume);
  if (found === null) return;
  const { totalBytes, freeBytes } = found.facts;
  if (found.facts.state !== 'damaged') {
    expect(totalBytes ?? 0).toBeGreaterThanOrEqual(0);
    expect(freeBytes ?? 0).toBeGreaterThanOrEqual(0);
  }
  await typed(() => deep(found.format, volume));
}

/** All that a run would ask of the volume. */
async function deep(format: FilesystemFormat, volume: Reader): Promise<void> {
  await format.onMove?.(volume, MOVE);
  await (await format.usedMap?.(volume))?.ranges(0, volume.sizeBytes);
  await format.check?.(volume);
}

/** Passes errors that are typed and blame the disk. */
async function typed(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof VmreclaimError)) throw error;
    expect(['damaged', 'unsupported', 'refused']).toContain(error.family);
  }
}

/** Offsets spread over a stretch, never the same steps. */
function* spread(end: number, count: number, seed: number): Generator<number> {
  let state = seed;
  for (let i = 0; i < count; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    yield state % end;
  }
}

async function truncateEverywhere(bytes: Uint8Array): Promise<void> {
  const volume = bytesReader(bytes);
  for (let length = 0; length < 2 * KIB; length += 61) await mustAnswer(truncatedReader(volume, length));
  for (let length = 2 * KIB; length <= 72 * KIB; length += 1021)
    await mustAnswer(truncatedReader(volume, length));
  for (const length of spread(bytes.length, 40, 7)) await mustAnswer(truncatedReader(volume, length));
}

async function flipEverywhere(bytes: Uint8Array, places: Iterable<number>): Promise<void> {
  const volume = bytesReader(bytes);
  for (const at of places) {
    const old = bytes[at] ?? 0;
    for (const value of [old ^ 0xff, old ^ 0x01, 0xff]) {
      await mustAnswer(patchedReader(volume, at, Uint8Array.of(value)));
    }
  }
}

describe.each(CRAFTED)('hostile bytes: $name', (crafted) => {
  // The end counts: where it is decides what is found there.
  const bytes = craftedBytes({ ...crafted, patches: crafted.patches });

  it('cut at many lengths', () => truncateEverywhere(bytes));

  it('with flipped bytes', async () => {
    for (const [at, patch] of crafted.patches) {
      const length = Math.min(patch.length, 512);
      await flipEverywhere(
        bytes,
        Array.from({ length }, (_, i) => at + i).filter((_, i) => i < 48 || i % 41 === 0),
      );
    }
  });
});

/** Tool, size, options, where the metadata is, how many flips. */
const MADE: readonly (readonly [string, string, number, string, number])[] = [
  ['ext2', 'mke2fs', 2 * MIB, '-q -F -t ext2 -b 1024 IMAGE', 300 * KIB],
  ['ext4', 'mke2fs', 4 * MIB, '-q -F -t ext4 -b 1024 -O ^metadata_csum,^uninit_bg IMAGE', 300 * KIB],
  ['ext4 with checksums', 'mke2fs', 4 * MIB, '-q -F -t ext4 -b 1024 IMAGE', 64 * KIB],
  [
    'ext4, bigalloc and meta_bg',
    'mke2fs',
    8 * MIB,
    '-q -F -t ext4 -O bigalloc,meta_bg,^resize_inode,^metadata_csum IMAGE',
    300 * KIB,
  ],
  ['FAT12', 'mkfs.fat', MIB, '-F 12 IMAGE', 8 * KIB],
  ['FAT16', 'mkfs.fat', 16 * MIB, '-F 16 IMAGE', 40 * KIB],
  ['FAT32', 'mkfs.fat', 34 * MIB, '-F 32 IMAGE', 64 * KIB],
  ['exFAT', 'mkfs.exfat', 8 * MIB, 'IMAGE', 64 * KIB],
  ['swap', 'mkswap', MIB, '-q IMAGE', 4 * KIB],
];

describe.each(MADE)('hostile bytes: %s', (_name, tool, sizeBytes, options, metadataBytes) => {
  function make(): Uint8Array {
    const folder = mkdtempSync(join(tmpdir(), 'vmreclaim-hostile-'));
    const image = join(folder, 'image');
    writeFileSync(image, '');
    truncateSync(image, sizeBytes);
    run(
      tool,
      options.split(' ').map((word) => (word === 'IMAGE' ? image : word)),
    );
    const bytes = Uint8Array.from(readFileSync(image));
    rmSync(folder, { recursive: true });
    return bytes;
  }

  it.skipIf(!judge(tool))('cut at many lengths', () => truncateEverywhere(make()));

  it.skipIf(!judge(tool))('with flipped bytes', async () => {
    const bytes = make();
    const superblocks = Array.from({ length: 384 }, (_, i) => (i < 128 ? i : 1024 + 2 * (i - 128)));
    await flipEverywhere(bytes, superblocks);
    await flipEverywhere(bytes, spread(metadataBytes, 100, 3));
  });
});
