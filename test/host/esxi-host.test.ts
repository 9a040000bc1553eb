import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect } from '../../src/backends/sftp/connect.js';
import type { Session } from '../../src/backends/sftp/session.js';
import { remoteShell } from '../../src/backends/sftp/shell.js';
import { parseTarget } from '../../src/backends/sftp/target.js';
import { EsxiHost } from '../../src/host/esxi/index.js';
import { type EsxiMachine, FakeEsxi, makeDatastore } from '../support/esxi.js';
import { judge } from '../support/judges.js';
import { writeOpaqueDisk } from '../support/opaque-disk.js';

describe.skipIf(!judge('sshd', 'ssh-keygen'))('an ESXi host', () => {
  const parent = mkdtempSync(join(tmpdir(), 'vmreclaim-esxi-'));
  let esxi: FakeEsxi;
  let session: Session;
  let host: EsxiHost;
  let seconds = 60;
  beforeAll(async () => {
    esxi = await FakeEsxi.start(makeDatastore(parent, 'a [b] c'));
    session = await connect(parseTarget(esxi.server.url('/')), esxi.server.options());
    const shell = remoteShell(async () => session);
    const run: typeof shell.run = (command, input) => shell.run(command, input, seconds * 1000);
    host = new EsxiHost({ run, runOnce: run }, { realPath: async (path) => path });
  });
  afterAll(async () => {
    session.end();
    await esxi.remove();
    rmSync(parent, { recursive: true, force: true });
  });

  function made(id: string): EsxiMachine {
    const folder = join(esxi.datastorePath, id);
    mkdirSync(folder);
    writeOpaqueDisk(folder, 8192);
    return esxi.register(id, `vm ${id}`, folder, 'x.vmdk');
  }

  it('is known by its datastores, also where their names hold what ends them', async () => {
    const { vmx } = made('1');
    expect(await host.find({ vmx, name: 'x' })).toMatchObject({ id: '1', name: 'vm 1' });
    expect(await host.vmxOf('vm 1')).toBe(vmx);
  });

  it('that hangs is named with the command and the remedy, and asked on the same connection again', async () => {
    const machine = made('2');
    const seat = await host.find({ vmx: machine.vmx, name: 'x' });
    esxi.put('hangs.power.getstate', '');
    seconds = 0.5;
    const failure = await host.powerState(seat).catch((error) => error);
    seconds = 60;
    esxi.drop('hangs.power.getstate');
    expect(failure).toMatchObject({ family: 'device', code: 'host-timeout' });
    expect(failure.message).toContain('vim-cmd vmsvc/power.getstate did not end within');
    expect(failure.detail.hint).toContain('/etc/init.d/hostd restart');
    expect(await host.powerState(seat)).toBe('off');
  });

  it('is left without a file when a machine was started', async () => {
    const machine = made('3');
    const seat = await host.find({ vmx: machine.vmx, name: 'x' });
    await host.powerOn(seat);
    expect(await host.powerState(seat)).toBe('on');
    expect(readdirSync(esxi.temporary)).toEqual([]);
  });
});
