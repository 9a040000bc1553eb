import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { cleanUpFolders, VmFolder } from '../disk/vm-folder.js';
import { mbrDisk, UNSAFE, vmreclaim } from './cli.js';

cleanUpFolders();

/** A disk, and commands that keep their history beside it. */
function bench() {
  const folder = new VmFolder();
  const disk = mbrDisk(folder, 'a');
  const env = { VMRECLAIM_STATE_DIR: folder.at('state') };
  const call = (...args: string[]) => vmreclaim(args, { env });
  const history = (...args: string[]) => JSON.parse(call('history', '--json', ...args).stdout);
  return { folder, disk, call, history };
}

describe('the history', () => {
  it('holds every run and scan: what, when, by whom, before and after, and how it ended', () => {
    const { folder, disk, call, history } = bench();
    expect(call('scan', disk).code).toBe(0);
    expect(call('align', disk, '--dry-run').code).toBe(0);
    const aligned = JSON.parse(call('align', disk, '--yes', '--json').stdout);
    expect(call('align', disk, '--yes').code).toBe(0);
    expect(call('resume', disk).code).toBe(7);
    expect(call('move-extents', disk).code).toBe(2);
    const { records, totals, damagedLines } = history(disk);
    expect(
      records.map(({ kind, command, status, exitCode }: Record<string, unknown>) => [
        kind,
        command,
        status,
        exitCode,
      ]),
    ).toEqual([
      ['scan', undefined, undefined, undefined],
      ['run', 'align', 'dry-run', 0],
      ['run', 'align', 'done', 0],
      ['run', 'align', 'nothing-to-do', 0],
      ['run', 'resume', 'failed', 7],
    ]);
    expect({ totals, damagedLines }).toEqual({
      totals: { runs: 4, done: 1, savedBytes: 0 },
      damagedLines: 0,
    });
    const [seen, , run, , failed] = records;
    expect(seen).toMatchObject({ disk, state: 'ready', layout: { sizeBytes: 8 << 20 } });
    expect(run).toMatchObject({ disk, runId: aligned.runId, bytesCopied: aligned.bytesCopied, error: null });
    expect(run.at).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/);
    expect(run.by).toMatch(/^.+@.+$/);
    const starts = (layout: { partitions: { startLba: number }[] }) =>
      layout.partitions.map(({ startLba }) => startLba);
    expect(starts(run.before)).toEqual([63, 5001]);
    expect(starts(run.after)).toEqual(starts(aligned.after));
    expect(run.fixups.length).toBeGreaterThan(0);
    expect(failed).toMatchObject({ disk, before: null, error: { code: 'no-run' } });
    const inFolder = JSON.parse(
      vmreclaim(['report', folder.path, '--json'], { env: { VMRECLAIM_STATE_DIR: folder.at('state') } })
        .stdout,
    );
    expect(inFolder.done).toEqual([
      expect.objectContaining({ command: 'align', disk, misalignedBefore: 2, misalignedAfter: 0 }),
    ]);
  });

  it('selects by disk, folder, machine, time and number', () => {
    const { folder, disk, call, history } = bench();
    const other = mbrDisk(folder, 'b');
    call('align', disk, '--yes');
    call('align', other, '--yes');
    const disksOf = (document: { records: { disk: string }[] }) =>
      document.records.map((record) => record.disk);
    expect(disksOf(history())).toEqual([disk, other]);
    expect(disksOf(history(disk))).toEqual([disk]);
    expect(disksOf(history(folder.path))).toEqual([disk, other]);
    expect(disksOf(history('--since', '1h'))).toEqual([disk, other]);
    expect(disksOf(history('--until', '1h'))).toEqual([]);
    expect(disksOf(history('--until', '2001-01-01'))).toEqual([]);
    expect(disksOf(history('--since', '2001-01-01T00:00Z'))).toEqual([disk, other]);
    expect(disksOf(history('--vm', 'nobody'))).toEqual([]);
    expect(history('--limit', '1')).toMatchObject({ leftOut: 1, records: [{ disk: other }] });
    expect(call('history', '--since', 'yesterday').code).toBe(2);
  });

  it('is a table, with maps on demand, that says how many lines are damaged', () => {
    const { folder, disk, call } = bench();
    call('scan', disk);
    call('align', disk, '--yes');
    appendFileSync(folder.at('state', 'runs.ndjson'), '{"torn');
    const { code, stdout, stderr } = call('history', disk);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/when \(UTC\) +what +disk +ended/);
    expect(stdout).toMatch(/align .*a\.vmdk +done +8\.0 MiB/);
    expect(stdout).toContain('2 records, 1 of 1 run done, 0 B saved, 1 damaged line left out\n');
    const details = call('history', disk, '--details').stdout;
    expect(details).toMatch(/before .*1!/);
    expect(details).toMatch(/after .*1 /);
    expect(details).not.toMatch(UNSAFE);
    for (const line of `${stdout}${details}`.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  });

  it('never fails a run: a folder that cannot be written is a warning', () => {
    const folder = new VmFolder();
    const disk = mbrDisk(folder, 'a');
    writeFileSync(folder.at('state'), 'a file');
    const env = { VMRECLAIM_STATE_DIR: folder.at('state') };
    const { code, stderr } = vmreclaim(['align', disk, '--yes', '--quiet'], { env });
    expect(code).toBe(0);
    expect(stderr).toMatch(/^warning: the history cannot be written: /);
    const inJson = vmreclaim(['scan', disk, '--json'], { env });
    expect(inJson.code).toBe(0);
    expect(JSON.parse(inJson.stderr)).toEqual({ warning: { code: 'history', message: expect.any(String) } });
    expect(vmreclaim(['history'], { env })).toMatchObject({
      code: 0,
      stdout: '0 records, 0 of 0 runs done, 0 B saved\n',
    });
  });

  it('is NDJSON that other tools read', () => {
    const { folder, disk, call } = bench();
    call('scan', disk);
    const [line = ''] = readFileSync(folder.at('state', 'scans.ndjson'), 'utf8').split('\n');
    expect(JSON.parse(line)).toMatchObject({ crc: expect.stringMatching(/^[0-9a-f]{8}$/), record: { disk } });
  });
});
