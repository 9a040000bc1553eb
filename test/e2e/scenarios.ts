import type { ByteRange } from '../../src/core/range.js';
import type { Guest } from '../support/guests.js';
import { run } from '../support/judges.js';
import { fill, flatOf, unusedOf } from '../support/unused.js';
import type { Sizes, Starts } from '../support/verdicts.js';
import type { VolumeKind } from '../support/volumes.js';
import type { Workbench } from '../support/workbench.js';

/** A disk, a command that changes it, and where its partitions are afterwards. */
export interface Scenario {
  readonly name: string;
  readonly command: readonly string[];
  readonly starts: Starts;
  readonly sizes?: Sizes;
  readonly make: (bench: Workbench) => Guest;
  /** What else must hold afterwards. */
  readonly judge?: (guest: Guest) => void;
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
  return bench.partition(number, kind, start, sectors, { contentBytes });
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

/** Two volumes whose files lie at their ends, and swap between them. */
const toShrink =
  (form: 'flat' | 'split') =>
  (bench: Workbench): Guest => {
    const wish = { contentBytes: CONTENT_BYTES, fillerBytes: 80 << 20 };
    const ntfs = (number: number, start: number, sectors: number) => ({
      number,
      start,
      volume: bench.volume('ntfs', { sectors, hidden: start, ...wish }),
    });
    const partitions = [
      ntfs(1, 63, 400_000),
      part(bench, 2, 'swap', 400_384, 20_480),
      ntfs(3, 430_080, 350_000),
    ];
    return bench.guest({ name: 'disk', form, sectors: 800_000, table: 'mbr', partitions });
  };

function gptToEnlarge(bench: Workbench): Guest {
  const partitions = [
    part(bench, 1, 'ntfs', 2048, 160_000, CONTENT_BYTES / 2),
    part(bench, 2, 'ext4', 163_840, 90_000, CONTENT_BYTES / 2),
  ];
  return bench.guest({ name: 'disk', sectors: 256_000, table: 'gpt', partitions });
}

/** Where `noisy` put its noise, whatever becomes of its clones. */
const noise: ByteRange[] = [];

/** Noise in everything that is unused: most of a run is reading and clearing it. */
function noisy(bench: Workbench): Guest {
  const partitions = [
    part(bench, 1, 'ntfs', 2048, 160_000, CONTENT_BYTES / 4),
    part(bench, 2, 'ext4', 170_001, 90_000, CONTENT_BYTES / 4),
  ];
  const guest = bench.guest({ name: 'disk', sectors: 300_000, table: 'mbr', partitions });
  noise.push(...unusedOf(guest));
  fill(flatOf(guest), noise, 'noise');
  return guest;
}

/** Nothing of the noise is left. */
function expectCleared(guest: Guest): void {
  for (const { at, length } of noise) {
    const place = ['--bytes', `${length}`, '--ignore-initial', `${at}:0`];
    run('cmp', [...place, flatOf(guest), '/dev/zero']);
  }
}

/** ext4 whose files lie at its end, with NTFS in front that shrinks too: both in one plan. */
function extToShrink(bench: Workbench): Guest {
  const wish = { contentBytes: CONTENT_BYTES / 2, fillerBytes: 60 << 20 };
  const partitions = [
    { number: 1, start: 63, volume: bench.volume('ntfs', { sectors: 250_000, hidden: 63, ...wish }) },
    { number: 2, start: 251_904, volume: bench.volume('ext4', { sectors: 300_000, ...wish }) },
  ];
  return bench.guest({ name: 'disk', sectors: 600_000, table: 'mbr', partitions });
}

/** The moves and resizes that must survive a kill at any moment: each way a move is made safe, each table, each form of VMDK. */
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
  {
    name: 'shrink of two NTFS volumes, packed and cut',
    command: ['shrink', '--size', '1=100M', '--size', '3=100M'],
    starts: { 1: 128, 2: 204_928, 3: 225_408 },
    sizes: { 1: 204_800, 3: 204_800 },
    make: toShrink('flat'),
  },
  {
    name: 'shrink of a split VMDK',
    command: ['shrink', '--size', '1=100M', '--size', '3=100M'],
    starts: { 1: 128, 2: 204_928, 3: 225_408 },
    sizes: { 1: 204_800, 3: 204_800 },
    make: toShrink('split'),
  },
  {
    name: 'enlarge of NTFS on a GPT, its neighbour pushed',
    command: ['enlarge', '--size', '1=200M'],
    starts: { 2: 411_648 },
    sizes: { 1: 409_600 },
    make: gptToEnlarge,
  },
  {
    name: 'zero of NTFS and ext4',
    command: ['zero'],
    starts: { 1: 2048, 2: 170_001 },
    make: noisy,
    judge: expectCleared,
  },
  {
    name: 'shrink of NTFS and ext4, by this program and by resize2fs',
    command: ['shrink', '--size', '1=70M', '--size', '2=70M'],
    starts: { 1: 128, 2: 143_488 },
    sizes: { 1: 143_360, 2: 143_360 },
    make: extToShrink,
  },
];
