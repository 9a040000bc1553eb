import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { changeDisk } from '../../src/app/change.js';
import { punchOnHost } from '../../src/app/punch.js';
import { runCommand } from '../../src/app/run/commands.js';
import { runMachine } from '../../src/app/run/index.js';
import type { MachineOutcome, MachineRunOptions, RunServices } from '../../src/app/run/types.js';
import { type EsxiMachine, FakeEsxi, makeDatastore } from '../support/esxi.js';
import { judge } from '../support/judges.js';
import { writeOpaqueDisk } from '../support/opaque-disk.js';
import { RUN_OPTIONS, runServices } from '../support/run-services.js';
import { testServices } from '../support/services.js';

const SECTORS = 8192;
/** Alignment of the only partition, read from the table. */
const startOf = (folder: string): number => readFileSync(join(folder, 'x-flat.vmdk')).readUInt32LE(446 + 8);
const lockOf = ({ vmx }: EsxiMachine): string => `${vmx}.vmreclaim-run`;
const noteOf = (machine: EsxiMachine) => JSON.parse(readFileSync(lockOf(machine), 'utf8'));

describe.skipIf(!judge('sshd', 'ssh-keygen'))('a run of a machine on an ESXi host', () => {
  const parent = mkdtempSync(join(tmpdir(), 'vmreclaim-run-'));
  let esxi: FakeEsxi;
  let count = 0;
  /** One store for all of them, which connects again where a test cuts the connection. */
  const remote = () => esxi.server.options({ linkSeconds: 20 });
  beforeAll(async () => {
    esxi = await FakeEsxi.start(makeDatastore(parent, "data ['1'; touch pwned; ']"));
  });
  afterAll(async () => {
    await esxi.remove();
    rmSync(parent, { recursive: true, force: true });
  });

  /** A machine that runs, with a disk to align. */
  function made(name = `vm ${count}`): EsxiMachine & { readonly folder: string; readonly before: string } {
    const folder = join(esxi.datastorePath, `${++count} ${name.replaceAll('/', '-')}`);
    mkdirSync(folder);
    writeOpaqueDisk(folder, SECTORS);
    const machine = esxi.register(String(count), name, folder, 'x.vmdk');
    esxi.powerOn(machine);
    return { ...machine, folder, before: readFileSync(join(folder, 'x-flat.vmdk'), 'latin1') };
  }

  const start = (
    { vmx }: EsxiMachine,
    options: Partial<MachineRunOptions> = {},
    services: Partial<RunServices> = {},
  ): Promise<MachineOutcome> =>
    runMachine(esxi.server.url(vmx), { ...RUN_OPTIONS, remote: remote(), ...options }, runServices(services));

  /** As it was before: running, unlocked, unchanged. */
  function expectUntouched(machine: ReturnType<typeof made>): void {
    expect(esxi.power(machine)).toBe('Powered on');
    expect(readFileSync(join(machine.folder, 'x-flat.vmdk'), 'latin1')).toBe(machine.before);
    expect(readdirSync(machine.folder).filter((name) => name.includes('vmreclaim'))).toEqual([]);
  }

  it('takes its steps in order and leaves it running', async () => {
    const name = `a'; touch ${join(parent, 'pwned')}; '"$(touch ${join(parent, 'pwned')})" [b] x.vmx`;
    const machine = made(name);
    esxi.forget();
    const outcome = await start(machine);
    expect(outcome).toMatchObject({ status: 'done', powerBefore: 'on', powerAfter: 'on', host: 'esxi' });
    expect(outcome.machine).toEqual({
      name,
      vmx: esxi.server.url(machine.vmx),
      guestOs: 'Microsoft Windows 7 (64-bit)',
    });
    expect(outcome.steps.map(({ step, status }) => `${step} ${status}`)).toEqual([
      'lock done',
      'plan done',
      'power-off done',
      'check done',
      'plan done',
      'resize done',
      'zero skipped',
      'refresh done',
      'unlock done',
      'power-on done',
    ]);
    const { id } = machine;
    expect(esxi.deeds).toEqual([
      `power.shutdown ${id}`,
      `reload ${id}`,
      `hostsvc/datastore/refresh data ['1'; touch pwned; ']`,
      `power.on ${id}`,
    ]);
    expect(startOf(machine.folder)).toBe(128);
    expect(readdirSync(machine.folder).sort()).toEqual(['x-flat.vmdk', 'x.vmdk', 'x.vmx']);
    expect(existsSync(join(parent, 'pwned')) || existsSync(join(esxi.state, 'pwned'))).toBe(false);
    // Nothing is left to do: it is not switched off again, also when its host is asked for it by name.
    esxi.powerOn(machine);
    esxi.forget();
    const byName = { ...RUN_OPTIONS, remote: remote(), vm: name };
    const again = await runMachine(esxi.server.url('/'), byName, runServices());
    expect(again).toMatchObject({ status: 'nothing-to-do', powerAfter: 'on', machine: outcome.machine });
    expect(esxi.deeds).toEqual([]);
    expect(existsSync(lockOf(machine))).toBe(false);
  });

  it('gives the zeroed blocks of a thin disk back behind a change of the disk alone', async () => {
    const machine = made();
    const text = readFileSync(machine.disk, 'latin1');
    writeFileSync(machine.disk, `${text}ddb.thinProvisioned = "1"\n`);
    rmSync(machine.vmx.replace(/\.vmx$/, '-1a2b3c4d.vswp'));
    const url = esxi.server.url(machine.disk);
    const options = { dryRun: false, remote: remote() };
    const changed = await changeDisk(url, RUN_OPTIONS.wish, options, testServices());
    esxi.forget();
    const outcome = await punchOnHost(changed, url, options, new AbortController().signal);
    expect(esxi.deeds).toEqual([`vmkfstools -K ${machine.disk}`]);
    expect(outcome.fixups.at(-1)).toMatchObject({ kind: 'punch' });
  });

  it.each([
    ['is suspended', 'power', 'Suspended\n', 'suspended'],
    [
      'has snapshots',
      'snapshots',
      '|-ROOT\n--Snapshot Name        : before "update"\n--Snapshot Id        : 1\n--Snapshot Desciption  : \n--Snapshot State       : powered off\n--|-CHILD\n----Snapshot Name        : later\n',
      'snapshots',
    ],
    [
      'waits with a question',
      'question',
      'Virtual machine message _vmx1:\nmsg.uuid.altered: moved or copied?\n  0. Cancel\n',
      'question',
    ],
  ])('refuses one that %s', async (_, file, text, code) => {
    const machine = made();
    esxi.put(`${file}.${machine.id}`, text);
    await expect(start(machine)).rejects.toMatchObject({ family: 'refused', code });
    esxi.put(`power.${machine.id}`, 'Powered on\n');
    expectUntouched(machine);
  });

  it.each([
    ['getallvms', 'garbage', 'root@esx:~] no such thing\n', 'host-answer'],
    ['getallvms', 'garbage', 'Vmid  Name  File  Guest OS  Version  Annotation\n', 'not-registered'],
    [
      'listsummary',
      'garbage',
      '(vim.Datastore.Summary) [\n   (vim.Datastore.Summary) {\n      name = "x",\n   }\n]\n',
      'host-answer',
    ],
    ['snapshot.get', 'garbage', '', 'host-answer'],
    ['message', 'garbage', 'Segmentation fault\n', 'host-answer'],
    ['power.getstate', 'garbage', 'Powered off\n', 'power-unknown'],
    [
      'power.shutdown',
      'fault',
      '(vim.fault.ToolsUnavailable) {\n   faultCause = (vmodl.MethodFault) null,\n   msg = "Cannot complete operation because VMware Tools is not running in this virtual machine."\n}\n',
      'tools-unavailable',
    ],
  ])('leaves it running when %s answers with %s (%#)', async (command, kind, text, code) => {
    const machine = made();
    esxi.put(`${kind}.${command}`, text);
    const failure = await start(machine).catch((error) => error);
    esxi.drop(`${kind}.${command}`);
    expect(failure).toMatchObject({ family: 'refused', code });
    expectUntouched(machine);
  });

  it('says where a guest stands that does not shut down, and cuts its power only when asked to', async () => {
    const machine = made();
    esxi.put(`slow.${machine.id}`, '');
    const failure = await start(machine, { shutdownSeconds: 1 }).catch((error) => error);
    expect(failure).toMatchObject({ family: 'refused', code: 'still-running' });
    expect(failure.message).toContain('its disks are whole, and the virtual machine');
    expect(failure.message).toContain('is powered on');
    expect(failure.message).toContain('may still do so');
    // Whoever finds it off later knows that it is owed a start.
    expect(noteOf(machine)).toMatchObject({ powerOn: true, stage: 'asked' });
    rmSync(lockOf(machine));
    expectUntouched(machine);
    const outcome = await start(machine, { shutdownSeconds: 1, forcePowerOff: true });
    expect(outcome.steps.find(({ step }) => step === 'power-off')?.message).toBe('the power was cut');
    expect(startOf(machine.folder)).toBe(128);
  });

  it('refuses before it is switched off what the files beside the disk refuse', async () => {
    const machine = made();
    writeFileSync(join(machine.folder, 'x-000001-delta.vmdk'), 'delta');
    await expect(start(machine)).rejects.toMatchObject({ family: 'refused', code: 'snapshots' });
    expectUntouched(machine);
  });

  it.each([
    [false, 'Powered on'],
    [true, 'Powered off'],
  ])('is brought back when it cannot go on behind the shutdown (kept off: %s)', async (keepOff, power) => {
    const machine = made();
    // What the guest does last makes the plan impossible.
    esxi.put(
      `guest.${machine.id}`,
      `#!/bin/sh\necho delta >"${machine.folder.replaceAll('"', '\\"').replaceAll('$', '\\$')}/x-000001-delta.vmdk"\n`,
      0o755,
    );
    const failure = await start(machine, { keepOffOnFailure: keepOff }).catch((error) => error);
    expect(failure).toMatchObject({ family: 'refused', code: 'snapshots' });
    expect(failure.message).toContain(power.toLowerCase());
    expect(esxi.power(machine)).toBe(power);
    expect(existsSync(lockOf(machine))).toBe(false);
    expect(startOf(machine.folder)).toBe(63);
  });

  it('does not touch a disk that another host holds, and starts the machine again', async () => {
    const machine = made();
    const free = readFileSync(join(esxi.state, 'lock'), 'utf8');
    esxi.put(
      'lock',
      free.replace(/mode 0, owner 0{8}-0{8}-0{4}-0{12}/, 'mode 1, owner 5630b2a6-4d2f1c3a-7b1e-e41f13b64614'),
    );
    const stop = new AbortController();
    // It would wait for the lock to go.
    const patience = { onStep: () => void setTimeout(() => stop.abort(new Error('no longer')), 1500) };
    const failure = await start(machine, {}, { ...patience, signal: stop.signal }).catch((error) => error);
    esxi.put('lock', free);
    expect(failure).toMatchObject({ family: 'interrupted' });
    expect(failure.message).toContain('is powered on');
    expect(esxi.power(machine)).toBe('Powered on');
    expect(startOf(machine.folder)).toBe(63);
  });

  it('takes a disk off and puts it back when a reload is not enough, and stops at a question at the start', async () => {
    const machine = made();
    esxi.put(`stale.${machine.id}`, '');
    esxi.put(`sectors.${machine.id}`, '999');
    esxi.put(`asks.${machine.id}`, 'Virtual machine message _vmx2:\nmsg.uuid.altered: moved or copied?\n');
    esxi.forget();
    const failure = await start(machine, { reattach: true }).catch((error) => error);
    expect(failure).toMatchObject({ family: 'interrupted', code: 'question' });
    expect(failure.message).toContain('its disks are whole, and the virtual machine');
    // With `false` the files are kept.
    expect(esxi.deeds.filter((deed) => deed.startsWith('device'))).toEqual([
      `device.diskremove ${machine.id} 0 0 false`,
      `device.diskaddexisting ${machine.id} ${machine.disk} 0 0`,
    ]);
    expect(readFileSync(join(esxi.state, `sectors.${machine.id}`), 'utf8')).toBe(`${SECTORS}\n`);
    expect(startOf(machine.folder)).toBe(128);
    expect(existsSync(lockOf(machine))).toBe(false);
  });

  it('does not start a machine whose disk did not go back, now or by the next run', async () => {
    const machine = made();
    esxi.put(`stale.${machine.id}`, '');
    esxi.put(`sectors.${machine.id}`, '999');
    esxi.put('fault.device.diskaddexisting', '(vim.fault.NotFound) {\n   msg = "gone"\n}\n');
    const failure = await start(machine, { reattach: true }).catch((error) => error);
    expect(failure).toMatchObject({ family: 'interrupted', code: 'disk-detached' });
    expect(failure.detail.hint).toContain('vim-cmd vmsvc/device.diskaddexisting');
    expect(JSON.parse(readFileSync(lockOf(machine), 'utf8'))).toMatchObject({ powerOn: false });
    esxi.forget();
    await start(machine).catch(() => undefined);
    esxi.drop('fault.device.diskaddexisting');
    expect(esxi.deeds).not.toContain(`power.on ${machine.id}`);
    expect(esxi.power(machine)).toBe('Powered off');
  });

  it('touches no disk of a machine that somebody starts meanwhile', async () => {
    const machine = made();
    esxi.put(`power.${machine.id}`, 'Powered off');
    // As where swap files lie elsewhere: nothing but the host tells.
    for (const name of readdirSync(machine.folder))
      if (name.endsWith('.vswp')) rmSync(join(machine.folder, name));
    const confirmRun = async (): Promise<boolean> => {
      esxi.put(`power.${machine.id}`, 'Powered on');
      return true;
    };
    await expect(start(machine, {}, { confirmRun })).rejects.toMatchObject({
      family: 'conflict',
      code: 'running',
    });
    expect(startOf(machine.folder)).toBe(63);
    expect(existsSync(lockOf(machine))).toBe(false);
  });

  it('writes its lock through no link, and over nothing that it does not understand', async () => {
    const machine = made();
    const flat = join(machine.folder, 'x-flat.vmdk');
    const before = readFileSync(flat);
    symlinkSync(flat, lockOf(machine));
    await expect(start(machine)).rejects.toMatchObject({ family: 'conflict', code: 'machine-locked' });
    rmSync(lockOf(machine));
    writeFileSync(lockOf(machine), '{ "formatVersion": 2 }');
    await expect(start(machine)).rejects.toMatchObject({ family: 'conflict', code: 'machine-locked' });
    expect(readFileSync(flat).equals(before)).toBe(true);
    expect(esxi.power(machine)).toBe('Powered on');
  });

  it('goes on when the connection is lost at any step, and tells nothing twice that was done', async () => {
    const deeds = ['power.shutdown', 'device.diskremove', 'device.diskaddexisting', 'power.on'];
    const machine = made();
    esxi.put(`stale.${machine.id}`, '');
    esxi.put(`sectors.${machine.id}`, '999');
    // What did not reach the host is told again.
    esxi.put('early.power.shutdown', '');
    for (const deed of deeds.slice(1)) esxi.put(`late.${deed}`, '');
    esxi.forget();
    let isOff = false;
    const onStep: RunServices['onStep'] = ({ step }) => {
      isOff ||= step === 'power-off';
      if (isOff && !['refresh', 'unlock'].includes(step)) esxi.server.cutConnections();
    };
    const outcome = await start(machine, { reattach: true, zero: null }, { onStep });
    expect(outcome).toMatchObject({ status: 'done', powerAfter: 'on', warnings: [] });
    const times = (deed: string) => esxi.deeds.filter((each) => each.startsWith(deed)).length;
    expect(deeds.map(times)).toEqual([2, 1, 1, 1]);
    expect(startOf(machine.folder)).toBe(128);
    expect(readdirSync(machine.folder).sort()).toEqual(['x-flat.vmdk', 'x.vmdk', 'x.vmx']);
  });

  it('says what it knows when the host stays away behind the shutdown, and what it owes', async () => {
    const away = await FakeEsxi.start(makeDatastore(mkdtempSync(join(parent, 'away-')), 'away'));
    const folder = join(away.datastorePath, 'vm');
    mkdirSync(folder);
    writeOpaqueDisk(folder, SECTORS);
    const machine = away.register('1', 'vm', folder, 'x.vmdk');
    away.powerOn(machine);
    const onStep: RunServices['onStep'] = ({ step }) => {
      if (step === 'power-off') void away.server.stop();
    };
    const options = { ...RUN_OPTIONS, remote: away.server.options() };
    const failure = await runMachine(away.server.url(machine.vmx), options, runServices({ onStep })).catch(
      (error) => error,
    );
    await away.remove();
    expect(failure).toMatchObject({ family: 'interrupted', code: 'link-lost' });
    expect(failure.message).toContain(
      'nothing was changed on its disks, and the virtual machine vm is not known',
    );
    expect(failure.detail.hint).toContain('goes on, and starts it where it is off');
    expect(noteOf(machine)).toMatchObject({ powerOn: true, stage: 'off' });
    expect(startOf(folder)).toBe(63);
  });

  it('keeps the start of a machine that does not start, unless it ran since and was switched off', async () => {
    for (const ranSince of [false, true]) {
      const machine = made();
      esxi.put('fault.power.on', '(vim.fault.FileLocked) {\n   msg = "locked"\n}\n');
      const failure = await start(machine, { zero: null }).catch((error) => error);
      esxi.drop('fault.power.on');
      expect(failure).toMatchObject({ family: 'interrupted', code: 'locked' });
      expect(noteOf(machine)).toMatchObject({ powerOn: true, stage: 'ready' });
      const log = join(machine.folder, 'vmware.log');
      writeFileSync(log, '');
      const later = new Date(Date.now() + 3_600_000);
      if (ranSince) utimesSync(log, later, later);
      expect((await start(machine)).powerAfter).toBe(ranSince ? 'off' : 'on');
      expect(existsSync(lockOf(machine))).toBe(false);
    }
  });

  it('names both lock files that a client left which is gone', async () => {
    const machine = made();
    const storeLock = `${lockOf(machine)}.vmreclaim-lock`;
    const client = { id: 'another', host: 'elsewhere' };
    writeFileSync(storeLock, JSON.stringify({ client, since: 'yesterday', disk: 'x', nonce: 'n' }));
    const note = {
      formatVersion: 1,
      runId: 'r',
      host: 'elsewhere',
      by: 'me',
      startedAt: 'then',
      powerOn: true,
    };
    writeFileSync(lockOf(machine), JSON.stringify(note));
    const failure = await start(machine).catch((error) => error);
    expect(failure).toMatchObject({ family: 'conflict', code: 'machine-locked' });
    expect(failure.message).toContain('run r of me, begun then, or it did not come to its end');
    expect(failure.detail.hint).toContain('again on elsewhere');
    for (const path of [storeLock, lockOf(machine)]) {
      expect(failure.detail.hint).toContain(path.slice(path.lastIndexOf('/')));
      rmSync(path);
    }
    expectUntouched(machine);
  });

  it('starts a machine again when the host does not take the news of its disks', async () => {
    const machine = made();
    esxi.put('fault.reload', '(vim.fault.TaskInProgress) {\n   msg = "busy"\n}\n');
    const done = await start(machine).finally(() => esxi.drop('fault.reload'));
    expect(done.warnings.map(({ code }) => code)).toContain('task-in-progress');
    expect(done.powerAfter).toBe('on');
    expect(startOf(machine.folder)).toBe(128);
    expect(existsSync(lockOf(machine))).toBe(false);
  });

  it('stays off and locked with a disk that is not whole, and is brought to its end by the next run', async () => {
    const machine = made();
    const stop = new AbortController();
    const failure = await start(machine, {}, { signal: stop.signal, onInFlight: () => stop.abort() }).catch(
      (error) => error,
    );
    expect(failure).toMatchObject({ family: 'interrupted', code: 'stopped' });
    expect(failure.message).toContain('stays off and locked');
    expect(failure.detail.hint).toContain('vmreclaim run ');
    expect(failure.detail.hint).toContain('vmreclaim resume ');
    expect(esxi.power(machine)).toBe('Powered off');
    const note = JSON.parse(readFileSync(lockOf(machine), 'utf8'));
    expect(note).toMatchObject({ by: 'tester@here', host: hostname(), powerOn: true });
    // On another machine nobody can tell whether it still goes on.
    const elsewhere = { who: { by: 'else@where', host: 'where' } };
    await expect(start(machine, {}, elsewhere)).rejects.toMatchObject({
      family: 'conflict',
      code: 'machine-locked',
    });
    expect(existsSync(lockOf(machine))).toBe(true);
    const outcome = await start(machine);
    expect(outcome.steps.map(({ step }) => step)).toContain('resume');
    expect(outcome.steps[0]?.message).toContain(`taken over from run ${note.runId} of tester@here`);
    expect(outcome.powerAfter).toBe('on');
    expect(startOf(machine.folder)).toBe(128);
    expect(existsSync(lockOf(machine))).toBe(false);
  });

  it('is locked while a run is under way, and not touched when the person says no', async () => {
    const machine = made();
    let second: unknown;
    const confirmRun = async () => {
      second = await start(machine).catch((error) => error);
      return false;
    };
    await expect(start(machine, {}, { confirmRun })).rejects.toMatchObject({ code: 'declined' });
    expect(second).toMatchObject({ family: 'conflict', code: 'machine-locked' });
    expectUntouched(machine);
    expect(await start(machine, { dryRun: true })).toMatchObject({ status: 'dry-run', powerAfter: 'on' });
    expectUntouched(machine);
  });
});

