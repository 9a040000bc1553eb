import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { cleanUpFolders, VmFolder } from '../disk/vm-folder.js';
import { judge, rootJudge, run } from '../support/judges.js';
import { BIN, mbrDisk, shell, vmreclaim } from './cli.js';

cleanUpFolders();

const HOSTILE = ['/a "b" \'c\'', '$HOME', '%h', '\\', '*'];

describe('a schedule of systemd', () => {
  it('writes a timer and a service, shows them and removes them', () => {
    const folder = new VmFolder();
    const units = folder.at('units');
    const added = vmreclaim(['schedule', 'add', 'n', '--at', '2:30', '--units', units, '--', 'scan', '/a']);
    expect(added).toMatchObject({ code: 0 });
    expect(readdirSync(units).sort()).toEqual(['vmreclaim-n.service', 'vmreclaim-n.timer']);
    writeFileSync(join(units, 'vmreclaim-other.timer'), '[Timer]\n');
    const shown = JSON.parse(vmreclaim(['schedule', 'show', '--json', '--units', units]).stdout);
    expect(shown.schedules).toEqual([
      { name: 'n', at: '2:30', command: ['scan', '/a'], folder: process.cwd(), place: 'systemd' },
    ]);
    expect(vmreclaim(['schedule', 'show', 'n', '--units', units]).stdout).toBe(added.stdout);
    const again = vmreclaim(['schedule', 'add', 'n', '--at', '2:30', '--units', units, '--', 'scan', '/a']);
    expect([again.code, again.stderr]).toEqual([7, expect.stringContaining('schedule-exists')]);
    expect(vmreclaim(['schedule', 'remove', 'n', '--units', units]).code).toBe(0);
    expect(readdirSync(units)).toEqual(['vmreclaim-other.timer']);
    expect(vmreclaim(['schedule', 'remove', 'other', '--units', units]).code).toBe(2);
  });

  it('writes nothing with a line break in the place of the history', () => {
    const units = new VmFolder().at('units');
    const args = ['schedule', 'add', 'n', '--at', '2:30', '--units', units, '--', 'scan', '/a'];
    const { code, stderr } = vmreclaim(args, {
      env: { VMRECLAIM_STATE_DIR: '/tmp/a\nExecStartPre=/bin/true' },
    });
    expect([code, stderr]).toEqual([2, expect.stringContaining('schedule-command')]);
    expect(existsSync(units)).toBe(false);
  });

  it('makes up for looks that were missed, never for changes', () => {
    const units = new VmFolder().at('units');
    const add = (name: string, ...command: string[]) =>
      vmreclaim(['schedule', 'add', name, '--at', '2:30', '--units', units, '--', ...command]);
    add('look', 'scan', '/a');
    add('cut', 'shrink', '/a', '--yes');
    const timer = (name: string) => readFileSync(join(units, `vmreclaim-${name}.timer`), 'utf8');
    expect(timer('look')).toContain('Persistent=yes');
    expect(timer('cut')).toContain('Persistent=no');
  });

  it.skipIf(!judge('systemd-analyze', 'systemctl'))('is what systemd takes', () => {
    const folder = new VmFolder();
    const units = folder.at('root/etc/systemd/system');
    mkdirSync(units, { recursive: true });
    for (const [index, at] of ['02:30', 'sun 02:30', 'mon,thu 02:30', '1 02:30'].entries()) {
      const args = ['schedule', 'add', `n${index}`, '--at', at, '--units', units, '--', 'scan', ...HOSTILE];
      expect(vmreclaim(args)).toMatchObject({ code: 0 });
    }
    const files = readdirSync(units).map((name) => join(units, name));
    expect(run('systemd-analyze', ['verify', ...files])).not.toContain('vmreclaim-');
    run('systemctl', ['--root', folder.at('root'), 'enable', 'vmreclaim-n0.timer']);
    expect(readdirSync(join(units, 'timers.target.wants'))).toEqual(['vmreclaim-n0.timer']);
  });

  it.each([
    [['add', 'n', '--', 'scan', '/a'], 'needs a time'],
    [['add', 'n', '--at', '2:30', '--', 'scan', '--bogus', '/a'], 'unknown option --bogus'],
    [['add', 'n', '--at', '2:30', '--', 'scan'], 'needs a disk or a target'],
    [['add', 'n', '--at', '2:30', '--', 'report', '/a', '--format', 'pdf'], 'Allowed choices'],
    [['remove'], 'needs the name'],
    [['run', 'n', '--', 'schedule', 'show'], 'cannot be scheduled'],
  ])('refuses %j', (args, message) => {
    const units = new VmFolder().at('units');
    const { code, stderr } = vmreclaim(['schedule', ...args.slice(0, 2), '--units', units, ...args.slice(2)]);
    expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
    expect(existsSync(units)).toBe(false);
  });
});

