import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { expectCli } from '../support/cli.js';
import { cutOut, type Guest } from '../support/guests.js';
import { rootJudge, run } from '../support/judges.js';
import { JUDGES, judgeGuest, remember } from '../support/verdicts.js';
import { Workbench } from '../support/workbench.js';
import { killWhen, newestCheckpointOf } from './killer.js';

const bench = new Workbench();
afterAll(() => bench.remove());

const START = 2048;
const SECTORS = 600 * 2048;
const CLUSTER = 4096;
const SHRINK = ['shrink', '--size', '1=260M'] as const;

/** 150 MiB of files behind 300 MiB of free space: several phases of copying before any metadata changes. */
function guestWithFarFiles(): Guest {
  const wish = { sectors: SECTORS, hidden: START, contentBytes: 150 << 20, fillerBytes: 300 << 20 };
  const volume = bench.volume('ntfs', wish);
  const partitions = [{ number: 1, start: START, volume }];
  return bench.guest({ name: 'far', sectors: 640 * 2048, table: 'mbr', partitions });
}

/** Every cluster that $Bitmap of the volume marks used, as one buffer, with the sectors behind the clusters. */
function usedClusters(guest: Guest, bitmap: Buffer): Buffer[] {
  const volume = readFileSync(
    cutOut(guest.extents[0] ?? '', START, SECTORS, join(guest.folder, '..', 'used')),
  );
  const used: Buffer[] = [];
  for (let lcn = 0; lcn * CLUSTER < volume.length; lcn++) {
    if (((bitmap[lcn >> 3] ?? 0xff) >> (lcn & 7)) % 2 === 1) {
      used.push(volume.subarray(lcn * CLUSTER, (lcn + 1) * CLUSTER));
    }
  }
  return used;
}

function bitmapOf(guest: Guest): Buffer {
  const volume = cutOut(guest.extents[0] ?? '', START, SECTORS, join(guest.folder, '..', 'bitmap'));
  const file = join(guest.folder, '..', 'bits');
  run('bash', ['-euc', 'ntfscat -f -i 6 "$1" > "$2"', 'bits', volume, file]);
  return readFileSync(file);
}

describe.skipIf(!rootJudge(...JUDGES, 'ntfscat'))('abandon while a shrink gathers', () => {
  it('gives the old disk back, bit for bit in every used cluster', async () => {
    const guest = guestWithFarFiles();
    const memory = remember(guest);
    const bitmap = bitmapOf(guest);
    const before = usedClusters(guest, bitmap);
    const isGathering = () => {
      const checkpoint = newestCheckpointOf(guest);
      return checkpoint !== undefined && checkpoint.phase >= 2 && !checkpoint.started;
    };
    await killWhen(isGathering, ...SHRINK, guest.disk, '-y');
    const { phase, started, bytesCopied } = newestCheckpointOf(guest) ?? {};
    expect({ started, isBegun: (phase ?? 0) >= 2 && (bytesCopied ?? 0) > 0 }).toEqual({
      started: false,
      isBegun: true,
    });
    expect(existsSync(guest.disk)).toBe(false);
    await expectCli(0, 'abandon', guest.disk);
    expect(bitmapOf(guest).equals(bitmap)).toBe(true);
    const after = usedClusters(guest, bitmap);
    expect(after.length).toBe(before.length);
    expect(after.findIndex((cluster, index) => !cluster.equals(before[index] ?? Buffer.alloc(0)))).toBe(-1);
    expect(readFileSync(guest.disk, 'latin1')).toBe(memory.descriptor);
    await expectCli(0, ...SHRINK, guest.disk, '-y');
    judgeGuest(guest, memory, {}, { 1: 260 * 2048 });
  });
});