describe('a run of a machine behind commands', () => {
  const folder = mkdtempSync(join(tmpdir(), 'vmreclaim-run-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const disk = join(folder, 'x.vmdk');

  it('asks whether it is off, and believes nothing but 0 and 1', async () => {
    writeOpaqueDisk(folder, SECTORS);
    const state = join(folder, '..', `${basename(folder)}-power`);
    const vmx = join(folder, 'x.vmx');
    writeFileSync(vmx, 'displayName = "it\'s $(id)"\nscsi0:0.fileName = "x.vmdk"\n');
    const really = { runCommand };
    const commands = {
      isOff: `[ "$VMRECLAIM_VM" = "it's \\$(id)" ] || exit 7; case $(cat ${state}) in off*) ;; on*) exit 1 ;; *) exit 2 ;; esac`,
      powerOff: `echo off >${state}; echo "$VMRECLAIM_VMX" >>${state}`,
      powerOn: `sed -i s/off/on/ ${state}`,
    };
    const run = () =>
      runMachine(vmx, { ...RUN_OPTIONS, host: { kind: 'auto', commands } }, runServices(really));
    writeFileSync(state, 'nobody knows');
    await expect(run()).rejects.toMatchObject({ family: 'refused', code: 'power-unknown' });
    writeFileSync(state, 'on');
    const outcome = await run();
    expect(outcome).toMatchObject({ status: 'done', powerBefore: 'on', powerAfter: 'on', host: 'command' });
    expect(readFileSync(state, 'utf8')).toBe(`on\n${vmx}\n`);
    expect(startOf(folder)).toBe(128);
    rmSync(vmx);
    rmSync(state);
    expect(readdirSync(folder).sort()).toEqual(['x-flat.vmdk', 'x.vmdk']);
  });

  it('relies on the signs of use where nobody can be asked', async () => {
    writeOpaqueDisk(folder, SECTORS);
    writeFileSync(join(folder, 'x-1a2b3c4d.vswp'), 'swap');
    await expect(runMachine(disk, RUN_OPTIONS, runServices())).rejects.toMatchObject({ code: 'running' });
    rmSync(join(folder, 'x-1a2b3c4d.vswp'));
    expect(await runMachine(disk, RUN_OPTIONS, runServices())).toMatchObject({
      status: 'done',
      powerAfter: 'unknown',
      host: 'none',
    });
    expect(startOf(folder)).toBe(128);
  });
});
