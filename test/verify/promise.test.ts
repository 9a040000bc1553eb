import { describe, expect, it } from 'vitest';
import { lba } from '../../src/core/units.js';
import type { DiskFacts, PartitionFacts } from '../../src/inspect/types.js';
import { makePlan } from '../../src/plan/plan.js';
import { checkPromise } from '../../src/verify/promise.js';
import { alignRequest, diskFacts, factsAfter, filesystemFacts, type Part } from '../plan/layouts.js';

const ntfs = filesystemFacts('ntfs', { label: 'System', serial: '0123456789ABCDEF', usedBytes: 12_345_344 });
const parts: Part[] = [
  { number: 1, startLba: 63, sectorCount: 100_000, filesystem: ntfs },
  { number: 2, kind: 'extended', startLba: 110_000, sectorCount: 60_000 },
  {
    number: 5,
    kind: 'logical',
    ebrLba: 110_000,
    startLba: 110_063,
    sectorCount: 50_000,
    filesystem: filesystemFacts('ext4'),
  },
];
const before = diskFacts(300_000, parts);
const plan = makePlan(before, alignRequest());
const kept = factsAfter(before, plan);

const failure = (message: RegExp) =>
  expect.objectContaining({
    family: 'verify',
    code: 'not-as-promised',
    message: expect.stringMatching(message),
  });

/** The kept promise but for one partition. */
function withPartition(number: number, change: Partial<PartitionFacts>): DiskFacts {
  const partitions = kept.partitions.map((each) => (each.number === number ? { ...each, ...change } : each));
  return { ...kept, partitions };
}

describe('checkPromise', () => {
  it('is content with what the plan promised, whatever else the disk has', () => {
    expect(() => checkPromise(plan, before, kept)).not.toThrow();
    const locked = {
      ...kept,
      state: 'refused' as const,
      reasons: [{ code: 'interrupted', message: 'a run is in flight' }],
      identity: { ...kept.identity, tableChecksum: 99 },
    };
    expect(() => checkPromise(plan, before, locked)).not.toThrow();
  });

  it.each<[string, DiskFacts, RegExp]>([
    ['the size', { ...kept, sizeBytes: kept.sizeBytes + 512 }, /size of the disk/],
    ['the table', { ...kept, table: 'none' }, /partition table/],
    ['the disk id', { ...kept, identity: { ...kept.identity, diskId: '00000000' } }, /disk id/],
    ['a lost partition', { ...kept, partitions: kept.partitions.slice(1) }, /number of partitions/],
    ['a new partition', { ...kept, partitions: [...kept.partitions, ...kept.partitions] }, /number/],
    ['another number', withPartition(1, { number: 3 }), /partition 1 is missing/],
    ['a start', withPartition(1, { startLba: lba(63) }), /start of partition 1/],
    ['a size', withPartition(1, { sectorCount: 100_000 }), /sectors of partition 1/],
    ['the container', withPartition(2, { sectorCount: 1 }), /sectors of partition 2/],
    ['a type', withPartition(1, { type: '0x07' }), /type of partition 1/],
    ['an EBR', withPartition(5, { ebrLba: lba(110_062) }), /EBR of partition 5/],
    ['a lost file system', withPartition(1, { filesystem: null }), /file system of partition 1/],
    ['another one', withPartition(5, { filesystem: ntfs }), /file system of partition 5/],
    ['a serial number', withPartition(1, { filesystem: { ...ntfs, serial: '0' } }), /serial/],
    ['a label', withPartition(1, { filesystem: { ...ntfs, label: null } }), /label/],
    ['the used bytes', withPartition(1, { filesystem: { ...ntfs, usedBytes: 12_345_343 } }), /used bytes/],
    [
      'damage to the table',
      { ...kept, state: 'damaged', reasons: [{ code: 'ebr-chain', message: 'the chain loops' }] },
      /state of the partition table/,
    ],
  ])('notices a difference in %s', (_, facts, message) => {
    expect(() => checkPromise(plan, before, facts)).toThrow(failure(message));
  });

  it('says what it expected and what it found', () => {
    expect(() => checkPromise(plan, before, withPartition(1, { startLba: lba(63) }))).toThrow(
      expect.objectContaining({ detail: expect.objectContaining({ expected: '128', actual: '63' }) }),
    );
  });

  it('wants both copies of a GPT', () => {
    const disk = diskFacts(300_000, [{ number: 1, startLba: 40, sectorCount: 1000 }], { table: 'gpt' });
    const promise = makePlan(disk, alignRequest());
    const after = factsAfter(disk, promise);
    expect(() => checkPromise(promise, disk, after)).not.toThrow();
    for (const change of [
      { primaryState: 'bad-crc' as const },
      { backupState: 'misplaced' as const },
      { problems: [{ code: 'overlap', message: 'two entries overlap' }] },
    ]) {
      const broken = { ...after, gpt: after.gpt && { ...after.gpt, ...change } };
      expect(() => checkPromise(promise, disk, broken)).toThrow(failure(/state of the partition table/));
    }
  });
});
