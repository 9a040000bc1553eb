import { mkdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Extended, type TableEntry, writeGpt, writeMbr } from './guest-tables.js';
import { run } from './judges.js';
import { SECTOR, type Volume, type VolumeKind } from './volumes.js';

/** How the disk lies on the host. */
export type DiskForm = 'raw' | 'flat' | 'split';

export interface GuestPartition {
  readonly number: number;
  readonly start: number;
  readonly volume: Volume;
}

/** What a guest disk is to be. */
export interface GuestWish {
  readonly name: string;
  readonly sectors: number;
  readonly table: 'mbr' | 'gpt';
  readonly form?: DiskForm;
  readonly partitions: readonly GuestPartition[];
  readonly extended?: Extended;
}

/** A disk in a folder of its own, as a hypervisor would keep it. */
export interface Guest extends GuestWish {
  readonly folder: string;
  /** What vmreclaim is given: the descriptor, or the image. */
  readonly disk: string;
  /** The files that hold the bytes. */
  readonly extents: readonly string[];
}

const MBR_TYPES: Readonly<Record<VolumeKind, string>> = {
  ntfs: '07',
  exfat: '07',
  ext2: '83',
  ext3: '83',
  ext4: '83',
  fat32: '0c',
  swap: '82',
  opaque: 'da',
};
const GPT_TYPES: Readonly<Record<VolumeKind, string>> = {
  ntfs: '0700',
  exfat: '0700',
  ext2: '8300',
  ext3: '8300',
  ext4: '8300',
  fat32: 'EF00',
  swap: '8200',
  opaque: 'A906',
};
/** Extents of a split disk: no multiple of a cluster, a track or a megabyte. */
const SPLIT_SECTORS = 10_007;

/** Makes the disk in a new folder below `parent`. Volumes are copied, so one can be in many disks. */
export function makeGuest(parent: string, wish: GuestWish): Guest {
  const folder = join(parent, wish.name);
  mkdirSync(folder);
  const image = join(folder, 'image');
  writeFileSync(image, '');
  truncateSync(image, wish.sectors * SECTOR);
  const types = wish.table === 'mbr' ? MBR_TYPES : GPT_TYPES;
  const entries: TableEntry[] = wish.partitions.map(({ number, start, volume }) => ({
    number,
    start,
    sectors: volume.sectors,
    type: types[volume.kind],
  }));
  if (wish.table === 'gpt') writeGpt(image, entries);
  else writeMbr(image, entries, wish.extended);
  for (const { start, volume } of wish.partitions) putVolume(image, start, volume.path);
  return { ...wish, folder, ...packDisk(folder, image, wish) };
}

/** Copies a volume into a disk; holes stay holes. */
export function putVolume(disk: string, start: number, volume: string): void {
  const place = [
    'oflag=seek_bytes',
    `seek=${start * SECTOR}`,
    'conv=notrunc,sparse',
    'bs=64K',
    'status=none',
  ];
  run('dd', [`if=${volume}`, `of=${disk}`, ...place]);
}

/** A part of a disk as a file: the judges read no offsets. */
export function cutOut(disk: string, start: number, sectors: number, target: string): string {
  const place = ['iflag=skip_bytes,count_bytes', `skip=${start * SECTOR}`, `count=${sectors * SECTOR}`];
  run('dd', [`if=${disk}`, `of=${target}`, ...place, 'conv=sparse', 'bs=64K', 'status=none']);
  truncateSync(target, sectors * SECTOR);
  return target;
}

function packDisk(
  folder: string,
  image: string,
  { name, form = 'flat' }: GuestWish,
): Pick<Guest, 'disk' | 'extents'> {
  if (form === 'raw') {
    const disk = join(folder, `${name}.img`);
    run('mv', [image, disk]);
    return { disk, extents: [disk] };
  }
  const disk = join(folder, `${name}.vmdk`);
  const sectors = statSync(image).size / SECTOR;
  const size = form === 'flat' ? sectors : SPLIT_SECTORS;
  const parts = Array.from({ length: Math.ceil(sectors / size) }, (_, index) => {
    const file = form === 'flat' ? `${name}-flat.vmdk` : `${name}-f${`${index + 1}`.padStart(3, '0')}.vmdk`;
    return { file, start: index * size, sectors: Math.min(size, sectors - index * size) };
  });
  for (const part of parts) cutOut(image, part.start, part.sectors, join(folder, part.file));
  rmSync(image);
  const lines = parts.map((part) => `RW ${part.sectors} FLAT "${part.file}" 0`);
  writeFileSync(disk, descriptor(form, lines, sectors));
  return { disk, extents: parts.map(({ file }) => join(folder, file)) };
}

/** Laid out as Workstation writes it. */
function descriptor(form: 'flat' | 'split', extents: readonly string[], sectors: number): string {
  return [
    '# Disk DescriptorFile',
    'version=1',
    'CID=1f2e3d4c',
    'parentCID=ffffffff',
    `createType="${form === 'flat' ? 'monolithicFlat' : 'twoGbMaxExtentFlat'}"`,
    '',
    '# Extent description',
    ...extents,
    '',
    '# The Disk Data Base',
    '#DDB',
    '',
    'ddb.adapterType = "lsilogic"',
    `ddb.geometry.cylinders = "${Math.floor(sectors / (255 * 63))}"`,
    'ddb.geometry.heads = "255"',
    'ddb.geometry.sectors = "63"',
    'ddb.virtualHWVersion = "8"',
    '',
  ].join('\n');
}

/** The same guest in another folder, byte for byte; holes stay holes. */
export function cloneGuest(guest: Guest, parent: string, name: string): Guest {
  const folder = join(parent, name);
  run('cp', ['-a', '--sparse=always', '--', guest.folder, folder]);
  const moved = (path: string): string => join(folder, path.slice(guest.folder.length + 1));
  return { ...guest, folder, disk: moved(guest.disk), extents: guest.extents.map(moved) };
}

/** Replaces the descriptor's text; for what a real machine has and the builder does not make. */
export function editText(path: string, edit: (text: string) => string): void {
  writeFileSync(path, edit(readFileSync(path, 'latin1')), 'latin1');
}
