import { expectCli } from '../support/cli.js';
import type { Guest } from '../support/guests.js';
import { judgeGuest, remember, type Sizes, type Starts } from '../support/verdicts.js';
import { printOf } from '../support/workbench.js';

/**
 * Runs a changing command, lets every judge look, then runs it again: nothing may be left to do, and nothing be
 * written. Partitions shall start where `starts` says; those not named stay.
 */
export const judged = (guest: Guest, starts: Starts, ...command: string[]): Promise<void> =>
  judgedResize(guest, starts, {}, ...command);

/** The same for a command that resizes: `sizes` are the sectors that the partitions named there shall have. */
export async function judgedResize(
  guest: Guest,
  starts: Starts,
  sizes: Sizes,
  ...command: string[]
): Promise<void> {
  const memory = remember(guest);
  await expectCli(0, ...command, guest.disk, '-y');
  judgeGuest(guest, memory, starts, sizes);
  const print = printOf(guest.folder);
  const again = await expectCli(0, ...command, guest.disk, '--json');
  const { status, bytesWritten, runId } = JSON.parse(again.stdout) as Record<string, unknown>;
  const nothing = { status, bytesWritten, runId };
  if (JSON.stringify(nothing) !== '{"status":"nothing-to-do","bytesWritten":0,"runId":null}') {
    throw new Error(`a second ${command.join(' ')} is not idle: ${again.stdout}`);
  }
  if (printOf(guest.folder) !== print) throw new Error(`a second ${command.join(' ')} wrote something`);
}

/** Runs a command that must end with `code` and the reason `reason`, and leave every byte and every file alone. */
export async function refusedBy(
  guest: Pick<Guest, 'folder' | 'disk'>,
  code: number,
  reason: string,
  ...command: string[]
) {
  const print = printOf(guest.folder);
  const { stderr } = await expectCli(code, ...command, guest.disk, '-y', '--json', '--quiet');
  const { error } = JSON.parse(stderr) as { error: { code: string; hint?: string } };
  if (error.code !== reason) throw new Error(`expected the reason ${reason}: ${stderr}`);
  if (printOf(guest.folder) !== print) throw new Error(`${reason}: something was changed`);
  return error;
}

/** Bytes that scan says are free in a partition. */
export async function freeIn({ disk }: Guest, number: number): Promise<number> {
  const scan = JSON.parse((await expectCli(0, 'scan', disk, '--json')).stdout) as {
    disks: { partitions: { number: number; filesystem: { freeBytes: number } | null }[] }[];
  };
  const found = scan.disks[0]?.partitions.find((each) => each.number === number);
  return found?.filesystem?.freeBytes ?? Number.NaN;
}
