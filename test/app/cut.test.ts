import {
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { changeDisk } from '../../src/app/change.js';
import type { Wish } from '../../src/app/plan.js';
import { resumeRun } from '../../src/app/resume.js';
import type { Services } from '../../src/app/services.js';
import { layoutRequest } from '../../src/plan/types.js';
import { testServices } from '../support/services.js';
import { fileOf as extentFile, writeSplit } from '../support/tracked-disk.js';

const MIB = 1 << 20;
/** A disk of 10 MiB in three files, with one opaque partition of 3.5 MiB that begins at 1 MiB. */
const EXTENTS = [4 * MIB, 3 * MIB, 3 * MIB];
const USED = { at: MIB, length: 3.5 * MIB };
const SHRINK: Wish = { request: () => layoutRequest({ command: 'shrink' }), measure: () => false };

let folder = '';
let disk = '';
const fileOf = (index: number) => extentFile(folder, index);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vmreclaim-cut-'));
  disk = join(folder, 'x.vmdk');
  const bytes = Buffer.alloc(10 * MIB);
  bytes.fill('data', USED.at, USED.at + USED.length);
  const lines = writeSplit(folder, bytes, USED, EXTENTS);
  writeFileSync(
    disk,
    `# Disk DescriptorFile\nversion=1\nCID=12345678\nparentCID=ffffffff\ncreateType="twoGbMaxExtentFlat"\n${lines}\n`,
  );
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Begins to shrink and stops behind a phase: where the disk is to be cut next, unless another is named. */
async function stopBehind(phase = 'hide the descriptor'): Promise<void> {
  const controller = new AbortController();
  const onProgress: Services['onProgress'] = ({ why }) => {
    if (why === phase) controller.abort();
  };
  const run = changeDisk(
    disk,
    SHRINK,
    { dryRun: false },
    testServices({ signal: controller.signal, onProgress }),
  );
  await expect(run).rejects.toMatchObject({ family: 'interrupted' });
  expect(existsSync(disk)).toBe(false);
}

function expectCut(): void {
  expect(statSync(fileOf(0)).size).toBe(4 * MIB);
  expect(statSync(fileOf(1)).size).toBe(MIB);
  expect(existsSync(fileOf(2))).toBe(false);
  const text = readFileSync(disk, 'latin1');
  expect(text).toContain('RW 8192 FLAT "x-f001.vmdk" 0\nRW 2048 FLAT "x-f002.vmdk" 0\n');
  expect(text).not.toContain('x-f003');
  const whole = Buffer.concat([readFileSync(fileOf(0)), readFileSync(fileOf(1))]);
  const expected = Buffer.alloc(USED.length, 'data');
  expect(whole.subarray(USED.at, USED.at + USED.length).equals(expected)).toBe(true);
}

describe('a split disk that is cut', () => {
  it('loses the files behind its new end', async () => {
    await changeDisk(disk, SHRINK, { dryRun: false }, testServices());
    expectCut();
  });

  it.each([
    ['before the first file', [4, 3, 3]],
    ['behind the last file', [4, 3, 0]],
    ['behind all files', [4, 1, 0]],
  ])('is resumed when it was interrupted %s was cut', async (_, sizes) => {
    await stopBehind();
    for (const [index, size] of sizes.entries()) truncateSync(fileOf(index), size * MIB);
    await resumeRun(disk, {}, testServices());
    expectCut();
  });

  it('is resumed when its descriptor has forgotten the last file already', async () => {
    await stopBehind('adapt the descriptor');
    expect(readFileSync(`${disk}.hidden-by-vmreclaim`, 'latin1')).not.toContain('x-f003');
    expect(existsSync(fileOf(2))).toBe(true);
    await resumeRun(disk, {}, testServices());
    expectCut();
  });

  it('is a conflict when somebody else has cut a file', async () => {
    await stopBehind();
    truncateSync(fileOf(1), 2 * MIB);
    await expect(resumeRun(disk, {}, testServices())).rejects.toMatchObject({
      family: 'conflict',
      code: 'extent-size',
    });
    expect(statSync(fileOf(2)).size).toBe(3 * MIB);
  });
});
