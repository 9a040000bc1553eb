import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { expect } from 'vitest';
import { cutOut, type Guest } from './guests.js';
import { run } from './judges.js';
import { hashBytes, hashPieces, listVolume } from './mounts.js';
import { driverOf, SECTOR, type Volume } from './volumes.js';

/** Everything that builders and verdicts need on this host. */
export const JUDGES = [
  'mkntfs',
  'ntfs-3g',
  'ntfsresize',
  'ntfsfix',
  'ntfs-3g.probe',
  'mke2fs',
  'e2fsck',
  'mkswap',
  'mkfs.fat',
  'fsck.fat',
  'mkfs.exfat',
  'fsck.exfat',
  'sfdisk',
  'sgdisk',
  'qemu-img',
  'qemu-io',
  'getfattr',
  'setfattr',
] as const;

/** What a guest was before a command; judged against afterwards. */
export interface Memory {
  readonly names: readonly string[];
  /** Of the extent files: a change in place keeps them. */
  readonly inodes: readonly number[];
  readonly sizeBytes: number;
  readonly allocatedBytes: number;
  /** Separate stretches of data in the extent files. */
  readonly segments: number;
  readonly descriptor: string;
  readonly table: readonly TablePartition[];
  /** What lies before all partitions, without the entries of the table: boot code. */
  readonly bootCode: string;
  /** Hash over each partition, by number. */
  readonly hashes: ReadonlyMap<number, string>;
}

interface TablePartition {
  readonly number: number;
  readonly start: number;
  readonly size: number;
  readonly type: string;
  readonly uuid?: string;
  readonly name?: string;
}

/**
 * A thin disk may grow by this much for each stretch of data: one block of the store (4 KiB) where it lands off the
 * store's blocks, and what it leaves behind where that is too little to be given back (64 KiB).
 */
const GROWTH_BYTES = 72 * 1024;

/** Where partitions shall be now, by number; those not named have not moved. */
export type Starts = Readonly<Record<number, number>>;

/** Sectors that resized partitions shall have now, by number; those not named have not become smaller. */
export type Sizes = Readonly<Record<number, number>>;

/** Remembers everything about a guest that a change must keep. */
export function remember(guest: Guest): Memory {
  return withImage(guest, (image) => {
    const table = readTable(image);
    return {
      names: readdirSync(guest.folder).sort(),
      inodes: inodesOf(guest),
      sizeBytes: statSync(image).size,
      allocatedBytes: allocatedBytes(guest),
      segments: guest.extents.reduce((sum, path) => sum + dataSegments(path), 0),
      descriptor: guest.form === 'raw' ? '' : readFileSync(guest.disk, 'latin1'),
      table,
      bootCode: hashBootCode(guest, image),
      hashes: new Map(table.map(({ number, start, size }) => [number, hashSectors(image, start, size)])),
    };
  });
}

/** The whole verdict over a guest after a change: table, every volume, files on the host. Returns the table. */
export function judgeGuest(
  guest: Guest,
  memory: Memory,
  starts: Starts,
  sizes: Sizes = {},
): readonly TablePartition[] {
  judgeFiles(guest, memory);
  return withImage(guest, (image) => {
    const table = judgeTable(guest, image, memory, starts, sizes);
    expect(hashBootCode(guest, image)).toBe(memory.bootCode);
    for (const { number, start, size } of table.filter(
      ({ number }) => !(number in starts || number in sizes),
    )) {
      expect(hashSectors(image, start, size)).toBe(memory.hashes.get(number));
    }
    for (const { number, volume } of guest.partitions) {
      const entry = table.find((each) => each.number === number);
      if (entry === undefined) throw new Error(`partition ${number} is gone`);
      const part = cutOut(image, entry.start, entry.size, join(guest.folder, `cut-${number}`));
      try {
        judgeVolume(volume, part, entry.start);
      } finally {
        rmSync(part);
      }
    }
    return table;
  });
}

/** The disk as one flat image. Of a VMDK it is the one that qemu reads, so the descriptor is judged as well. */
function withImage<T>(guest: Guest, use: (image: string) => T): T {
  if (guest.form === 'raw') return use(guest.disk);
  const image = join(guest.folder, '..', 'flattened');
  try {
    run('qemu-img', ['convert', '-f', 'vmdk', '-O', 'raw', guest.disk, image]);
    return use(image);
  } finally {
    rmSync(image, { force: true });
  }
}

