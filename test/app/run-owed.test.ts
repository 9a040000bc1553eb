import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { measureNone } from '../../src/app/plan.js';
import { runMachine } from '../../src/app/run/index.js';
import type { MachineOutcome, MachineRunOptions, RunServices, StepName } from '../../src/app/run/types.js';
import { layoutRequest } from '../../src/plan/types.js';
import { CommandedMachine, reallyRun } from '../support/commanded.js';
import { RUN_OPTIONS, runServices } from '../support/run-services.js';

const HOUR_MS = 3_600_000;

describe('a start that a run owes its machine', () => {
  const parent = mkdtempSync(join(tmpdir(), 'vmreclaim-owed-'));
  let count = 0;
  afterAll(() => rmSync(parent, { recursive: true, force: true }));

  const made = (sizes?: readonly number[]): CommandedMachine =>
    new CommandedMachine(join(parent, String(++count)), sizes);

  const start = (
    machine: CommandedMachine,
    options: Partial<MachineRunOptions> = {},
    services: Partial<RunServices> = {},
  ): Promise<MachineOutcome> =>
    runMachine(
      machine.vmx,
      { ...RUN_OPTIONS, zero: null, host: machine.host, ...options },
      runServices({ ...reallyRun, ...services }),
    );
  const failureOf = (run: Promise<MachineOutcome>) => run.catch((error) => error);

  /** Stops the run when a step has ended. */
  function stopBehind(step: StepName, nth = 1): Partial<RunServices> {
    const stop = new AbortController();
    let seen = 0;
    const onStep: RunServices['onStep'] = (taken) => {
      if (taken.step === step && ++seen === nth) stop.abort(new Error('stopped'));
    };
    return { signal: stop.signal, onStep };
  }

  /** A machine that is off, whose earlier run changed its disk and could not start it. */
  async function unstarted(): Promise<CommandedMachine> {
    const machine = made();
    machine.put('dead');
    await failureOf(start(machine));
    machine.drop('dead');
    machine.deeds();
    return machine;
  }

  /** As if files had been written so long after the lock file. */
  function written(machine: CommandedMachine, names: RegExp, milliseconds: number): void {
    for (const name of readdirSync(machine.folder).filter((each) => names.test(each))) {
      const time = new Date(Date.now() + milliseconds);
      utimesSync(join(machine.folder, name), time, time);
    }
  }

  it('is kept when the machine does not start, and given by the next run', async () => {
    const machine = made();
    machine.put('dead');
    const failure = await failureOf(start(machine));
    expect(failure).toMatchObject({ family: 'interrupted', code: 'command-failed' });
    expect(failure.message).toContain('is powered off');
    expect(failure.detail.hint).toContain('goes on, and starts it');
    expect(machine.note()).toMatchObject({ powerOn: true, stage: 'ready' });
    expect(machine.startOf()).toBe(128);
    machine.drop('dead');
    machine.deeds();
    const outcome = await start(machine);
    expect(outcome).toMatchObject({ powerBefore: 'off', powerAfter: 'on' });
    expect(outcome.steps[0]?.message).toContain('the machine is owed a start');
    expect(machine.deeds()).toEqual(['started']);
    expect(machine.note()).toBeNull();
  });

  it('is kept when the guest shuts down later than anybody waits', async () => {
    const machine = made();
    machine.put('deaf');
    const failure = await failureOf(start(machine, { shutdownSeconds: 1 }));
    expect(failure).toMatchObject({ family: 'refused', code: 'still-running' });
    expect(machine.note()).toMatchObject({ powerOn: true, stage: 'asked' });
    machine.drop('deaf');
    machine.power = 'off';
    machine.deeds();
    expect(await start(machine)).toMatchObject({ status: 'done', powerAfter: 'on' });
    expect(machine.deeds()).toEqual(['started']);
    expect(machine.note()).toBeNull();
  });

  it('is given although the user stops while the guest shuts down', async () => {
    const machine = made();
    const stop = new AbortController();
    const commands = { ...machine.commands, powerOff: `(sleep 1; ${machine.commands.powerOff}) &` };
    const asked = {
      runCommand: ((command, ...rest) => {
        if (command === commands.powerOff) stop.abort(new Error('stopped'));
        return reallyRun.runCommand(command, ...rest);
      }) satisfies RunServices['runCommand'],
    };
    const failure = await failureOf(
      start(machine, { host: { kind: 'auto', commands } }, { ...asked, signal: stop.signal }),
    );
    expect(failure.message).toContain('is powered on');
    expect(machine.deeds()).toEqual(['asked', 'started']);
    expect(machine.note()).toBeNull();
    expect(machine.startOf()).toBe(63);
  });

  it.each([
    ['power-off', 1, 63],
    ['check', 1, 63],
    ['plan', 2, 63],
    ['resize', 1, 128],
    ['zero', 1, 128],
  ] as const)('is given when the run is stopped behind %s (%i)', async (step, nth, partition) => {
    const machine = made();
    const failure = await failureOf(start(machine, { zero: RUN_OPTIONS.zero }, stopBehind(step, nth)));
    // Behind the last step on a disk there is nothing to stop.
    if (step !== 'zero') expect(failure).toMatchObject({ family: 'interrupted', code: 'stopped' });
    expect(machine.startOf()).toBe(partition);
    expect(machine.power).toBe('on');
    expect(machine.note()).toBeNull();
  });

  it('is not given when the operator wants the machine off', async () => {
    const machine = made();
    expect(await start(machine, { powerOn: false })).toMatchObject({ status: 'done', powerAfter: 'off' });
    expect(machine.note()).toBeNull();
    expect(await start(machine)).toMatchObject({ powerAfter: 'off' });
    expect(machine.deeds()).toEqual(['asked']);
  });

  it('is said when the next run is refused', async () => {
    const machine = made();
    machine.put('deaf');
    await failureOf(start(machine, { shutdownSeconds: 1 }));
    machine.power = 'off';
    machine.put('x0-000001-delta.vmdk');
    const failure = await failureOf(start(machine));
    expect(failure).toMatchObject({ family: 'refused', code: 'snapshots' });
    expect(failure.message).toContain('is off, and owed a start by run');
    machine.drop('x0-000001-delta.vmdk');
    expect(await start(machine)).toMatchObject({ powerAfter: 'on' });
    expect(machine.note()).toBeNull();
  });

  it('is kept where nobody can be asked to start it', async () => {
    const machine = await unstarted();
    const outcome = await start(machine, { host: { kind: 'none' } });
    expect(outcome.warnings.map(({ code }) => code)).toEqual(['start-owed']);
    expect(machine.note()).toMatchObject({ powerOn: true });
    expect(await start(machine)).toMatchObject({ powerAfter: 'on', warnings: [] });
  });

  it('is over when the machine was found running', async () => {
    const machine = await unstarted();
    machine.power = 'on';
    expect(await start(machine)).toMatchObject({ status: 'nothing-to-do', powerAfter: 'on' });
    expect(machine.note()).toBeNull();
    machine.power = 'off';
    expect(await start(machine)).toMatchObject({ powerAfter: 'off' });
    expect(machine.deeds()).toEqual([]);
  });

  it.each([
    ['its disk was written', /-flat/, HOUR_MS, 'off'],
    ['its disk was written just then', /-flat/, 0, 'on'],
    ['its host wrote its log', /vmware.log/, HOUR_MS, 'off'],
    ['its host wrote its log just then', /vmware.log/, 0, 'on'],
  ] as const)('is judged by what was written since: %s', async (_, names, milliseconds, power) => {
    const machine = await unstarted();
    if (names.test('vmware.log')) writeFileSync(join(machine.folder, 'vmware.log'), '');
    written(machine, names, milliseconds);
    const outcome = await start(machine);
    expect(outcome.powerAfter).toBe(power);
    if (power === 'off') expect(outcome.steps[0]?.message).toContain('it has run since');
    expect(machine.note()).toBeNull();
  });

  it('is refused before the question where the machine cannot be shut down', async () => {
    const machine = made();
    const { isOff, powerOn } = machine.commands;
    const host = { kind: 'auto', commands: { isOff, powerOn: powerOn ?? '' } } as const;
    let asked = false;
    const confirmRun = async () => {
      asked = true;
      return true;
    };
    for (const dryRun of [true, false]) {
      const failure = await failureOf(start(machine, { host, dryRun }, { confirmRun }));
      expect(failure).toMatchObject({ family: 'refused', code: 'no-command' });
    }
    expect(asked).toBe(false);
    expect(machine.note()).toBeNull();
    expect(machine.power).toBe('on');
  });

  it.each(['powerOff', 'powerOn', 'isOff'] as const)('is known when the command %s hangs', async (name) => {
    const machine = made();
    const host = { kind: 'auto', commands: { ...machine.commands, [name]: 'sleep 600' } } as const;
    const runCommand: RunServices['runCommand'] = (command, variables, seconds) =>
      reallyRun.runCommand(command, variables, Math.min(seconds, 1));
    const failure = await failureOf(start(machine, { host, shutdownSeconds: 1 }, { runCommand }));
    expect(failure).toMatchObject({ code: 'command-timeout' });
    expect(failure.message).toMatch(/the --(power-off|power-on|is-off)-command did not end within \d+ s/);
    if (name !== 'isOff') expect(machine.note()).toMatchObject({ powerOn: true });
  });

  it('is given to a machine with several disks, which are taken by what they change by', async () => {
    const machine = made([8192, 8192 + 4096, 8192 + 2048]);
    const request = layoutRequest({ command: 'shrink', free: { kind: 'default' } });
    const outcome = await start(machine, {
      wish: { request: () => request, measure: measureNone },
      zero: null,
    });
    expect(outcome.disks.map(({ disk }) => basename(disk))).toEqual(['x1.vmdk', 'x2.vmdk', 'x0.vmdk']);
    expect([0, 1, 2].map((disk) => machine.startOf(disk))).toEqual([128, 128, 128]);
    expect(machine.deeds()).toEqual(['asked', 'started']);
    expect(machine.note()).toBeNull();
  });

  it('is kept with a disk of several that is not whole, and given when the next run has finished it', async () => {
    const machine = made([8192, 8192]);
    const stop = new AbortController();
    let disks = 0;
    // In the middle of the second disk.
    const onInFlight = () => (++disks === 2 ? stop.abort(new Error('stopped')) : undefined);
    const failure = await failureOf(start(machine, {}, { signal: stop.signal, onInFlight }));
    expect(failure).toMatchObject({ family: 'interrupted' });
    expect(failure.message).toContain('stays off and locked');
    expect(machine.note()).toMatchObject({ powerOn: true, stage: 'off' });
    // However long it lies there: its descriptor is hidden, so nobody has started it.
    written(machine, /vmreclaim-run$/, -100 * HOUR_MS);
    const outcome = await start(machine);
    expect(outcome.steps.map(({ step }) => step)).toContain('resume');
    expect(outcome.powerAfter).toBe('on');
    expect([0, 1].map((disk) => machine.startOf(disk))).toEqual([128, 128]);
    expect(machine.note()).toBeNull();
  });
});
