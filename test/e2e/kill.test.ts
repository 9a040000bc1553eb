import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Guest } from '../support/guests.js';
import { rootJudge } from '../support/judges.js';
import { seededRandom } from '../support/random.js';
import { UNUSED_JUDGES } from '../support/unused.js';
import { JUDGES, judgeGuest, remember } from '../support/verdicts.js';
import { Workbench } from '../support/workbench.js';
import { type Aim, changeUnderFire, isInFlight, STAGES, type Stage, type Timing, timed } from './killer.js';
import { SCENARIOS, type Scenario } from './scenarios.js';

/** How many processes are killed in all; scripts/campaign.sh asks for more. */
const KILLS = Number(process.env.VMRECLAIM_KILLS ?? 12);
/** How many scenarios, chosen anew each time; the campaign takes all. */
const SCENARIO_COUNT = Number(process.env.VMRECLAIM_SCENARIOS ?? 4);
const SEED = Number(process.env.VMRECLAIM_SEED ?? Date.now() % 1_000_000);
/** In one go through a disk: the run itself and some of its resumes. */
const MAX_KILLS_PER_DISK = 4;
/** From the verification to the end of the run: a few small files. */
const VERIFIED_MS = 15;
/** Fewer hits in flight would mean that the delays miss what they are for. */
const MIN_IN_FLIGHT = 0.3;

const bench = new Workbench();
const random = seededRandom(SEED);
const tally = new Map<string, Stage[]>();
const CHOSEN = SCENARIOS.map((scenario) => ({ scenario, rank: random() }))
  .sort((a, b) => a.rank - b.rank)
  .slice(0, SCENARIO_COUNT)
  .map(({ scenario }) => scenario);

beforeAll(() => console.log(`kills: ${KILLS}, VMRECLAIM_SEED=${SEED}`));
afterAll(() => {
  bench.remove();
  console.log(summary());
});

/** Runs the command once without disturbance: its times are the range of the delays. */
async function measure(guest: Guest, { command, starts, sizes }: Scenario): Promise<Timing> {
  const memory = remember(guest);
  const timing = await timed(guest, ...command, guest.disk, '-y');
  judgeGuest(guest, memory, starts, sizes);
  bench.drop(guest);
  return timing;
}

/** Most kills while the disk changes; some anywhere; some in the short time in which the descriptor comes back. */
function aimBy({ rehearsal, journal, end }: Timing, resuming: boolean): Aim {
  const choice = random();
  if (choice < 0.1) return { after: 'start', milliseconds: random() * end };
  if (choice < 0.25) return { after: 'verified', milliseconds: random() * VERIFIED_MS };
  // A resume has its journal already, and no rehearsal.
  if (resuming)
    return { after: 'start', milliseconds: rehearsal / 2 + random() * (rehearsal + end - journal) };
  if (choice < 0.4) return { after: 'rehearsal', milliseconds: random() * (journal - rehearsal) };
  return { after: 'journal', milliseconds: random() * (end - journal) };
}

async function campaign(scenario: Scenario, kills: number): Promise<Stage[]> {
  const pristine = scenario.make(bench);
  const timing = await measure(bench.clone(pristine), scenario);
  const stages: Stage[] = [];
  while (stages.length < kills) {
    const guest = bench.clone(pristine);
    const memory = remember(guest);
    const rounds = Math.min(kills - stages.length, 1 + Math.floor(random() * MAX_KILLS_PER_DISK));
    stages.push(
      ...(await changeUnderFire(guest, scenario.command, rounds, (resuming) => aimBy(timing, resuming))),
    );
    judgeGuest(guest, memory, scenario.starts, scenario.sizes);
    scenario.judge?.(guest);
    bench.drop(guest);
  }
  bench.drop(pristine);
  return stages;
}

function summary(): string {
  const lines = [...tally].map(([name, hits]) => {
    const counts = STAGES.map((stage) => `${stage} ${hits.filter((hit) => hit === stage).length}`);
    return `${name}: ${hits.length} kills (${counts.join(', ')})`;
  });
  return lines.join('\n');
}

describe.skipIf(!rootJudge(...JUDGES, ...UNUSED_JUDGES, 'resize2fs', 'nbdfuse', 'fusermount3'))(
  'SIGKILL at any moment, then resume: nothing is lost',
  () => {
    const share = Math.ceil(KILLS / CHOSEN.length);
    it.each(CHOSEN)(
      '$name',
      async (scenario) => {
        tally.set(scenario.name, await campaign(scenario, share));
      },
      60_000 + share * 30_000,
    );

    it('hit the runs while they were in flight, and more than one stage of them', () => {
      const hits = [...tally.values()].flat();
      expect(hits.filter(isInFlight).length).toBeGreaterThanOrEqual(hits.length * MIN_IN_FLIGHT);
      expect(new Set(hits).size).toBeGreaterThanOrEqual(2);
    });
  },
);
