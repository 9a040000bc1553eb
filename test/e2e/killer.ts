import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeSlot } from '../../src/execute/record.js';
import type { Checkpoint } from '../../src/execute/types.js';
import { type CliResult, expectCli, runCli, startCli } from '../support/cli.js';
import type { Guest } from '../support/guests.js';

/**
 * How far a run had come when it was killed: nothing written; a journal not in force; in force, the disk untouched;
 * changing the disk; verified, putting the descriptor back; over, its litter not swept up.
 */
export const STAGES = ['before', 'preparing', 'sealed', 'changing', 'finishing', 'sweeping'] as const;
export type Stage = (typeof STAGES)[number];

/** Stages in which the disk only becomes whole again by a resume. */
const IN_FLIGHT: ReadonlySet<Stage> = new Set<Stage>(['sealed', 'changing', 'finishing']);
export const isInFlight = (stage: Stage): boolean => IN_FLIGHT.has(stage);

const SLOT_BYTES = 4096;

/** The stage that the files beside the disk tell of. */
export function stageOf({ disk }: Guest): Stage {
  const folder = `${disk}.vmreclaim`;
  if (!existsSync(folder)) return 'before';
  if (!existsSync(join(folder, 'run.json'))) {
    // The header goes first: with the spill area still there the run was over, or had not begun.
    return existsSync(join(folder, 'checkpoint')) ? 'sweeping' : 'preparing';
  }
  const newest = newestCheckpoint(readFileSync(join(folder, 'checkpoint')));
  if (newest === undefined) throw new Error('both checkpoints of the journal are torn');
  const { started, verified } = newest;
  if (verified) return 'finishing';
  return started ? 'changing' : 'sealed';
}

/** The newest checkpoint of the run in flight; undefined without one. */
export function newestCheckpointOf({ disk }: Pick<Guest, 'disk'>): Checkpoint | undefined {
  const path = join(`${disk}.vmreclaim`, 'checkpoint');
  try {
    return newestCheckpoint(readFileSync(path));
  } catch {
    // Not there yet, or gone again.
    return undefined;
  }
}

function newestCheckpoint(bytes: Buffer): Checkpoint | undefined {
  const slots = [0, 1].map((slot) => decodeSlot(bytes.subarray(slot * SLOT_BYTES, (slot + 1) * SLOT_BYTES)));
  const whole = slots.filter((value): value is Checkpoint => value !== undefined);
  return whole.sort((a, b) => b.sequence - a.sequence)[0];
}

/** When to kill: so many milliseconds after the start, after the rehearsal began, after the journal came into force, or after the verification. */
export interface Aim {
  readonly after: 'start' | 'rehearsal' | 'journal' | 'verified';
  readonly milliseconds: number;
}

const POLL_MS = 1;
const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Starts a command and kills it as soon as `isTime` says so. */
export async function killWhen(isTime: () => boolean, ...args: string[]): Promise<void> {
  const { child, ended } = startCli(...args);
  while (!isTime() && child.exitCode === null) await pause(POLL_MS);
  child.kill('SIGKILL');
  await ended;
}

/** Starts a command and kills it; undefined when it was killed, else how it ended by itself before. */
async function killAt(guest: Guest, aim: Aim, ...args: string[]): Promise<CliResult | undefined> {
  const { child, ended } = startCli(...args);
  while (!isTime(guest, aim) && child.exitCode === null) await pause(POLL_MS);
  const timer = setTimeout(() => child.kill('SIGKILL'), aim.milliseconds);
  const result = await ended;
  clearTimeout(timer);
  return result.signal === 'SIGKILL' ? undefined : result;
}

function isTime({ disk }: Guest, { after }: Aim): boolean {
  if (after === 'start') return true;
  const folder = `${disk}.vmreclaim`;
  if (after === 'rehearsal') return existsSync(folder);
  if (after === 'journal') return existsSync(join(folder, 'run.json'));
  return newestCheckpointOf({ disk })?.verified === true;
}

/** Milliseconds from the start of a command until its rehearsal begins, until its journal is in force, to its end. */
export interface Timing {
  readonly rehearsal: number;
  readonly journal: number;
  readonly end: number;
}

/** Runs a command that must succeed, and takes its times. */
export async function timed(guest: Guest, ...args: string[]): Promise<Timing> {
  const began = performance.now();
  const { child, ended } = startCli(...args);
  const times = { rehearsal: 0, journal: 0 };
  for (const after of ['rehearsal', 'journal'] as const) {
    while (!isTime(guest, { after, milliseconds: 0 }) && child.exitCode === null) await pause(POLL_MS);
    times[after] = performance.now() - began;
  }
  const { code, stderr, milliseconds } = await ended;
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}:\n${stderr}`);
  return { ...times, end: milliseconds };
}

/**
 * Changes a disk while somebody kills every attempt at a random moment, at most `kills` times; then lets it finish.
 * Returns the stage each kill left behind. An operator does the same: resume, and begin again when there was no run.
 */
export async function changeUnderFire(
  guest: Guest,
  command: readonly string[],
  kills: number,
  aim: (resuming: boolean) => Aim,
): Promise<Stage[]> {
  const stages: Stage[] = [];
  let resuming = false;
  while (stages.length < kills) {
    const args = resuming ? ['resume', guest.disk] : [...command, guest.disk, '-y'];
    const result = await killAt(guest, aim(resuming), ...args);
    if (result !== undefined) {
      if (result.code === 0) return stages;
      throw new Error(`ended with ${result.code} after kills in ${stages.join(', ')}:\n${result.stderr}`);
    }
    const stage = stageOf(guest);
    stages.push(stage);
    resuming = isInFlight(stage);
  }
  await finish(guest, command);
  return stages;
}

/** What the manual says after a crash: resume; where no run had begun, or it was over, the command once more. */
async function finish(guest: Guest, command: readonly string[]): Promise<void> {
  const resumed = await runCli('resume', guest.disk);
  if (resumed.code === 0) return;
  if (resumed.code !== 7 || !resumed.stderr.includes('no run is in flight')) {
    throw new Error(`resume ended with ${resumed.code}:\n${resumed.stderr}`);
  }
  await expectCli(0, ...command, guest.disk, '-y');
}
