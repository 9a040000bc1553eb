import {
  closeSync,
  fstatSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KIB, MIB } from '../../src/core/units.js';
import { sealRegion } from '../../src/formats/exfat/boot.js';
import { FILESYSTEM_FORMATS } from '../../src/inspect/registry.js';
import { tinyVolume } from '../formats/ntfs/tiny-volume.js';
import { CRAFTED, type Crafted, memoryOf, swapHeader } from '../inspect/crafted.js';
import { run } from '../support/judges.js';
import { MemoryDevice } from '../support/memory-device.js';
import { MORE_CRAFTED, SEALS } from './crafted-volumes.js';
import type { Seal } from './format-laws.js';

/** A volume of a format, by the id of the format. */
export interface Sample {
  readonly name: string;
  readonly id: string;
  /** Tools that make it; without them it is left out. */
  readonly tools: readonly string[];
  readonly seal?: Seal;
  make(): MemoryDevice;
}

/** Hidden sectors of the volumes that have them. */
const START = 63;
/** Cheap to derive, and a header of 1 MiB. */
const SMALL_LUKS2 =
  '--type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --luks2-metadata-size 16k --luks2-keyslots-size 512k --offset 2048';

/** Id, name, tool, size, arguments. */
const MADE: readonly (readonly [id: string, name: string, tool: string, size: number, args: string])[] = [
  ['ntfs', 'NTFS', 'mkntfs', 2 * MIB, `-q -F -Q -s 512 -c 4096 -H 16 -S 63 -p ${START} IMAGE`],
  ['ntfs', 'NTFS, small clusters', 'mkntfs', 3 * MIB, `-q -F -Q -s 512 -c 512 -H 16 -S 63 -p ${START} IMAGE`],
  ['ext', 'ext2, blocks of 1 KiB', 'mke2fs', 2 * MIB, '-q -F -t ext2 -b 1024 IMAGE'],
  ['ext', 'ext4', 'mke2fs', 8 * MIB, '-q -F -t ext4 -b 4096 IMAGE'],
  [
    'ext',
    'ext4 without checksums',
    'mke2fs',
    4 * MIB,
    '-q -F -t ext4 -b 1024 -O ^metadata_csum,^has_journal IMAGE',
  ],
  ['ext', 'external journal', 'mke2fs', 8 * MIB, '-q -F -O journal_dev IMAGE'],
  ['fat', 'FAT12', 'mkfs.fat', MIB, `-F 12 -h ${START} IMAGE`],
  ['fat', 'FAT16', 'mkfs.fat', 16 * MIB, `-F 16 -h ${START} IMAGE`],
  ['fat', 'FAT32', 'mkfs.fat', 34 * MIB, `-F 32 -h ${START} IMAGE`],
  ['swap', 'swap', 'mkswap', MIB, '-q IMAGE'],
  ['swap', 'swap, 64 KiB pages', 'mkswap', 2 * MIB, '-q -p 65536 IMAGE'],
  ['xfs', 'XFS', 'mkfs.xfs', 300 * MIB, '-q IMAGE'],
  ['xfs', 'XFS version 4', 'mkfs.xfs', 300 * MIB, '-q -m crc=0 IMAGE'],
  ['btrfs', 'btrfs', 'mkfs.btrfs', 128 * MIB, '-q IMAGE'],
  [
    'luks',
    'LUKS1',
    'cryptsetup',
    4 * MIB,
    '-q luksFormat --type luks1 --pbkdf-force-iterations 1000 IMAGE -',
  ],
  ['luks', 'LUKS2', 'cryptsetup', 2 * MIB, `-q luksFormat ${SMALL_LUKS2} IMAGE -`],
];

/** Formats of the crafted volumes whose facts go by another name. */
const ID_OF_KIND: Readonly<Record<string, string>> = { luks1: 'luks', luks2: 'luks' };

/** Every format of the registry, by at least one volume. */
export const SAMPLES: readonly Sample[] = [
  ...MADE.map(([id, name, tool, sizeBytes, args]) => made(id, name, tool, sizeBytes, args)),
  { id: 'exfat', name: 'exFAT', tools: ['mkfs.exfat'], make: makeExfat, ...sealOf('exfat') },
  { id: 'ntfs', name: 'NTFS, tiny', tools: [], make: () => MemoryDevice.of(tinyVolume()) },
  {
    id: 'ntfs',
    name: 'NTFS, tiny, with an attribute list',
    tools: [],
    make: () => MemoryDevice.of(tinyVolume({ mftList: true })),
  },
  crafted('swap', { name: 'swap, crafted', sizeBytes: MIB, patches: swapHeader('SWAPSPACE2') }),
  ...[...CRAFTED, ...MORE_CRAFTED].map((volume) => crafted(ID_OF_KIND[volume.kind] ?? volume.kind, volume)),
];

function sealOf(id: string): { seal?: Seal } {
  const seal = SEALS[id];
  return seal === undefined ? {} : { seal };
}

function made(id: string, name: string, tool: string, sizeBytes: number, args: string): Sample {
  const sealed = name === 'XFS' || name === 'btrfs' ? sealOf(id) : {};
  return { id, name, tools: [tool], make: () => makeImage(tool, sizeBytes, args), ...sealed };
}

function crafted(id: string, volume: Crafted): Sample {
  return { id, name: volume.name, tools: [], make: () => memoryOf(volume) };
}

function makeImage(tool: string, sizeBytes: number, args: string): MemoryDevice {
  const folder = mkdtempSync(join(tmpdir(), 'vmreclaim-format-'));
  try {
    const image = join(folder, 'image');
    writeFileSync(image, '');
    truncateSync(image, sizeBytes);
    const words = args.split(' ').map((word) => (word === 'IMAGE' ? image : word));
    run(tool, words, tool === 'cryptsetup' ? { input: 'password' } : {});
    return load(image);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A sparse image into sparse memory. */
function load(path: string): MemoryDevice {
  const file = openSync(path, 'r');
  try {
    const device = new MemoryDevice(fstatSync(file).size);
    const chunk = Buffer.alloc(MIB);
    const zeros = Buffer.alloc(4 * KIB);
    for (let at = 0; at < device.sizeBytes; at += chunk.length) {
      const length = readSync(file, chunk, 0, chunk.length, at);
      for (let page = 0; page < length; page += zeros.length) {
        const bytes = chunk.subarray(page, Math.min(page + zeros.length, length));
        if (!bytes.equals(zeros.subarray(0, bytes.length))) device.poke(at + page, bytes);
      }
    }
    return device;
  } finally {
    closeSync(file);
  }
}

/** mkfs.exfat says that the volume does not care where it lies; Windows writes the start. */
function makeExfat(): MemoryDevice {
  const device = makeImage('mkfs.exfat', 4 * MIB, 'IMAGE');
  const length = 12 * 512;
  for (const at of [0, length]) {
    const region = device.bytes(at, length);
    new DataView(region.buffer).setBigUint64(0x40, BigInt(START), true);
    sealRegion(region, 512);
    device.poke(at, region);
  }
  return device;
}

/** Ids of the registry that no sample is for; and samples of formats that are not in the registry. */
export function unmatchedIds(): { without: string[]; unknown: string[] } {
  const registered = FILESYSTEM_FORMATS.map(({ id }) => id);
  const sampled = new Set(SAMPLES.map(({ id }) => id));
  return {
    without: registered.filter((id) => !sampled.has(id)),
    unknown: [...sampled].filter((id) => !registered.includes(id)),
  };
}
