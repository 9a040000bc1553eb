import { refused, type VmreclaimError } from '../../core/errors.js';
import { hasText } from '../../formats/signature.js';
import { finderOf, isOfTheDisk } from '../files.js';
import { hasMoved, hasNewSize, type Places } from '../places.js';
import type { BootPartition, BootSite, SiteEdit } from '../types.js';
import {
  type BlockListForm,
  BOOT_SECTOR_BYTES,
  type LoaderChain,
  moveChain,
  readChain,
} from './block-list.js';

/** boot.img and diskboot.img of GRUB 2 (include/grub/i386/pc/boot.h, seen in the images of Debian). */
const GRUB2: BlockListForm = { pointerAt: 0x5c, pointerBytes: 8, listAt: 0x1f4, entryBytes: 12 };
const GRUB2_LOAD_ADDRESS = { at: 0x5a, value: 0x8000 } as const;
/** stage1 and the first sector of stage1.5 or stage2 of GRUB 0.9x (stage1.h). */
const GRUB_LEGACY: BlockListForm = { pointerAt: 0x44, pointerBytes: 4, listAt: 0x1f8, entryBytes: 8 };
const GRUB_LEGACY_VERSION = { at: 0x3e, major: 3, minor: 2 } as const;
const GRUB_LEGACY_LOAD_ADDRESS = { at: 0x42, values: [0x2000, 0x8000] as readonly number[] } as const;
/** Where stage1 and boot.img say who they are when they fail. */
const GRUB_WORD_AT = { from: 0x170, to: 0x1a0 } as const;
/** LILO signs its first sector behind the jump; old versions behind a short one. */
const LILO_AT: readonly number[] = [2, 6];
const SYSLINUX_NAMES: readonly string[] = ['SYSLINUX', 'EXTLINUX'];
const SYSLINUX_NAME_AT = 3;
/** The BPB field that syslinux adds to its own sector numbers when nobody tells it the partition. */
const HIDDEN_SECTORS_AT = 0x1c;
/** Where syslinux keeps its second part; its boot sector holds the place of that in the volume. */
const SYSLINUX_FOLDERS: readonly (readonly string[])[] = [
  [],
  ['boot'],
  ['extlinux'],
  ['syslinux'],
  ['boot', 'extlinux'],
  ['boot', 'syslinux'],
];

/** A first sector that the firmware, or another loader, may start. */
interface StartSector {
  readonly partition: BootPartition | null;
  /** Byte of the disk, before the change. */
  readonly at: number;
  readonly bytes: Uint8Array;
  readonly place: string;
}

/** The boot loaders of Linux in the MBR and in first sectors of partitions. */
export async function loaderSites(places: Places): Promise<BootSite[]> {
  if (places.input.sectorSize !== BOOT_SECTOR_BYTES) return [];
  const sites: BootSite[] = [];
  for (const sector of await startSectors(places)) {
    const site = await siteOf(places, sector);
    if (site !== undefined) sites.push(site);
  }
  return sites;
}

/** Read as they are before the change: a move of the partition keeps them. */
async function startSectors({ input }: Places): Promise<StartSector[]> {
  const starts = input.partitions.map((partition) => ({
    partition,
    at: partition.oldStartLba * BOOT_SECTOR_BYTES,
    place: 'the boot sector',
  }));
  const sectors: StartSector[] = [];
  for (const start of [{ partition: null, at: 0, place: 'the MBR' }, ...starts]) {
    if (start.at + BOOT_SECTOR_BYTES > input.before.sizeBytes) continue;
    sectors.push({ ...start, bytes: await input.before.readAt(start.at, BOOT_SECTOR_BYTES) });
  }
  return sectors;
}

async function siteOf(places: Places, sector: StartSector): Promise<BootSite | undefined> {
  const { bytes } = sector;
  if (LILO_AT.some((at) => hasText(bytes, at, 'LILO'))) return liloSite(sector);
  if (isGrub2(bytes)) return grubSite(places, sector, 'grub', 'GRUB 2', GRUB2);
  if (isGrubLegacy(bytes)) return grubSite(places, sector, 'grub-legacy', 'GRUB legacy', GRUB_LEGACY);
  if (SYSLINUX_NAMES.some((name) => hasText(bytes, SYSLINUX_NAME_AT, name))) return syslinuxSite(sector);
  return undefined;
}

function hasGrubWord(bytes: Uint8Array): boolean {
  const { from, to } = GRUB_WORD_AT;
  for (let at = from; at < to; at++) if (hasText(bytes, at, 'GRUB ')) return true;
  return false;
}

const wordAt = (bytes: Uint8Array, at: number): number => (bytes[at] ?? 0) + (bytes[at + 1] ?? 0) * 0x100;

const isGrub2 = (bytes: Uint8Array): boolean =>
  hasGrubWord(bytes) && wordAt(bytes, GRUB2_LOAD_ADDRESS.at) === GRUB2_LOAD_ADDRESS.value;

function isGrubLegacy(bytes: Uint8Array): boolean {
  const { at, major, minor } = GRUB_LEGACY_VERSION;
  const isVersion = bytes[at] === major && bytes[at + 1] === minor;
  const address = wordAt(bytes, GRUB_LEGACY_LOAD_ADDRESS.at);
  return hasGrubWord(bytes) && isVersion && GRUB_LEGACY_LOAD_ADDRESS.values.includes(address);
}

