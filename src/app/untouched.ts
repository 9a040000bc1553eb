import { conflict } from '../core/errors.js';
import { shellQuote } from '../core/text.js';
import type { Reader } from '../device/types.js';
import { windowReader } from '../device/window.js';
import type { Disk } from '../disk/types.js';
import type { Journal } from '../execute/journal.js';
import type { VolumeStamp } from '../execute/types.js';
import { inspectDisk } from '../inspect/inspect.js';
import { stampOfVolume } from '../inspect/stamp.js';
import type { Plan } from '../plan/types.js';
import { readCheckpoint } from './restorable.js';

/** Of each volume that a plan moves, resizes or clears: what tells whether it is as it was. No phase before the first change alters that. */
export async function stampVolumes(disk: Reader, plan: Plan, signal?: AbortSignal): Promise<VolumeStamp[]> {
  const touched = new Set(
    [...plan.moves, ...plan.resizes, ...(plan.zero?.areas ?? [])].map(({ number }) => number),
  );
  const stamps: VolumeStamp[] = [];
  for (const { number, startLba, sectorCount } of plan.before.partitions) {
    if (!touched.has(number)) continue;
    const { sectorSize } = plan.disk;
    const volume = windowReader(disk, startLba * sectorSize, sectorCount * sectorSize, `partition ${number}`);
    stamps.push({ number, crc: await stampOfVolume(volume, signal) });
  }
  return stamps;
}

/**
 * Until a run has begun to change its disk a guest can be started from it, where no hidden descriptor stands in the way: a raw image,
 * or a flat file used as one. Its program is of no use then: what it would clear, or take for free, may hold files by now.
 * Throws Conflict (changed-since-plan). Behind the first change nothing is asked: then the run can only be finished.
 */
export async function checkUntouched(disk: Disk, journal: Journal, signal?: AbortSignal): Promise<void> {
  if ((await readCheckpoint(journal)).started || (await journal.shiftUnderWay()) !== undefined) return;
  const { plan, facts, stamps } = journal.header;
  const now = await inspectDisk(disk);
  const isSameTable = now.identity.tableChecksum === facts.identity.tableChecksum;
  const found = isSameTable && stamps !== undefined ? await stampVolumes(disk.device, plan, signal) : [];
  const changed = found.find(({ crc }, index) => crc !== stamps?.[index]?.crc);
  if (isSameTable && changed === undefined) return;
  const what = changed === undefined ? 'the partition table' : `partition ${changed.number}`;
  throw conflict('changed-since-plan', `${what} was changed after the run began: it cannot go on`, {
    path: disk.source.path,
    hint: `nothing in use was changed by the run: drop it with vmreclaim abandon ${shellQuote(disk.source.path)}, and begin anew`,
  });
}
