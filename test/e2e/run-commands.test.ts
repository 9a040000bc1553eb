import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { expectCli, startCli, startCliInGroup } from '../support/cli.js';
import { CommandedMachine } from '../support/commanded.js';

const until = async (isSo: () => boolean): Promise<void> => {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 20));
};

describe('vmreclaim run behind commands', () => {
  const parent = mkdtempSync(join(tmpdir(), 'vmreclaim-run-commands-'));
  let count = 0;
  afterAll(() => rmSync(parent, { recursive: true, force: true }));
  const made = (): CommandedMachine => new CommandedMachine(join(parent, String(++count)));

  function args({ vmx, commands }: CommandedMachine, ...more: string[]): string[] {
    const { isOff, powerOff = '', powerOn = '' } = commands;
    const power = ['--is-off-command', isOff, '--power-off-command', powerOff, '--power-on-command', powerOn];
    return ['run', vmx, '--yes', '--json', ...power, ...more];
  }

  it('lets no Ctrl-C reach the commands, and leaves the machine running', async () => {
    const machine = made();
    const begun = join(machine.folder, 'begun');
    // Slow, and ended by any signal.
    const powerOff = `: >${begun}; sleep 1; ${machine.commands.powerOff}`;
    const { child, ended } = startCliInGroup(...args(machine, '--power-off-command', powerOff));
    await until(() => existsSync(begun));
    process.kill(-(child.pid ?? 0), 'SIGINT');
    const { code, stderr } = await ended;
    expect(code).toBe(9);
    const said = stderr.slice(stderr.indexOf('{'));
    expect(JSON.parse(said).error.message).toContain('its disks are whole');
    expect(machine.deeds()).toEqual(['asked', 'started']);
    expect(machine.power).toBe('on');
    expect(machine.note()).toBeNull();
  });

  it('is killed in the shutdown or the start, and the next run gives the start', async () => {
    for (const name of ['powerOff', 'powerOn'] as const) {
      const machine = made();
      const begun = join(machine.folder, 'begun');
      const slow = `: >${begun}; sleep 0.5; ${machine.commands[name]}`;
      const option = name === 'powerOff' ? '--power-off-command' : '--power-on-command';
      const { child, ended } = startCli(...args(machine, option, slow));
      await until(() => existsSync(begun));
      child.kill('SIGKILL');
      await ended;
      expect(machine.note()).toMatchObject({ powerOn: true });
      // The command goes on without the one who gave it.
      await until(() => machine.power === (name === 'powerOff' ? 'off' : 'on'));
      await expectCli(0, ...args(machine));
      expect(machine.power).toBe('on');
      expect(machine.startOf()).toBe(128);
      expect(machine.note()).toBeNull();
    }
  });

  it('says with resume that the machine is owed a start', async () => {
    const machine = made();
    machine.put('dead');
    const disk = join(machine.folder, 'x0.vmdk');
    await expectCli(9, ...args(machine));
    const { stderr } = await expectCli(7, 'resume', disk, '--json');
    expect(JSON.parse(stderr).error).toMatchObject({ code: 'no-run' });
    expect(JSON.parse(stderr).error.hint).toContain(`vmreclaim run ${machine.vmx}`);
    machine.drop('dead');
    await expectCli(0, ...args(machine));
    const again = JSON.parse((await expectCli(7, 'resume', disk, '--json')).stderr);
    expect(again.error.message).not.toContain('switched');
    expect(machine.power).toBe('on');
  });

  it('does what a profile says', async () => {
    const machine = made();
    const profile = join(parent, 'profile.yaml');
    const runs = (...more: string[]) => expectCli(0, ...args(machine, '--profile', profile, ...more));
    writeFileSync(
      profile,
      'version: 1\ncategories:\n  - name: kept\n    match: { vm: commanded }\n    align: false\n',
    );
    expect(JSON.parse((await runs()).stdout).status).toBe('nothing-to-do');
    expect(machine.deeds()).toEqual([]);
    writeFileSync(profile, 'version: 1\ndefaults:\n  boundary: 1M\n');
    expect(JSON.parse((await runs()).stdout).disks[0].change).toMatchObject({
      command: 'align',
      verified: true,
    });
    expect(machine.startOf()).toBe(2048);
    expect(machine.deeds()).toEqual(['asked', 'started']);
  });
});