const STAYS = 'its sectors stay where they are';

const siteBase = ({ partition, place }: StartSector, loader: string) => ({
  partition: partition?.number ?? null,
  title: `${loader} in ${place}`,
  holdsSectors: true,
  safe: STAYS,
  obstacle: null,
  writesTo: 'disk' as const,
});

async function grubSite(
  places: Places,
  sector: StartSector,
  kind: 'grub' | 'grub-legacy',
  loader: string,
  form: BlockListForm,
): Promise<BootSite> {
  const site = { kind, ...siteBase(sector, loader) };
  if (sector.partition?.isExtended === true) {
    return blocked(site, inExtended(site.title));
  }
  try {
    const chain = await readChain(places.input.before, sector.bytes, form);
    const outside = chain.parts.filter((part) => places.holding(part) === undefined);
    const edit = () => editGrub(places, chain, sector, form);
    return { ...site, holds: holdsOf(places, chain), outside, edit };
  } catch (error) {
    if (!isOfTheDisk(error)) throw error;
    return blocked(site, error);
  }
}

/** A site that concerns every move, and that nothing can be done about. */
const blocked = (site: Omit<BootSite, 'holds' | 'edit'>, obstacle: VmreclaimError): BootSite => ({
  ...site,
  holds: null,
  obstacle,
  edit: () => Promise.reject(obstacle),
});

function holdsOf(places: Places, { parts }: LoaderChain): number[] {
  const numbers = parts.flatMap((part) => places.holding(part)?.number ?? []);
  return [...new Set(numbers)].sort((a, b) => a - b);
}

async function editGrub(
  places: Places,
  chain: LoaderChain,
  { at }: StartSector,
  form: BlockListForm,
): Promise<SiteEdit> {
  const patches = await moveChain(places, chain, at, form);
  const writes = patches.map((patch) => ({ ...patch, why: 'sectors of the boot loader' }));
  const message =
    writes.length > 0
      ? `${writes.length} sector number${writes.length === 1 ? '' : 's'} of its block list follow the partition`
      : STAYS;
  return { writes, message };
}

const inExtended = (title: string) =>
  refused('boot-loader-in-extended', `${title} of an extended partition does not follow a move`, {
    hint: 'install the boot loader to the MBR inside the guest (grub-install /dev/sda)',
  });

/** LILO lists every sector of kernel and menu in a file of its own: nothing outside the guest can mend that. */
function liloSite(sector: StartSector): BootSite {
  const error = refused('lilo', 'LILO finds kernels by the sectors they were on when it was installed', {
    hint: 'replace LILO by GRUB inside the guest, or have a rescue medium at hand and run `lilo` after the move',
  });
  return blocked({ kind: 'lilo', ...siteBase(sector, 'LILO') }, error);
}

/** Only in a partition: the sector in the MBR that goes with it looks for the active partition. */
function syslinuxSite(sector: StartSector): BootSite | undefined {
  const { partition, bytes } = sector;
  if (partition === null || partition.isExtended) return undefined;
  const site = { kind: 'syslinux' as const, ...siteBase(sector, 'SYSLINUX') };
  return { ...site, holds: [partition.number], edit: () => editSyslinux(sector, partition, bytes) };
}

async function editSyslinux(
  { at }: StartSector,
  partition: BootPartition,
  bytes: Uint8Array,
): Promise<SiteEdit> {
  if (!(await keepsLoader(partition))) {
    throw refused('boot-loader-lost', 'a resize moves the second part of SYSLINUX, or it is not found', {
      hint: 'leave the size of this partition as it is, or have a rescue medium at hand and run `extlinux --update`',
    });
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const hidden = view.getUint32(HIDDEN_SECTORS_AT, true);
  const inBpb = partition.filesystem?.startsWith('fat') === true || partition.filesystem === 'ntfs';
  if (inBpb || hidden !== partition.oldStartLba || !hasMoved(partition)) {
    return { writes: [], message: 'finds its sectors by the partition table and the boot sector' };
  }
  const value = new Uint8Array(4);
  new DataView(value.buffer).setUint32(0, partition.newStartLba, true);
  return {
    writes: [{ at: at + HIDDEN_SECTORS_AT, bytes: value, why: 'hidden sectors of SYSLINUX' }],
    message: `hidden sectors ${hidden} -> ${partition.newStartLba}`,
  };
}

/** True unless a resize moved ldlinux.sys inside its volume, or may have, because it lies nowhere that is known. */
async function keepsLoader(partition: BootPartition): Promise<boolean> {
  const { filesystem, before, after } = partition;
  if (!hasNewSize(partition)) return true;
  const [old, now] = [await finderOf(filesystem, before), await finderOf(filesystem, after)];
  if (old === null || now === null) return true;
  for (const folder of SYSLINUX_FOLDERS) {
    const path = [...folder, 'ldlinux.sys'];
    const [file, moved] = [await old.find(path), await now.find(path)];
    if (file === undefined) continue;
    const places = JSON.stringify(file.places(0, file.sizeBytes));
    return moved !== undefined && JSON.stringify(moved.places(0, moved.sizeBytes)) === places;
  }
  return false;
}
