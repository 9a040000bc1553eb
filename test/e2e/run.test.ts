import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { expectCli, startCli } from '../support/cli.js';
import { type EsxiMachine, FakeEsxi, makeDatastore } from '../support/esxi.js';
import { cloneGuest, editText } from '../support/guests.js';
import { rootJudge } from '../support/judges.js';
import { writeOpaqueDisk } from '../support/opaque-disk.js';
import { JUDGES, judgeGuest, remember } from '../support/verdicts.js';
import { Workbench } from '../support/workbench.js';

const bench = new Workbench();
const stepsOf = ({ steps }: { readonly steps: readonly { readonly step: string }[] }): string[] =>
  steps.map(({ step }) => step);

describe.skipIf(!rootJudge(...JUDGES, 'sshd', 'ssh-keygen'))('vmreclaim run', () => {
  let esxi: FakeEsxi;
  let folder: string;
  let machine: EsxiMachine;
  beforeAll(async () => {
    esxi = await FakeEsxi.start(makeDatastore(bench.newFolder(), 'data store (1)'));
    process.env.VMRECLAIM_STATE_DIR = join(esxi.server.folder, 'state');
  });
  beforeEach(() => esxi.forget());
  afterAll(async () => {
    delete process.env.VMRECLAIM_STATE_DIR;
    await esxi.remove();
    bench.remove();
  });

  function register(id: string, name: string): void {
    machine = esxi.register(id, name, folder, 'x.vmdk');
  }

  /** A machine with a small disk that holds bytes nobody knows. */
  function small(id: string): void {
    folder = join(esxi.datastorePath, id);
    mkdirSync(folder);
    writeOpaqueDisk(folder, 8192);
    register(id, `vm ${id}`);
    esxi.powerOn(machine);
  }

  const startOf = (): number => readFileSync(join(folder, 'x-flat.vmdk')).readUInt32LE(446 + 8);
  const command = (...more: string[]): string[] => [
    ...['run', esxi.server.url(machine.vmx), '-y', '--json', '--free', '8M'],
    ...[...esxi.server.flags, ...more],
  ];

  it('shuts the guest down, shrinks, aligns, clears and punches its disk, and starts it again', async () => {
    const partitions = [bench.partition(1, 'ntfs', 63, 60_000)];
    const wish = { name: 'x', sectors: 64_000, table: 'mbr', partitions } as const;
    const guest = cloneGuest(bench.guest(wish), esxi.datastorePath, "odd 'name' [x]");
    // As ESXi writes it, thin.
    editText(guest.disk, (text) => {
      const vmfs = text.replace('monolithicFlat', 'vmfs').replace(/FLAT ("[^"]+") 0/, 'VMFS $1');
      return `${vmfs}ddb.thinProvisioned = "1"\n`;
    });
    folder = guest.folder;
    register('12', 'my "vm" [a] (1)');
    const memory = remember(guest);
    esxi.powerOn(machine);
    const result = JSON.parse((await expectCli(0, ...command())).stdout);
    expect(result).toMatchObject({ command: 'run', host: 'esxi', status: 'done', savedBytes: 17_039_360 });
    expect(result.power).toEqual({ before: 'on', after: 'on' });
    expect(result.disks[0].change).toMatchObject({ command: 'shrink', verified: true });
    expect(esxi.deeds).toEqual([
      'power.shutdown 12',
      `vmkfstools -K ${guest.disk}`,
      'reload 12',
      'hostsvc/datastore/refresh data store (1)',
      'power.on 12',
    ]);
    judgeGuest(guest, memory, { 1: 128 }, { 1: 30_336 });
    const history = readFileSync(join(esxi.server.folder, 'state', 'runs.ndjson'), 'utf8')
      .trim()
      .split('\n');
    const records = history.map((line) => JSON.parse(line).record);
    expect(records.map(({ command }) => command)).toEqual(['shrink', 'zero', 'run']);
    expect(records[2]).toMatchObject({ vm: machine.name, runId: result.runId, savedBytes: 0 });
    expect(stepsOf(records[2])).toEqual(stepsOf(result));
  });

  it('is killed in the middle, and the next run brings it to its end', async () => {
    small('13');
    const { child, ended } = startCli(...command('--no-zero'));
    // The descriptor is hidden: from here on the disk is not whole.
    while (existsSync(machine.disk) && child.exitCode === null) {
      await new Promise((resolve) => setTimeout(resolve, 3));
    }
    child.kill('SIGKILL');
    expect((await ended).signal).toBe('SIGKILL');
    expect(esxi.power(machine)).toBe('Powered off');
    expect(existsSync(machine.disk)).toBe(false);
    const result = JSON.parse((await expectCli(0, ...command('--no-zero'))).stdout);
    expect(result.steps[0].message).toContain('taken over from run');
    expect(stepsOf(result)).toContain('resume');
    expect(esxi.power(machine)).toBe('Powered on');
    expect(startOf()).toBe(128);
    expect(readdirSync(folder).sort()).toEqual(['x-flat.vmdk', 'x.vmdk', 'x.vmx']);
  });

  it('says what stands against it and how everything is, and keeps its secrets', async () => {
    small('14');
    esxi.put('fault.power.shutdown', '(vim.fault.ToolsUnavailable) {\n   msg = "no Tools"\n}\n');
    const { stderr } = await expectCli(4, ...command());
    const { error, steps } = JSON.parse(stderr);
    expect(steps.map(({ step, status }: Record<string, string>) => `${step} ${status}`)).toEqual([
      'lock done',
      'plan done',
      'power-off failed',
      'unlock done',
    ]);
    expect(error).toMatchObject({ code: 'tools-unavailable', family: 'refused' });
    expect(error.message).toContain('is powered on');
    const history = readFileSync(join(esxi.server.folder, 'state', 'runs.ndjson'), 'utf8');
    expect(history).toContain('"step":"power-off","disk":null,"status":"failed"');
    expect(history + stderr).not.toContain(esxi.server.identity);
    expect(startOf()).toBe(63);
  });
});
