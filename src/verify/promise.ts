import { verifyError } from '../core/errors.js';
import { KIB } from '../core/units.js';
import type { DiskFacts, PartitionFacts } from '../inspect/types.js';
import type { LayoutPartition, Plan } from '../plan/types.js';

/** What the rehearsal found a resized file system to use. */
export interface RehearsedUse {
  readonly number: number;
  readonly usedBytes: number | null;
}

/**
 * Compares facts with what the plan promised: size, table, every partition's place, type, file system, serial,
 * label and used bytes. Throws Verify with the first difference. The rehearsal and the finished run are judged alike.
 */
export function checkPromise(
  plan: Plan,
  before: DiskFacts,
  facts: DiskFacts,
  rehearsed: readonly RehearsedUse[] = [],
): void {
  equal('size of the disk', plan.after.sizeBytes, facts.sizeBytes);
  equal('partition table', before.table, facts.table);
  equal('disk id', before.identity.diskId, facts.identity.diskId);
  // `zero` leaves the tables as they are: a backup GPT that the disk has outgrown too.
  if (plan.zero === undefined) equal('state of the partition table', 'ok', tableState(facts));
  else equal('checksum of the tables', before.identity.tableChecksum, facts.identity.tableChecksum);
  equal('number of partitions', plan.after.partitions.length, facts.partitions.length);
  for (const promised of plan.after.partitions) {
    const found = facts.partitions.find(({ number }) => number === promised.number);
    if (found === undefined) throw verifyError('not-as-promised', `partition ${promised.number} is missing`);
    checkPartition(promised, found, plan, rehearsed);
  }
}

/** Damage to tables shows as state; reasons that the disk had before (a lock, say) do not matter here. */
function tableState(facts: DiskFacts): string {
  const copies =
    facts.gpt === null || facts.table !== 'gpt' ? [] : [facts.gpt.primaryState, facts.gpt.backupState];
  const bad = copies.find((state) => state !== 'good');
  if (bad !== undefined) return bad;
  const problem = (facts.table === 'gpt' ? facts.gpt?.problems : facts.mbr?.problems)?.[0];
  return problem?.message ?? (facts.state === 'damaged' ? (facts.reasons[0]?.message ?? 'damaged') : 'ok');
}

function checkPartition(
  promised: LayoutPartition,
  found: PartitionFacts,
  { resizes, disk }: Plan,
  rehearsed: readonly RehearsedUse[],
): void {
  const isResized = resizes.some(({ number }) => number === promised.number);
  const name = `partition ${promised.number}`;
  equal(`start of ${name}`, promised.startLba, found.startLba);
  equal(`sectors of ${name}`, promised.sectorCount, found.sectorCount);
  equal(`type of ${name}`, promised.type, found.type);
  equal(`EBR of ${name}`, promised.ebrLba, found.ebrLba);
  equal(`file system of ${name}`, promised.filesystem, found.filesystem?.kind ?? null);
  equal(`serial number of ${name}`, promised.serial, found.filesystem?.serial ?? null);
  equal(`label of ${name}`, promised.label, found.filesystem?.label ?? null);
  const known = rehearsed.find(({ number }) => number === promised.number);
  // A resize changes it by its own records: only the rehearsal knows.
  if (known !== undefined || !isResized) {
    equal(`used bytes of ${name}`, (known ?? promised).usedBytes, found.filesystem?.usedBytes ?? null);
  }
  if (isResized) checkFills(name, found, disk.sectorSize);
}

/** Less than this of a resized partition may lie behind its file system, or less than a cluster. */
const SLACK_BYTES = 64 * KIB;

/** resize2fs gives up a last group that is too short for its own tables; they are at most this many blocks. */
const EXT_GROUP_BLOCKS = 4096;

/** A resized file system fills its partition, and ends inside it. */
function checkFills(name: string, { filesystem, sectorCount }: PartitionFacts, sectorSize: number): void {
  const total = filesystem?.totalBytes ?? 0;
  const room = sectorCount * sectorSize - total;
  const cluster = filesystem?.clusterBytes ?? 0;
  const isExt = filesystem?.kind.startsWith('ext') === true;
  const slack = Math.max(SLACK_BYTES, isExt ? EXT_GROUP_BLOCKS * cluster : cluster);
  if (room >= 0 && room <= slack + sectorSize) return;
  throw verifyError('not-as-promised', `the file system of ${name} does not fill it`, {
    expected: `${sectorCount * sectorSize} bytes, or a little less`,
    actual: total,
  });
}

function equal(what: string, expected: string | number | null, actual: string | number | null): void {
  if (expected === actual) return;
  throw verifyError('not-as-promised', `the ${what} is not what the plan promised`, {
    expected: String(expected),
    actual: String(actual),
  });
}
