import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { expectCli, startCli } from '../support/cli.js';
import { cloneGuest, type Guest } from '../support/guests.js';
import { rootJudge, run } from '../support/judges.js';
import { JUDGES, judgeGuest, remember } from '../support/verdicts.js';
import { printOf, Workbench } from '../support/workbench.js';

const bench = new Workbench();
afterAll(() => bench.remove());

function guestToAlign(contentBytes = 0): Guest {
  const volume = bench.volume('ntfs', { sectors: 160_650, contentBytes });
  return bench.guest({
    name: 'disk',
    sectors: 170_000,
    table: 'mbr',
    partitions: [{ number: 1, start: 63, volume }],
  });
}

const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));

describe.skipIf(!rootJudge(...JUDGES))('somebody else', () => {
  /** Runs `work` while an align of the guest stands still at a point, then lets that one end. */
  async function whileAligning(
    guest: Guest,
    isTime: () => boolean,
    work: () => Promise<void>,
  ): Promise<void> {
    const memory = remember(guest);
    const first = startCli('align', guest.disk, '-y');
    while (!isTime() && first.child.exitCode === null) await pause(1);
    first.child.kill('SIGSTOP');
    try {
      await work();
    } finally {
      first.child.kill('SIGCONT');
    }
    expect(await first.ended).toMatchObject({ code: 0 });
    judgeGuest(guest, memory, { 1: 128 });
  }

  it.each([['align', '-y'], ['resume']])(
    '%s while another one rehearses ends with 7 and does not disturb it',
    async (command, ...flags) => {
      const guest = guestToAlign();
      const isTime = () => existsSync(`${guest.disk}.vmreclaim`);
      await whileAligning(guest, isTime, async () => {
        const { stderr } = await expectCli(7, command, guest.disk, ...flags, '--json');
        expect(stderr).toContain('"in-use"');
      });
    },
  );

  it.each([
    ['resume', 7, 'in-use'],
    ['abandon', 7, 'in-use'],
    ['align', 9, 'interrupted'],
  ])('%s while another one moves ends with %i and does not disturb it', async (command, code, reason) => {
    const guest = guestToAlign(40 << 20);
    const isTime = () => existsSync(`${guest.disk}.hidden-by-vmreclaim`);
    await whileAligning(guest, isTime, async () => {
      const { stderr } = await expectCli(
        code,
        command,
        guest.disk,
        '--json',
        ...(command === 'align' ? ['-y'] : []),
      );
      expect(stderr).toContain(`"${reason}"`);
    });
  });

  it('a running qemu', async () => {
    const guest = guestToAlign();
    const qemu = spawn('qemu-io', ['-f', 'vmdk', guest.disk], { stdio: ['pipe', 'pipe', 'ignore'] });
    try {
      await new Promise((resolve) => qemu.stdout.once('data', resolve));
      const print = printOf(guest.folder);
      const { stderr } = await expectCli(7, 'align', guest.disk, '-y', '--json');
      expect(stderr).toContain('"in-use"');
      expect(printOf(guest.folder)).toBe(print);
    } finally {
      qemu.stdin.end('quit\n');
      await new Promise((resolve) => qemu.once('exit', resolve));
    }
    await expectCli(0, 'align', guest.disk, '-y');
  });
});

describe.skipIf(!rootJudge(...JUDGES))('a datastore that is full', () => {
  /** Runs `work` with a copy of the guest on a datastore of its own, with `spare` bytes left. */
  async function onSmallStore(
    guest: Guest,
    spare: number,
    work: (guest: Guest) => Promise<void>,
  ): Promise<void> {
    const [folder, image] = [bench.newFolder(), join(bench.newFolder(), 'store')];
    writeFileSync(image, '');
    truncateSync(image, 256 << 20);
    run('mke2fs', ['-q', '-F', '-t', 'ext4', '-m', '0', image]);
    run('mount', ['-o', 'loop', image, folder]);
    try {
      const copy = cloneGuest(guest, folder, 'vm');
      fillUp(folder, spare);
      await work(copy);
    } finally {
      run('umount', [folder]);
    }
  }

  function fillUp(folder: string, spare: number): void {
    const free =
      Number(run('stat', ['-f', '-c', '%a', folder])) * Number(run('stat', ['-f', '-c', '%S', folder]));
    run('fallocate', ['-l', `${free - spare}`, join(folder, 'filling')]);
  }

  it('is found out before the start: nothing is changed', async () => {
    await onSmallStore(guestToAlign(), 12 << 20, async (guest) => {
      const print = printOf(guest.folder);
      const { stderr } = await expectCli(6, 'align', guest.disk, '-y', '--json');
      expect(stderr).toContain('"no-space"');
      expect(printOf(guest.folder)).toBe(print);
    });
  });

  it('is no obstacle when there is just room for the journal', async () => {
    await onSmallStore(guestToAlign(), 80 << 20, async (guest) => {
      await expectCli(0, 'align', guest.disk, '-y');
      expect(statSync(guest.disk).size).toBeGreaterThan(0);
    });
  });

  it('leaves a folder that cannot be written to alone', async () => {
    const guest = guestToAlign();
    mkdirSync(join(guest.folder, 'disk.vmdk.vmreclaim'));
    writeFileSync(join(guest.folder, 'disk.vmdk.vmreclaim', 'what the user keeps there'), 'x');
    const print = printOf(guest.folder);
    const { code } = await startCli('align', guest.disk, '-y').ended;
    expect(code).toBe(6);
    expect(printOf(guest.folder)).toBe(print);
  });
});
