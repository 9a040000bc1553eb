import { existsSync, mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { expectCli, startCli } from '../support/cli.js';
import type { Guest } from '../support/guests.js';
import { rootJudge } from '../support/judges.js';
import { JUDGES, judgeGuest, remember } from '../support/verdicts.js';
import { printOf, Workbench } from '../support/workbench.js';
import { killWhen, stageOf } from './killer.js';

const bench = new Workbench();
afterAll(() => bench.remove());

const STARTS = { 1: 128 };
const hiddenOf = ({ disk }: Guest): string => `${disk}.hidden-by-vmreclaim`;

/** Long enough to move that a run can be caught in the middle. */
function guestToAlign(): Guest {
  const volume = bench.volume('ntfs', { sectors: 240_975, contentBytes: 60 << 20 });
  return bench.guest({
    name: 'disk',
    sectors: 250_000,
    table: 'mbr',
    partitions: [{ number: 1, start: 63, volume }],
  });
}

/** A guest whose align was killed while its partition moved. */
async function killedGuest() {
  const guest = guestToAlign();
  const memory = remember(guest);
  await killWhen(
    () => existsSync(hiddenOf(guest)) && stageOf(guest) === 'changing',
    'align',
    guest.disk,
    '-y',
  );
  expect(stageOf(guest)).toBe('changing');
  return { guest, memory };
}

describe.skipIf(!rootJudge(...JUDGES))('a run that was interrupted', () => {
  it('keeps the disk out of reach: hidden descriptor, scan says so, nothing else may begin', async () => {
    const { guest, memory } = await killedGuest();
    expect(existsSync(guest.disk)).toBe(false);
    const print = printOf(guest.folder);
    const { stdout } = await expectCli(0, 'scan', guest.folder, '--json');
    const [disk] = (JSON.parse(stdout) as { disks: { state: string; reasons: { code: string }[] }[] }).disks;
    expect(disk).toMatchObject({
      state: 'interrupted',
      reasons: [{ code: 'interrupted' }],
    });
    await expectCli(9, 'align', guest.disk, '-y');
    await expectCli(4, 'abandon', guest.disk);
    expect(printOf(guest.folder)).toBe(print);
    await expectCli(0, 'resume', guest.disk);
    judgeGuest(guest, memory, STARTS);
  });

  it.each([
    ['the hidden descriptor', (guest: Guest) => hiddenOf(guest)],
    ['the flat file', (guest: Guest) => guest.extents[0] ?? ''],
    ['the run folder', (guest: Guest) => `${guest.disk}.vmreclaim`],
  ])('is resumed by the name of %s', async (_name, nameOf) => {
    const { guest, memory } = await killedGuest();
    await expectCli(0, 'resume', nameOf(guest));
    judgeGuest(guest, memory, STARTS);
  });

  it('is not resumed on a file that was put in the place of the disk', async () => {
    const { guest } = await killedGuest();
    const flat = guest.extents[0] ?? '';
    const other = guestToAlign();
    renameSync(other.extents[0] ?? '', flat);
    const print = printOf(guest.folder);
    const { stderr } = await expectCli(7, 'resume', guest.disk);
    expect(stderr).toMatch(/vmreclaim abandon\s+--force/);
    expect(printOf(guest.folder)).toBe(print);
    await expectCli(0, 'abandon', guest.disk, '--force');
    expect(readdirSync(guest.folder).sort()).toEqual(['disk-flat.vmdk', 'disk.vmdk']);
    await expectCli(0, 'align', guest.disk, '-y');
  });

  it('is dropped by abandon as long as the disk is untouched', async () => {
    const { guest, print } = await sealedGuest();
    await expectCli(0, 'abandon', guest.disk);
    expect(printOf(guest.folder)).toBe(print);
  });
});

/** Between the journal and the first change are only a few milliseconds: tries until a kill hits them. */
async function sealedGuest() {
  for (let attempt = 0; attempt < 30; attempt++) {
    const guest = guestToAlign();
    const print = printOf(guest.folder);
    const header = join(`${guest.disk}.vmreclaim`, 'run.json');
    await killWhen(() => existsSync(header), 'align', guest.disk, '-y');
    if (stageOf(guest) === 'sealed') return { guest, print };
    bench.drop(guest);
  }
  throw new Error('no kill hit the time between the journal and the first change');
}

describe.skipIf(!rootJudge(...JUDGES))('what a run that never began left behind', () => {
  it('is swept up by resume, which says that there is nothing to resume', async () => {
    const guest = guestToAlign();
    const print = printOf(guest.folder);
    mkdirSync(`${guest.disk}.vmreclaim`);
    for (const name of ['program', 'checkpoint', 'spill', '.run.json.tmp']) {
      writeFileSync(join(`${guest.disk}.vmreclaim`, name), 'torn');
    }
    const { stderr } = await expectCli(7, 'resume', guest.disk);
    expect(stderr).toMatch(/no run is in flight[\s\S]*has been removed/);
    expect(printOf(guest.folder)).toBe(print);
  });

  it('is swept up by an align that has nothing to do', async () => {
    const guest = guestToAlign();
    await expectCli(0, 'align', guest.disk, '-y');
    const print = printOf(guest.folder);
    mkdirSync(`${guest.disk}.vmreclaim`);
    writeFileSync(join(`${guest.disk}.vmreclaim`, 'checkpoint'), 'of a run that is over');
    const { stdout } = await expectCli(0, 'align', guest.disk, '--json');
    expect(JSON.parse(stdout)).toMatchObject({ status: 'nothing-to-do', bytesWritten: 0 });
    expect(printOf(guest.folder)).toBe(print);
  });

  it('does not disturb the next align', async () => {
    const guest = guestToAlign();
    const memory = remember(guest);
    mkdirSync(`${guest.disk}.vmreclaim`);
    writeFileSync(join(`${guest.disk}.vmreclaim`, '.run.json.tmp'), 'torn');
    writeFileSync(join(guest.folder, '.disk.vmdk.hidden-by-vmreclaim.tmp'), 'torn');
    await expectCli(0, 'align', guest.disk, '-y');
    judgeGuest(guest, memory, STARTS);
  });
});

describe.skipIf(!rootJudge(...JUDGES))('Ctrl-C', () => {
  it('stops at the next checkpoint with exit code 9 and the command that goes on', async () => {
    const guest = guestToAlign();
    const memory = remember(guest);
    const { child, ended } = startCli('align', guest.disk, '-y');
    while (!(existsSync(hiddenOf(guest)) && stageOf(guest) === 'changing')) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    child.kill('SIGINT');
    const { code, stderr } = await ended;
    expect(code).toBe(9);
    expect(stderr.replace(/['\s]+/g, ' ')).toContain(`vmreclaim resume ${guest.disk}`);
    expect(stageOf(guest)).toBe('changing');
    await expectCli(0, 'resume', guest.disk);
    judgeGuest(guest, memory, STARTS);
  });

  it('before the run began ends with 130 and leaves nothing', { retry: 2 }, async () => {
    const guest = guestToAlign();
    const print = printOf(guest.folder);
    const { child, ended } = startCli('align', guest.disk, '-y');
    // The rehearsal begins with an empty journal.
    while (!existsSync(`${guest.disk}.vmreclaim`)) await new Promise((resolve) => setTimeout(resolve, 1));
    child.kill('SIGINT');
    const { code, stderr } = await ended;
    expect(code).toBe(130);
    expect(stderr).toContain('nothing was changed');
    expect(printOf(guest.folder)).toBe(print);
  });
});
