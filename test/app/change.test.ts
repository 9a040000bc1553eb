import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { changeDisk } from '../../src/app/change.js';
import { measureNone, type Wish } from '../../src/app/plan.js';
import { resumeRun } from '../../src/app/resume.js';
import type { Services } from '../../src/app/services.js';
import { layoutRequest } from '../../src/plan/types.js';
import { opaqueDescriptor, writeOpaqueDisk } from '../support/opaque-disk.js';
import { testServices } from '../support/services.js';

const SECTORS = 8192;
const ALIGN: Wish = { request: () => layoutRequest({ command: 'align' }), measure: measureNone };

let folder = '';
let disk = '';
let flat = '';

/** A disk with one opaque partition at LBA 63. */
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vmreclaim-change-'));
  disk = join(folder, 'x.vmdk');
  flat = join(folder, 'x-flat.vmdk');
  writeOpaqueDisk(folder, SECTORS);
});
afterEach(() => rmSync(folder, { recursive: true }));

const align = (changes: Partial<Services>) =>
  changeDisk(disk, ALIGN, { dryRun: false }, testServices(changes));

describe('while the question waits for its answer', () => {
  const meanwhile: [string, string, () => void][] = [
    [
      'the machine is started',
      'locked',
      () => {
        mkdirSync(`${disk}.lck`);
        writeFileSync(join(`${disk}.lck`, 'M1.lck'), '');
      },
    ],
    [
      'the descriptor is changed',
      'changed-since-plan',
      () => writeFileSync(disk, opaqueDescriptor(SECTORS, '23456789')),
    ],
    ['a snapshot is taken', 'snapshots', () => writeFileSync(join(folder, 'x-000001-delta.vmdk'), '')],
  ];
  it.each(meanwhile)('%s: nothing is changed', async (_, code, change) => {
    const before = readFileSync(flat);
    const confirm = async () => {
      change();
      return true;
    };
    await expect(align({ confirm })).rejects.toMatchObject({ family: 'conflict', code });
    expect(readFileSync(flat).equals(before)).toBe(true);
  });
});

describe('a flat file in another folder', () => {
  it('is resumed only when that is permitted, and nothing advises to drop the run', async () => {
    const outside = mkdtempSync(join(tmpdir(), 'vmreclaim-outside-'));
    try {
      renameSync(flat, join(outside, 'x-flat.vmdk'));
      writeFileSync(disk, opaqueDescriptor(SECTORS, '12345678').replace('x-flat', `${outside}/x-flat`));
      const stop = new AbortController();
      const around = testServices({ signal: stop.signal, onInFlight: () => stop.abort() });
      const options = { dryRun: false, allowOutsideExtents: true };
      await expect(changeDisk(disk, ALIGN, options, around)).rejects.toMatchObject({ code: 'stopped' });
      await expect(resumeRun(disk, {}, testServices())).rejects.toMatchObject({ code: 'outside-extent' });
      const { after } = await resumeRun(disk, { allowOutsideExtents: true }, testServices());
      expect(after.partitions).toMatchObject([{ startLba: 128 }]);
    } finally {
      rmSync(outside, { recursive: true });
    }
  });
});

describe('a flat file that is longer than its descriptor says', () => {
  it('is resumed as the disk it was, without the surplus', async () => {
    truncateSync(flat, SECTORS * 512 + 4096);
    const stop = new AbortController();
    const stopped = align({ signal: stop.signal, onInFlight: () => stop.abort() });
    await expect(stopped).rejects.toMatchObject({ family: 'interrupted' });
    const { after } = await resumeRun(disk, {}, testServices());
    expect(after.sizeBytes).toBe(SECTORS * 512);
    expect(after.partitions).toMatchObject([{ startLba: 128 }]);
    expect(readFileSync(disk, 'latin1')).toContain('x-flat.vmdk');
  });
});