/** The partitions as sfdisk sees them. */
export function readTable(image: string): TablePartition[] {
  const { partitiontable } = JSON.parse(run('sfdisk', ['--json', image])) as {
    partitiontable: { partitions: (Omit<TablePartition, 'number'> & { node: string })[] };
  };
  return partitiontable.partitions.map(({ node, ...entry }) => ({
    ...entry,
    number: Number(/\d+$/.exec(node.slice(image.length))?.[0]),
  }));
}

function judgeTable(
  guest: Guest,
  image: string,
  memory: Memory,
  starts: Starts,
  sizes: Sizes,
): TablePartition[] {
  expect(run('sfdisk', ['--verify', image])).toContain('No errors detected');
  if (guest.table === 'gpt') expect(run('sgdisk', ['-v', image])).toContain('No problems found');
  const table = readTable(image);
  expect(table.map(identity)).toEqual(memory.table.map(identity));
  const found = Object.fromEntries(table.map(({ number, start }) => [number, start]));
  expect(found).toEqual({
    ...Object.fromEntries(memory.table.map(({ number, start }) => [number, start])),
    ...starts,
  });
  for (const { number, size, type } of memory.table) {
    const found = table.find((entry) => entry.number === number)?.size;
    if (number in sizes) expect(`${number}: ${found}`).toBe(`${number}: ${sizes[number]}`);
    // An extended partition only has to hold its logicals.
    else if (type !== 'f') expect(found).toBeGreaterThanOrEqual(size);
  }
  return table;
}

/** What a move must never touch: slot, type, GUIDs, names. */
const identity = ({ start: _start, size: _size, ...rest }: TablePartition) => rest;

/** Asks every tool that knows the kind of volume, and compares the content with the volume it was made from. */
export function judgeVolume(volume: Volume, part: string, start: number): void {
  switch (volume.kind) {
    case 'ntfs':
      judgeNtfs(part, start);
      break;
    case 'fat32':
      run('fsck.fat', ['-n', part]);
      expect(hashVolume(volume, part)).toBe(hashVolume(volume, volume.path));
      expect(readUInt32(part, 0x1c)).toBe(start);
      expect(readUInt32(part, 6 * SECTOR + 0x1c)).toBe(start);
      break;
    case 'exfat':
      run('fsck.exfat', ['-n', part]);
      expect(hashVolume(volume, part)).toBe(hashVolume(volume, volume.path));
      expect(readUInt32(part, 0x40)).toBe(start);
      expect(readUInt32(part, 12 * SECTOR + 0x40)).toBe(start);
      break;
    case 'opaque':
      expect(statSync(part).size).toBe(volume.sectors * SECTOR);
      expect(hashVolume(volume, part)).toBe(hashVolume(volume, volume.path));
      break;
    case 'swap':
      expect(hashVolume(volume, part)).toBe(hashVolume(volume, volume.path));
      break;
    default:
      run('e2fsck', ['-f', '-n', part]);
  }
  const driver = driverOf(volume.kind);
  if (driver === undefined) return;
  // A file in more pieces than before has a block more for its extents; folders whose entries resize2fs numbers anew get
  // the time of day.
  const isResizedExt = driver === 'ext' && statSync(part).size !== volume.sectors * SECTOR;
  const told = (listing: string) => (isResizedExt ? whatResizeKeeps(listing) : listing);
  expect(told(listVolume(driver, part))).toBe(told(volume.listing));
}

const whatResizeKeeps = (listing: string): string =>
  listing
    .split('\n')
    .map((line) => line.replace(/^(d \d+ \d+) \d+ \S+/, '$1').replace(/^([^d] \d+ \d+) \d+/, '$1'))
    .sort()
    .join('\n');

/**
 * A partition cut out at its exact length, or a block device of that length: ntfsfix looks for the backup boot sector
 * at the end.
 */
export function judgeNtfs(part: string, start: number, sizeBytes = statSync(part).size): void {
  const last = sizeBytes - SECTOR;
  for (const at of [0, last]) {
    expect(readUInt32(part, at + 3)).toBe(0x5346544e);
    expect(readUInt32(part, at + 0x1c)).toBe(start);
  }
  expect(hashRange(part, 0)).toBe(hashRange(part, last));
  expect(run('ntfsresize', ['--info', '--force', '--no-progress-bar', part])).toContain(
    'You might resize at',
  );
  expect(run('ntfsfix', ['-n', part])).toContain('processed successfully');
  run('ntfs-3g.probe', ['--readwrite', part]);
}