// In a mount namespace of its own, over an empty folder of crontabs: nobody's is touched.
describe.skipIf(!rootJudge('crontab', 'unshare'))('a schedule of cron', () => {
  it('adds a line to the crontab, and leaves the others as they were', () => {
    const folder = new VmFolder();
    const disk = mbrDisk(folder, 'a b%');
    const state = folder.at('state');
    const inside = [
      'mount -t tmpfs none /var/spool/cron/crontabs',
      'echo "0 1 * * * backup" | crontab -',
      `$V schedule add n --cron --at "mon 2:30" -- scan '${disk}' --json -o '${folder.at('o.json')}'`,
      'crontab -l > added',
      '$V schedule show --cron',
      'tail -n 1 added | cut -d" " -f6- | sed "s/\\\\\\\\%/%/g" | sh',
      '$V schedule remove n --cron',
      'crontab -l',
    ];
    folder.text('inside.sh', inside.join('\n'));
    const { code, stdout, stderr } = shell(`cd '${folder.path}' && unshare -m sh -e inside.sh`, {
      VMRECLAIM_STATE_DIR: state,
    });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('n  mon 2:30  (cron)  scan');
    expect(stdout.endsWith('schedule n was removed\n0 1 * * * backup\n')).toBe(true);
    expect(readFileSync(folder.at('added'), 'utf8')).toContain('0 1 * * * backup\n');
    // The line did what it was written for, with the history where it belongs.
    expect(JSON.parse(readFileSync(folder.at('o.json'), 'utf8')).disks[0].path).toBe(disk);
    expect(readdirSync(state)).toEqual(['scans.ndjson']);
  });
});

/** A server that says this to whoever connects; its port. */
async function serverSaying(text: string): Promise<[Server, number]> {
  const server = createServer((socket) => socket.end(text));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return [server, typeof address === 'object' && address !== null ? address.port : 0];
}

/** Runs a scheduled scan of a host without blocking the server in this process. */
function scheduled(port: number): Promise<string> {
  const target = `sftp://root@127.0.0.1:${port}/vmfs/a.vmdk`;
  const args = [BIN, 'schedule', 'run', 'n', '--wait', '1', '--', 'scan', target];
  return new Promise((resolve) => {
    execFile(process.execPath, args, { encoding: 'utf8' }, (_, stdout, stderr) => resolve(stdout + stderr));
  });
}

describe('a scheduled command', () => {
  it('begins when the host greets, and not before', async () => {
    const [closed, closedPort] = await serverSaying('');
    closed.close();
    expect(await scheduled(closedPort)).toContain('host-silent');
    const [strange, strangePort] = await serverSaying('HTTP/1.1 400\r\n');
    expect(await scheduled(strangePort)).toContain('host-silent');
    strange.close();
    const [greeting, port] = await serverSaying('SSH-2.0-test\r\n');
    const said = await scheduled(port);
    expect(said).toMatch(/^error \[(?!host-silent)/);
    greeting.close();
  });

  it('ends with the exit code of the command', () => {
    const folder = new VmFolder();
    const disk = mbrDisk(folder, 'a');
    const run = (...args: string[]) =>
      vmreclaim(['schedule', 'run', 'n', '--', ...args], { env: { VMRECLAIM_STATE_DIR: folder.at('s') } });
    expect(run('scan', disk, '--check').code).toBe(3);
    expect(run('align', disk, '--yes').code).toBe(0);
    expect(run('scan', folder.at('gone.vmdk')).code).not.toBe(0);
    expect(JSON.parse(run('scan', disk, '--json').stdout).disks).toHaveLength(1);
  });
});
