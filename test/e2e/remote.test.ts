import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectCli, runCli, startCli } from '../support/cli.js';
import type { Guest } from '../support/guests.js';
import { rootJudge } from '../support/judges.js';
import { seededRandom } from '../support/random.js';
import { countingWire, Sshd } from '../support/sshd.js';
import { JUDGES, judgeGuest, type Memory, remember } from '../support/verdicts.js';
import { Workbench } from '../support/workbench.js';
import { SCENARIOS, type Scenario } from './scenarios.js';

/** How often the server process is killed in all; `VMRECLAIM_LINK_CUTS=50` for the campaign. */
const SAMPLE = 4;
const LINK_CUTS = Number(process.env.VMRECLAIM_LINK_CUTS ?? SAMPLE);
const CLIENT_KILLS = Math.ceil(LINK_CUTS / SAMPLE);
const SEED = Number(process.env.VMRECLAIM_SEED ?? Date.now() % 1_000_000);

const bench = new Workbench();
const random = seededRandom(SEED);
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function scenario(name: string): Scenario {
  const found = SCENARIOS.find((each) => each.name === name);
  if (found === undefined) throw new Error(`no scenario ${name}`);
  return found;
}

describe.skipIf(!rootJudge(...JUDGES, 'sshd', 'ssh-keygen'))('a disk over SFTP', () => {
  let server: Sshd;
  let bare: Sshd;
  beforeAll(async () => {
    console.log(`link cuts: ${LINK_CUTS}, VMRECLAIM_SEED=${SEED}`);
    server = await Sshd.start();
    bare = await Sshd.start({ config: ['Subsystem sftp internal-sftp', 'ForceCommand internal-sftp'] });
    process.env.VMRECLAIM_STATE_DIR = join(server.folder, 'state');
  });
  afterAll(async () => {
    delete process.env.VMRECLAIM_STATE_DIR;
    await server.remove();
    await bare.remove();
    bench.remove();
  });

  const flags = (sshd = server): string[] => [...sshd.flags, '--link-timeout', '30'];

  /** What a run leaves: nothing beside the disk, nothing in the state folder. */
  function expectNoTraces({ folder }: Guest): void {
    expect(readdirSync(folder).filter((name) => name.includes('vmreclaim'))).toEqual([]);
    expect(readdirSync(join(server.folder, 'state', 'runs'))).toEqual([]);
  }

  it('is found by a scan like a local one', async () => {
    const guest = scenario('a split VMDK').make(bench);
    const near = JSON.parse((await expectCli(0, 'scan', guest.folder, '--json')).stdout);
    const wire = await countingWire(server.port);
    server.trustHostKey(wire.port);
    const url = (path: string): string => server.url(path, wire.port);
    const far = JSON.parse((await expectCli(0, 'scan', url(guest.folder), '--json', ...flags())).stdout);
    wire.close();
    expect(far.disks).toEqual([{ ...near.disks[0], path: url(guest.disk), allocatedBytes: null }]);
    expect(wire.bytes()).toBeLessThan(4 << 20);
    bench.drop(guest);
  });

  const journaled = scenario('NTFS 63 to 128, journaled');
  const direct = scenario('NTFS to the left by 24 MiB, direct');
  const split = scenario('a split VMDK');
  const enlarge = scenario('enlarge of NTFS on a GPT, its neighbour pushed');
  const zero = scenario('zero of NTFS and ext4');
  const helper = {
    way: 'with the helper',
    sshd: () => server,
    more: [] as string[],
    code: 'copied-on-server',
  };
  const wire = {
    ...helper,
    way: 'over the wire',
    more: ['--remote-helper', 'off'],
    code: 'copied-over-wire',
  };
  const bareServer = {
    ...helper,
    way: 'without commands on the server',
    sshd: () => bare,
    code: 'copied-on-server',
  };

  it.each([
    { ...helper, ...enlarge },
    { ...helper, ...zero },
    { ...wire, ...split },
    { ...bareServer, ...direct },
  ])('is changed $way: $name', async ({ way, sshd, more, code, ...scenario }) => {
    const { make, command, starts, sizes } = scenario;
    const guest = make(bench);
    const memory = memoryOf(guest, way === helper.way);
    const args = [...command, sshd().url(guest.disk), '-y', '--json', ...flags(sshd()), ...more];
    const { stdout } = await expectCli(0, ...args);
    const result = JSON.parse(stdout);
    expect(result.verified).toBe(true);
    expect(result.warnings.map((warning: { code: string }) => warning.code)).toContain(code);
    judgeGuest(guest, memory, starts, sizes);
    scenario.judge?.(guest);
    expectNoTraces(guest);
    bench.drop(guest);
  });

  it('stays resumable, for this client alone, when the server goes away for good', async () => {
    const { make, starts, command } = journaled;
    const guest = make(bench);
    const memory = memoryOf(guest);
    const url = server.url(guest.disk);
    const { child, ended } = startCli(
      ...command,
      url,
      '-y',
      '--json',
      ...server.flags,
      '--link-timeout',
      '0',
    );
    await untilThere(join(`${guest.disk}.vmreclaim`, 'run.json'), child);
    await server.stop();
    const { code, stderr } = await ended;
    await server.listen();
    expect(code).toBe(9);
    expect(JSON.parse(stderr).error).toMatchObject({
      code: 'link-lost',
      hint: `finish it with: vmreclaim resume ${url}`,
    });
    await expectRefusalElsewhere(guest, url);
    await expectCli(0, 'resume', url, ...flags());
    judgeGuest(guest, memory, starts);
    expectNoTraces(guest);
    bench.drop(guest);
  });

  /** Another client, with a state folder of its own, is told where the run is. */
  async function expectRefusalElsewhere({ disk }: Guest, url: string): Promise<void> {
    const mine = process.env.VMRECLAIM_STATE_DIR;
    process.env.VMRECLAIM_STATE_DIR = join(server.folder, 'other-state');
    const refusal = await expectCli(7, 'resume', url, '--json', ...flags());
    expect(JSON.parse(refusal.stderr).error).toMatchObject({
      code: 'other-client',
      message: expect.stringContaining(hostname()),
      hint: expect.stringContaining(`vmreclaim resume ${url}`),
    });
    process.env.VMRECLAIM_STATE_DIR = mine;
    const pointer = JSON.parse(readFileSync(join(`${disk}.vmreclaim`, 'run.json'), 'utf8'));
    expect(pointer).toMatchObject({ journalElsewhere: true, disk: url });
    expect((await expectCli(9, 'align', url, '-y', ...flags())).stderr).toContain('interrupted');
  }

  const underFire = [
    { ...direct, more: [] as string[] },
    { ...journaled, more: ['--remote-helper', 'off'] },
    // Too long for CI.
    ...(LINK_CUTS > SAMPLE
      ? [{ ...scenario('shrink of two NTFS volumes, packed and cut'), more: ['--remote-helper', 'off'] }]
      : []),
  ];

  it.each(underFire)(
    'loses nothing when the link is cut: $name',
    async ({ name, make, command, starts, sizes, more }) => {
      const pristine = make(bench);
      const all = [...flags(), ...more];
      const milliseconds = await timeOf(name, pristine, command, all);
      let cuts = 0;
      while (cuts < Math.ceil(LINK_CUTS / underFire.length)) {
        const guest = bench.clone(pristine);
        const memory = memoryOf(guest);
        const url = server.url(guest.disk);
        const { child, ended } = startCli(...command, url, '-y', ...all);
        await untilThere(join(`${guest.disk}.vmreclaim`, 'run.json'), child);
        for (let round = 0; round < 3 && child.exitCode === null; round++) {
          await pause(random() * milliseconds);
          if (child.exitCode === null && server.cutConnections() > 0) cuts++;
        }
        const { code, stderr } = await ended;
        if (code !== 0) throw new Error(`ended with ${code}: ${stderr}`);
        judgeGuest(guest, memory, starts, sizes);
        expectNoTraces(guest);
        bench.drop(guest);
      }
      bench.drop(pristine);
    },
    120_000 + LINK_CUTS * 20_000,
  );

  it.each(LINK_CUTS > SAMPLE ? underFire : underFire.slice(0, 1))(
    'loses nothing when the client is killed: $name',
    async ({ name, make, command, starts, sizes, more }) => {
      const pristine = make(bench);
      const all = [...flags(), ...more];
      const milliseconds = await timeOf(name, pristine, command, all);
      for (let kills = 0; kills < CLIENT_KILLS; kills++) {
        const guest = bench.clone(pristine);
        const memory = memoryOf(guest);
        const url = server.url(guest.disk);
        const { child, ended } = startCli(...command, url, '-y', ...all);
        await untilThere(join(`${guest.disk}.vmreclaim`, 'run.json'), child);
        await pause(random() * milliseconds);
        child.kill('SIGKILL');
        await ended;
        const resumed = await runCli('resume', url, ...all);
        if (resumed.code === 7 && resumed.stderr.includes('no-run'))
          await expectCli(0, ...command, url, '-y', ...all);
        else if (resumed.code !== 0) throw new Error(`resume ended with ${resumed.code}: ${resumed.stderr}`);
        judgeGuest(guest, memory, starts, sizes);
        bench.drop(guest);
      }
      bench.drop(pristine);
    },
    120_000 + LINK_CUTS * 20_000,
  );

  const times = new Map<string, number>();

  /** Milliseconds from the moment a run is in force to its end; measured once. */
  async function timeOf(
    name: string,
    pristine: Guest,
    command: readonly string[],
    all: readonly string[],
  ): Promise<number> {
    const known = times.get(name);
    if (known !== undefined) return known;
    const guest = bench.clone(pristine);
    const { child, ended } = startCli(...command, server.url(guest.disk), '-y', ...all);
    await untilThere(join(`${guest.disk}.vmreclaim`, 'run.json'), child);
    const began = performance.now();
    const { code, stderr } = await ended;
    if (code !== 0) throw new Error(`ended with ${code}: ${stderr}`);
    const milliseconds = performance.now() - began;
    times.set(name, milliseconds);
    bench.drop(guest);
    return milliseconds;
  }
});

/** Over the wire nobody knows holes: a thin disk may grow. The helper knows them. */
function memoryOf(guest: Guest, staysThin = false): Memory {
  const memory = remember(guest);
  return staysThin ? memory : { ...memory, allocatedBytes: Number.POSITIVE_INFINITY };
}

async function untilThere(path: string, child: { exitCode: number | null }): Promise<void> {
  while (!existsSync(path) && child.exitCode === null) await pause(1);
}