function readUInt32(path: string, at: number): number {
  return readBytes(path, at, 4).readUInt32LE();
}

function readBytes(path: string, at: number, length: number): Buffer {
  const fd = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(length);
    expect(readSync(fd, bytes, 0, length, at)).toBe(length);
    return bytes;
  } finally {
    closeSync(fd);
  }
}

/** The MBR up to the disk signature, and the sectors up to the first place that partitions may take. */
function hashBootCode({ table }: Guest, image: string): string {
  if (table === 'gpt') return '';
  return hashBytes(readBytes(image, 0, 446)) + hashSectors(image, 1, 62);
}

function hashSectors(image: string, start: number, count: number): string {
  return hashPieces(image, { at: start * SECTOR, length: count * SECTOR });
}

const hashRange = (path: string, at: number): string => hashBytes(readBytes(path, at, SECTOR));

/** Fields that follow the partition's start: [offset, length] of each copy. exFAT's are part of a checksum sector. */
const MOVING_FIELDS: Readonly<Partial<Record<Volume['kind'], readonly (readonly [number, number])[]>>> = {
  fat32: [
    [0x1c, 4],
    [6 * SECTOR + 0x1c, 4],
  ],
  exfat: [
    [0x40, 8],
    [11 * SECTOR, SECTOR],
    [12 * SECTOR + 0x40, 8],
    [23 * SECTOR, SECTOR],
  ],
};

/** Hash over all bytes of the volume but those that follow its start. */
function hashVolume({ kind, sectors }: Volume, path: string): string {
  return hashPieces(path, { at: 0, length: sectors * SECTOR }, MOVING_FIELDS[kind]);
}

function judgeFiles(guest: Guest, memory: Memory): void {
  // Extent files behind the new end of a split disk go; nothing else does, and nothing comes.
  const dropped = guest.extents.filter((path) => !existsSync(path));
  expect(dropped).toEqual(guest.extents.slice(guest.extents.length - dropped.length));
  const gone = new Set(dropped.map((path) => basename(path)));
  expect(readdirSync(guest.folder).sort()).toEqual(memory.names.filter((name) => !gone.has(name)));
  expect(inodesOf(guest)).toEqual(memory.inodes.slice(0, guest.extents.length - dropped.length));
  expect(allocatedBytes(guest)).toBeLessThanOrEqual(memory.allocatedBytes + memory.segments * GROWTH_BYTES);
  if (guest.form === 'raw') return;
  const isKept = (line: string) => ![...gone].some((name) => line.includes(`"${name}"`));
  const descriptor = memory.descriptor.split('\n').filter(isKept).join('\n');
  const changed = changedLines(descriptor, readFileSync(guest.disk, 'latin1'));
  expect(changed.map((line) => line.replace(/=.*/, ''))).toContain('CID');
  const there = guest.extents.slice(0, guest.extents.length - dropped.length);
  const resized = there.reduce((sum, path) => sum + statSync(path).size, 0) !== memory.sizeBytes;
  const mayChange = resized ? /^(CID|RW |ddb\.geometry\.cylinders)/ : /^CID/;
  for (const line of changed) expect(line).toMatch(mayChange);
  run('qemu-img', ['info', guest.disk]);
}

/** Lines of `before` that `after` has otherwise; both must have the same number of lines. */
export function changedLines(before: string, after: string): string[] {
  const lines = after.split('\n');
  expect(lines.length).toBe(before.split('\n').length);
  return before.split('\n').filter((line, index) => line !== lines[index]);
}

const present = ({ extents }: Guest): string[] => extents.filter((path) => existsSync(path));
const inodesOf = (guest: Guest): number[] => present(guest).map((path) => statSync(path).ino);

function allocatedBytes(guest: Guest): number {
  return present(guest).reduce((sum, path) => sum + statSync(path).blocks * 512, 0);
}

function dataSegments(path: string): number {
  const map = JSON.parse(run('qemu-img', ['map', '--output=json', '-f', 'raw', path])) as { data: boolean }[];
  return map.filter(({ data }) => data).length;
}
