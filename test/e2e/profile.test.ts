import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { vmreclaim } from '../cli/cli.js';
import type { Guest } from '../support/guests.js';
import { rootJudge, run } from '../support/judges.js';
import { Workbench } from '../support/workbench.js';

const MIB = 2 ** 20;

const PROFILE = `
version: 1
defaults: { worth: { size: 1M, percent: 1 } }
guests: { windows: { free: { percent: 10, size: 300M } } }
categories:
  - { name: roomy, attach: [], match: { diskSize: { min: 1T } }, free: { percent: 50 } }
`;

describe.skipIf(!rootJudge('mkntfs', 'ntfs-3g', 'ntfsresize', 'sfdisk'))(
  'a disk that a profile is applied to',
  () => {
    const bench = new Workbench();
    let guest: Guest;
    let profile = '';
    let env: NodeJS.ProcessEnv;
    beforeAll(() => {
      const volume = bench.volume('ntfs', { sectors: 800 * 2048, contentBytes: 4 * MIB });
      guest = bench.guest({
        name: 'windows',
        sectors: 900 * 2048,
        table: 'mbr',
        form: 'flat',
        partitions: [{ number: 1, start: 63, volume }],
      });
      profile = join(guest.folder, 'profile.yaml');
      writeFileSync(profile, PROFILE);
      env = { VMRECLAIM_STATE_DIR: join(guest.folder, 'state') };
    });
    afterAll(() => bench.remove());

    const json = (...args: string[]) => {
      const { code, stdout, stderr } = vmreclaim([...args, '--json', '--profile', profile], { env });
      if (code !== 0) throw new Error(`${args[0]} ended with ${code}: ${stderr}`);
      return JSON.parse(stdout);
    };

    it('shows the same numbers in scan, report and plan, and becomes what they said', () => {
      const { disk } = guest;
      const [scanned] = json('scan', disk).disks;
      const report = json('report', disk);
      const plan = json('plan', disk, '--explain');
      const { recommendation } = scanned;
      expect(recommendation).toMatchObject({ actions: ['shrink', 'align'], growthBytes: 0 });
      expect(recommendation.savedBytes).toBeGreaterThan(400 * MIB);
      expect(report.totals).toMatchObject({
        savedBytes: recommendation.savedBytes,
        plannedBytes: recommendation.plannedBytes,
      });
      expect(plan).toMatchObject({ command: 'shrink', savedBytes: recommendation.savedBytes });
      const [target] = recommendation.partitions;
      expect(plan.resizes).toEqual([expect.objectContaining({ number: 1, toBytes: target.wantedBytes })]);
      const used = scanned.partitions[0].filesystem.usedBytes;
      expect(target.wantedBytes - used).toBeGreaterThanOrEqual(300 * MIB);
      expect(target.wantedBytes - used).toBeLessThan(300 * MIB + 65_536);
      expect(plan.targets[0].because).toContainEqual({
        setting: 'freeBytes',
        value: '300.0 MiB',
        source: 'guests.windows',
      });

      const done = json('shrink', disk, '--yes');
      expect(done).toMatchObject({ status: 'done', savedBytes: recommendation.savedBytes, verified: true });
      const after = json('report', disk);
      expect(after.vms).toEqual([expect.objectContaining({ actions: [], misaligned: 0 })]);
      expect(after.done).toEqual([
        expect.objectContaining({
          command: 'shrink',
          savedBytes: recommendation.savedBytes,
          misalignedBefore: 1,
        }),
      ]);
      expect(after.totals.doneBytes).toBe(recommendation.savedBytes);
      expect(json('plan', disk).status).toBe('nothing-to-do');
      const [flat = ''] = guest.extents;
      const table = JSON.parse(run('sfdisk', ['--json', flat])).partitiontable;
      expect(table.partitions).toEqual([
        expect.objectContaining({ start: 128, size: target.wantedBytes / 512 }),
      ]);
      const volume = join(guest.folder, 'volume');
      run('dd', [`if=${flat}`, `of=${volume}`, 'bs=512', 'skip=128', 'conv=sparse', 'status=none']);
      expect(run('ntfsresize', ['--info', '--force', '--no-progress-bar', volume])).toContain(
        'You might resize at',
      );
    });
  },
);

describe('vmreclaim with --profile', () => {
  const bench = new Workbench();
  afterAll(() => bench.remove());
  const fileOf = (text: string) => {
    const path = join(bench.newFolder(), 'p.yaml');
    writeFileSync(path, text);
    return path;
  };

  it.each([
    ['what is no profile', ['align', 'x'], 'version: 3', 2, /p\.yaml:1:1: version/],
    ['--min beside it', ['shrink', 'x', '--min'], 'version: 1', 2, /--min and --profile contradict/],
  ])('refuses %s', (_, args, text, code, message) => {
    const result = vmreclaim([...args, '--profile', fileOf(text)]);
    expect(result.code).toBe(code);
    expect(result.stderr.replace(/\n\s+/g, ' ')).toMatch(message);
  });

  it('refuses a command that the profile forbids, and --explain without one', () => {
    const raw = bench.guest({
      name: 'raw',
      sectors: 20 * 2048,
      table: 'mbr',
      form: 'raw',
      partitions: [{ number: 1, start: 63, volume: bench.volume('opaque', { sectors: 8192 }) }],
    });
    const forbids = fileOf('version: 1\ndefaults: { align: false }');
    const refused = vmreclaim(['align', raw.disk, '--yes', '--profile', forbids]);
    expect(refused.code).toBe(4);
    expect(refused.stderr).toContain('[profile-forbids]');
    expect(vmreclaim(['plan', raw.disk, '--explain']).code).toBe(2);
    const boundary = fileOf('version: 1\ndefaults: { boundary: 1M, shrink: false }');
    const planned = (...args: string[]) =>
      JSON.parse(vmreclaim(['plan', raw.disk, '--json', '--profile', boundary, ...args]).stdout);
    expect(planned().after.partitions[0].startLba).toBe(2048);
    // What is typed counts before the profile, even when it is the default.
    expect(planned('--boundary', '64K').after.partitions[0].startLba).toBe(128);
    expect(planned('--do-not-align', '1').status).toBe('nothing-to-do');
  });
});
