import {
  appendFileSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { expectCli, startCli } from '../support/cli.js';
import { cutOut, type Guest } from '../support/guests.js';
import { rootJudge, run } from '../support/judges.js';
import { hashFile, inMount } from '../support/mounts.js';
import { JUDGES } from '../support/verdicts.js';
import { printOf, Workbench } from '../support/workbench.js';

const bench = new Workbench();
afterAll(() => bench.remove());

const START = 100_001;
const SECTORS = 60_000;

const guest = (): Guest =>
  bench.guest({
    name: 'disk',
    sectors: 170_000,
    table: 'mbr',
    partitions: [
      { number: 1, start: 2048, volume: bench.volume('opaque', { sectors: 40_000 }) },
      { number: 2, start: START, volume: bench.volume('ext4', { sectors: SECTORS }) },
    ],
  });

const flatOf = ({ extents }: Guest) => extents[0] ?? '';
const partOf = (disk: Guest) => cutOut(flatOf(disk), START, SECTORS, join(bench.newFolder(), 'part'));
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Starts a session and waits until its partition is there. */
async function session(disk: Guest, path: string, ...options: string[]) {
  const run = startCli('serve', disk.disk, '--partition', '2', ...options, '--json');
  while (!existsSync(path) && run.child.exitCode === null) await pause(10);
  return run;
}

/** The tools run in processes of their own, and the server is one too: they may block this one. */
const copyIn = (part: string, socket: string) => run('nbdcopy', [part, `nbd+unix:///?socket=${socket}`]);

describe.skipIf(!rootJudge(...JUDGES, 'nbdcopy', 'nbdfuse', 'fusermount3'))(
  'a partition that is served',
  () => {
    it('waits at the end until nobody has the file open, and drops it all at a second Ctrl-C', async () => {
      for (const closes of [true, false]) {
        const disk = guest();
        const print = printOf(disk.folder);
        const folder = join(bench.newFolder(), 'mount');
        mkdirSync(folder);
        const file = join(folder, 'partition.img');
        const { child, ended } = await session(disk, file, '--mount', folder, '--write', '-y');
        const said = new Promise<void>((resolve) => {
          child.stderr?.on('data', (text: string) => text.includes('still in use') && resolve());
        });
        const fd = openSync(file, 'r+');
        writeSync(fd, Buffer.from('written while it was served'), 0, 27, (SECTORS - 8) * 512);
        fsyncSync(fd);
        child.kill('SIGINT');
        await said;
        if (closes) closeSync(fd);
        else {
          child.kill('SIGINT');
          expect((await ended).code).toBe(130);
          // It was taken away.
          expect(() => closeSync(fd)).toThrow('ENOTCONN');
        }
        const { code, stderr } = await ended;
        if (closes) expect(code, stderr).toBe(0);
        else expect(stderr).toContain('stopped: nothing was changed');
        if (!closes) expect(printOf(disk.folder)).toBe(print);
        else expect(readFileSync(partOf(disk)).includes('written while it was served')).toBe(true);
        expect(readdirSync(folder)).toEqual([]);
      }
    });

    it('says so when nbdfuse is killed, and commits nothing', async () => {
      const disk = guest();
      const print = printOf(disk.folder);
      const folder = join(bench.newFolder(), 'mount');
      mkdirSync(folder);
      const { ended } = await session(
        disk,
        join(folder, 'partition.img'),
        '--mount',
        folder,
        '--write',
        '-y',
      );
      run('pkill', ['-KILL', '-f', `nbdfuse.*${folder}/`]);
      const { code, stderr } = await ended;
      expect(code).toBe(6);
      expect(stderr).toContain('nbdfuse ended while it was serving');
      expect(printOf(disk.folder)).toBe(print);
    });

    it('is a file for others, read-only, and gone after Ctrl-C', async () => {
      const disk = guest();
      const print = printOf(disk.folder);
      const folder = join(bench.newFolder(), 'mount');
      mkdirSync(folder);
      const file = join(folder, 'partition.img');
      const { child, ended } = await session(disk, file, '--mount', folder);
      expect(hashFile(file)).toBe(hashFile(partOf(disk)));
      run('e2fsck', ['-fn', file]);
      child.kill('SIGINT');
      const { code, stdout } = await ended;
      expect(code).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({ command: 'serve', status: 'nothing-to-do' });
      expect(readdirSync(folder)).toEqual([]);
      expect(printOf(disk.folder)).toBe(print);
    });

    it('takes writes, which become a run when the client has said goodbye', async () => {
      const disk = guest();
      const others = hashFile(cutOut(flatOf(disk), 0, START, join(bench.newFolder(), 'others')));
      const part = partOf(disk);
      inMount('ext', part, 'rw', 'echo served > new; rm large');
      const socket = join(bench.newFolder(), 'nbd.sock');
      const { ended } = await session(disk, socket, '--socket', socket, '--write', '-y');
      copyIn(part, socket);
      const { code, stdout, stderr } = await ended;
      expect(code, stderr).toBe(0);
      const { status, verified, fixups } = JSON.parse(stdout) as Record<string, unknown>;
      expect({ status, verified }).toEqual({ status: 'done', verified: true });
      expect((fixups as { kind: string }[]).map(({ kind }) => kind)).toEqual(['served-writes', 'content-id']);
      expect(hashFile(partOf(disk))).toBe(hashFile(part));
      expect(hashFile(cutOut(flatOf(disk), 0, START, join(bench.newFolder(), 'others')))).toBe(others);
      expect(readdirSync(disk.folder).sort()).toEqual(['disk-flat.vmdk', 'disk.vmdk']);
    });

    it('takes writes through a file, and commits them after Ctrl-C; the tools come and go meanwhile', async () => {
      const disk = guest();
      const folder = join(bench.newFolder(), 'mount');
      mkdirSync(folder);
      const file = join(folder, 'partition.img');
      const { child, ended } = await session(disk, file, '--mount', folder, '--write', '-y');
      run('debugfs', ['-w', '-R', 'unlink srv/www/deep/er/data', file]);
      run('e2fsck', ['-fy', file], { code: 1 });
      child.kill('SIGINT');
      const { code, stdout, stderr } = await ended;
      expect(code, stderr).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({ command: 'serve', status: 'done', verified: true });
      const part = partOf(disk);
      run('e2fsck', ['-fn', part]);
      expect(run('debugfs', ['-R', 'ls -p lost+found', part])).toMatch(/#\d+/);
      expect(readdirSync(folder)).toEqual([]);
    });

    it('says so when what was written cannot be committed, also after Ctrl-C', async () => {
      const disk = guest();
      const socket = join(bench.newFolder(), 'nbd.sock');
      const { child, ended } = await session(disk, socket, '--socket', socket, '--write', '-y');
      const uri = `nbd+unix:///?socket=${socket}`;
      run('bash', ['-c', `qemu-io -f raw -c 'write -P 7 0 1M' -c 'abort' '${uri}' || true`]);
      appendFileSync(disk.disk, '# changed meanwhile\n');
      const print = printOf(disk.folder);
      child.kill('SIGINT');
      const { code, stderr } = await ended;
      expect(code, stderr).toBe(7);
      expect(printOf(disk.folder)).toBe(print);
    });

    it('is as it was when the session is killed', async () => {
      const disk = guest();
      const print = printOf(disk.folder);
      const socket = join(bench.newFolder(), 'nbd.sock');
      const { child, ended } = await session(disk, socket, '--socket', socket, '--write', '-y');
      // An open client keeps the session from ending.
      const uri = `nbd+unix:///?socket=${socket}`;
      run('bash', ['-c', `qemu-io -f raw -c 'write -P 7 0 1M' -c 'abort' '${uri}' || true`]);
      child.kill('SIGKILL');
      await ended;
      expect(printOf(disk.folder)).toBe(print);
    });

    it('is not served writable where nobody can say yes, nor without a place', async () => {
      const { disk } = guest();
      await expectCli(2, 'serve', disk, '--partition', '2', '--socket', '/nowhere/at/all', '--write');
      await expectCli(2, 'serve', disk, '--partition', '2');
      await expectCli(2, 'serve', disk, '--partition', '9', '--socket', '/nowhere/at/all');
    });
  },
);
