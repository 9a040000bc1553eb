import { closeSync, fsyncSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type ByteRange, clipRanges, complement, mergeRanges } from '../../src/core/range.js';
import { freeSpace } from '../formats/ext/images.js';
import { cutOut, type Guest, type GuestPartition } from './guests.js';
import { run } from './judges.js';
import { randomBytes } from './random.js';
import { SECTOR } from './volumes.js';

/** What outside tools say of free space, beside those of the builders. */
export const UNUSED_JUDGES = ['ntfscat', 'dumpe2fs'] as const;

const MIB = 1 << 20;
const ZERO_SECTOR = Buffer.alloc(SECTOR);

/** Stretches of a flat disk that nothing uses, as ntfscat, dumpe2fs and sfdisk tell; in bytes of its flat file. */
export function unusedOf(guest: Guest): ByteRange[] {
  const inside = guest.partitions.flatMap((partition) => freeIn(guest, partition));
  return mergeRanges([...inside, ...gapsOf(guest)].sort((a, b) => a.at - b.at));
}

/** The file that holds the bytes of a flat or raw disk. */
export const flatOf = ({ extents: [flat = ''] }: Guest): string => flat;

function freeIn(guest: Guest, { number, start, volume }: GuestPartition): ByteRange[] {
  const part = cutOut(flatOf(guest), start, volume.sectors, join(guest.folder, '..', `free-${number}`));
  try {
    const free =
      volume.kind === 'ntfs' ? freeClusters(part) : volume.kind.startsWith('ext') ? freeSpace(part) : [];
    const whole = { at: 0, length: volume.sectors * SECTOR };
    return clipRanges(free, whole).map(({ at, length }) => ({ at: start * SECTOR + at, length }));
  } finally {
    rmSync(part);
  }
}

/** Clusters of an NTFS volume, a file or a device, whose bit in $Bitmap is clear, as ntfscat prints it. */
export function freeClusters(part: string): ByteRange[] {
  const boot = Buffer.alloc(SECTOR);
  const fd = openSync(part, 'r');
  readSync(fd, boot, 0, SECTOR, 0);
  closeSync(fd);
  const clusterBytes = boot.readUInt16LE(11) * boot.readUInt8(13);
  const count = Math.floor((Number(boot.readBigUInt64LE(40)) * SECTOR) / clusterBytes);
  const hex = run('bash', ['-euo', 'pipefail', '-c', 'ntfscat -f -i 6 "$1" | od -An -v -tx1', 'bits', part]);
  const bits = Buffer.from(hex.replace(/\s/g, ''), 'hex');
  const free: ByteRange[] = [];
  for (let lcn = 0; lcn < count; lcn++) {
    const isUsed = ((bits[lcn >> 3] ?? 0xff) >> (lcn & 7)) % 2 === 1;
    if (!isUsed) free.push({ at: lcn * clusterBytes, length: clusterBytes });
  }
  return mergeRanges(free);
}

/** Behind the first MiB, what sfdisk shows in no partition, but for sectors that hold something: boot records. */
function gapsOf(guest: Guest): ByteRange[] {
  const { partitiontable } = JSON.parse(run('sfdisk', ['--json', flatOf(guest)])) as {
    partitiontable: { lastlba?: number; partitions: { start: number; size: number; type: string }[] };
  };
  const { lastlba, partitions } = partitiontable;
  const end = (lastlba === undefined ? guest.sectors : lastlba + 1) * SECTOR;
  const taken = partitions
    .filter(({ type }) => !['5', 'f', '85'].includes(type))
    .map(({ start, size }) => ({ at: start * SECTOR, length: size * SECTOR }))
    .sort((a, b) => a.at - b.at);
  const gaps = complement(mergeRanges(taken), { at: MIB, length: end - MIB });
  const fd = openSync(flatOf(guest), 'r');
  try {
    return gaps.flatMap((gap) => complement(filledSectors(fd, gap), gap));
  } finally {
    closeSync(fd);
  }
}

function filledSectors(fd: number, { at, length }: ByteRange): ByteRange[] {
  const bytes = Buffer.alloc(length);
  readSync(fd, bytes, 0, length, at);
  const filled: ByteRange[] = [];
  for (let sector = 0; sector < length; sector += SECTOR) {
    if (!bytes.subarray(sector, sector + SECTOR).equals(ZERO_SECTOR))
      filled.push({ at: at + sector, length: SECTOR });
  }
  return filled;
}

/** Overwrites stretches with bytes of which none is zero, or all. Durable, so that the blocks of the file are final. */
export function fill(path: string, ranges: readonly ByteRange[], what: 'noise' | 'zeros'): void {
  const piece =
    what === 'zeros' ? Buffer.alloc(MIB) : Buffer.from(randomBytes(MIB, 77).map((byte) => byte | 1));
  const fd = openSync(path, 'r+');
  try {
    for (const { at, length } of ranges) {
      for (let done = 0; done < length; done += MIB) {
        writeSync(fd, piece, 0, Math.min(MIB, length - done), at + done);
      }
    }
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
