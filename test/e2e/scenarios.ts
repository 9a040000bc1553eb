import type { Guest } from '../support/guests.js';
import type { Starts } from '../support/verdicts.js';
import type { VolumeKind } from '../support/volumes.js';
import type { Workbench } from '../support/workbench.js';

/** A disk, a command that changes it, and where its partitions are afterwards. */
export interface Scenario {
  readonly name: string;
  readonly command: readonly string[];
  readonly starts: Starts;
  readonly make: (bench: Workbench) => Guest;
}

/** Enough to move that most of a run is moving. */
const CONTENT_BYTES = 40 << 20;

function part(
  bench: Workbench,
  number: number,
  kind: VolumeKind,
  start: number,
  sectors: number,
  contentBytes = 0,
) {
  return { number, start, volume: bench.volume(kind, { sectors, contentBytes, hidden: start }) };
}

const oneNtfs = (start: number, form: 'flat' | 'split') => (bench: Workbench) =>
  bench.guest({
    name: 'disk',
    form,
    sectors: 230_000,
    table: 'mbr',
    partitions: [part(bench, 1, 'ntfs', start, 160_641, CONTENT_BYTES)],
  });

function logicals(bench: Workbench): Guest {
  const partitions = [
    part(bench, 1, 'ntfs', 63, 160_587, CONTENT_BYTES / 2),
    part(bench, 5, 'ext4', 160_713, 90_000, CONTENT_BYTES / 2),
    part(bench, 6, 'opaque', 257_103, 40_001),
  ];
  const extended = { number: 2, start: 160_650, sectors: 160_000 };
  return bench.guest({ name: 'disk', sectors: 330_000, table: 'mbr', partitions, extended });
}

function gpt(bench: Workbench): Guest {
  const partitions = [
    part(bench, 1, 'ntfs', 2049, 160_000, CONTENT_BYTES / 2),
    part(bench, 3, 'ext4', 180_001, 90_000, CONTENT_BYTES / 2),
  ];
  return bench.guest({ name: 'disk', sectors: 300_000, table: 'gpt', partitions });
}

/** The moves that must survive a kill at any moment: each way a move is made safe, each table, each form of VMDK. */
export const SCENARIOS: readonly Scenario[] = [
  { name: 'NTFS 63 to 128, journaled', command: ['align'], starts: { 1: 128 }, make: oneNtfs(63, 'flat') },
  {
    name: 'NTFS 63 to 2048, journaled',
    command: ['align', '--boundary', '1M'],
    starts: { 1: 2048 },
    make: oneNtfs(63, 'flat'),
  },
  {
    name: 'NTFS to the left by 24 MiB, direct',
    command: ['move-extents', '--to', '1=128'],
    starts: { 1: 128 },
    make: oneNtfs(50_001, 'flat'),
  },
  {
    name: 'a primary partition and two logicals',
    command: ['align'],
    starts: { 1: 128, 2: 160_768, 5: 160_896, 6: 257_152 },
    make: logicals,
  },
  { name: 'a GPT with slots 1 and 3', command: ['align'], starts: { 1: 2176, 3: 180_096 }, make: gpt },
  { name: 'a split VMDK', command: ['align'], starts: { 1: 128 }, make: oneNtfs(63, 'split') },
];
