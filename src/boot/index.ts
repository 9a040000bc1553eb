import type { Reason } from '../core/errors.js';
import type { ByteRange } from '../core/range.js';
import { finderOf, isOfTheDisk } from './files.js';
import { type ConfigFindings, readConfigs } from './linux/config.js';
import { loaderSites } from './linux/loaders.js';
import { eachByteOnce, type SiteWrite } from './own-writes.js';
import { hasMoved, hasNewSize, Places } from './places.js';
import {
  type Changes,
  checkOutside,
  isConcerned,
  noteOf,
  skippedWarning,
  standsAgainst,
} from './reference.js';
import type {
  BootEdits,
  BootInput,
  BootNote,
  BootPartition,
  BootReference,
  BootSite,
  BootWrite,
  SiteEdit,
} from './types.js';
import { windowsSites } from './windows/sites.js';

/**
 * Everything on the disk by which a guest finds sectors or volumes by position. Reads metadata and a few small
 * files. What cannot be read is a site that cannot be edited; only failures of the store are thrown.
 */
export async function findBootSites(input: BootInput): Promise<BootSite[]> {
  const places = new Places(input);
  const sites = await loaderSites(places);
  for (const partition of input.partitions) {
    if (!partition.isExtended) sites.push(...(await sitesIn(places, partition)));
  }
  return sites;
}

/** A volume that cannot be opened is no place a guest starts from; it is reported by its own format. */
async function sitesIn(places: Places, partition: BootPartition): Promise<BootSite[]> {
  try {
    return await windowsSites(places, partition);
  } catch (error) {
    if (isOfTheDisk(error)) return [];
    throw error;
  }
}

/** The sites as a plan needs them. Throws what the store throws. */
export async function bootReferences(input: BootInput): Promise<BootReference[]> {
  return (await findBootSites(input)).map(({ obstacle, edit: _edit, writesTo: _writesTo, ...site }) => {
    return { ...site, obstacle: obstacle === null ? null : standsAgainst(site, obstacle).toReason() };
  });
}

/**
 * What must be written so that the guest finds its volumes and its boot loader at their new places. Pure: reads, and
 * returns writes. Throws what stands against it (Refused, Unsupported, Damaged), with the name to skip it by.
 */
export async function bootEdits(input: BootInput, skip: ReadonlySet<string>): Promise<BootEdits> {
  const changes = changesOf(input);
  if (changes.moved.length + changes.resized.length === 0) return { writes: [], fixups: [], warnings: [] };
  const places = new Places(input);
  const writes: SiteWrite[] = [];
  const fixups: BootNote[] = [];
  const warnings: Reason[] = [];
  const newPlaces = newPlacesOf(input);
  for (const site of await findBootSites(input)) {
    if (!skip.has(site.kind)) checkOutside(site, newPlaces);
    if (!isConcerned(site, changes)) {
      if (site.safe !== null) fixups.push(noteOf(site, site.safe));
      continue;
    }
    if (skip.has(site.kind)) {
      warnings.push(skippedWarning(site));
      continue;
    }
    const edit = await editOf(site);
    writes.push(...edit.writes.map((write) => ({ site, write: placed(places, site, write) })));
    if (edit.message !== null) fixups.push(noteOf(site, edit.message));
    warnings.push(...(edit.warnings ?? []));
  }
  const found = await positionsInFiles(input, changes);
  fixups.push(...found.notes);
  warnings.push(...found.warnings);
  return { writes: eachByteOnce(writes), fixups: withoutRepeats(fixups), warnings: withoutRepeats(warnings) };
}

/** A file that is found by two paths is spoken of once. */
function withoutRepeats<T>(list: readonly T[]): T[] {
  const seen = new Map(list.map((item) => [JSON.stringify(item), item]));
  return [...seen.values()];
}

/** Where partitions will be that move or change their size, as bytes of the disk. */
const newPlacesOf = ({ partitions, sectorSize }: BootInput): ByteRange[] =>
  partitions
    .filter((each) => !each.isExtended && (hasMoved(each) || hasNewSize(each)))
    .map(({ newStartLba, newSectorCount }) => ({
      at: newStartLba * sectorSize,
      length: newSectorCount * sectorSize,
    }));

function changesOf({ partitions }: BootInput): Changes {
  const volumes = partitions.filter(({ isExtended }) => !isExtended);
  const numbersOf = (list: readonly BootPartition[]): number[] => list.map(({ number }) => number);
  return { moved: numbersOf(volumes.filter(hasMoved)), resized: numbersOf(volumes.filter(hasNewSize)) };
}

async function editOf(site: BootSite): Promise<SiteEdit> {
  if (site.obstacle !== null) throw standsAgainst(site, site.obstacle);
  try {
    return await site.edit();
  } catch (error) {
    throw isOfTheDisk(error) ? standsAgainst(site, error) : error;
  }
}

/** Sites in volumes give offsets of the volume, loaders bytes of the disk before the change. */
function placed(places: Places, site: BootSite, write: SiteEdit['writes'][number]): BootWrite {
  if (site.writesTo === 'volume') return { ...write, partition: site.partition };
  const holder = places.holding({ at: write.at, length: write.bytes.length });
  if (holder === undefined) return { ...write, partition: null };
  const start = holder.oldStartLba * places.input.sectorSize;
  return { ...write, at: write.at - start, partition: holder.number };
}

/** What a person has to look at: nothing here can be changed from outside the guest. */
async function positionsInFiles(input: BootInput, { moved, resized }: Changes): Promise<ConfigFindings> {
  const notes: BootNote[] = [];
  const warnings: Reason[] = [];
  for (const partition of input.partitions) {
    const { filesystem, after, number } = partition;
    if (partition.type === EFI_SYSTEM && hasMoved(partition)) warnings.push(efiMoves(number));
    if (filesystem === 'bitlocker' && input.table === 'mbr' && moved.length > 0)
      warnings.push(unreadable(number));
    if (filesystem?.startsWith('ext') !== true) continue;
    try {
      const finder = await finderOf(filesystem, after);
      const how = { moves: moved.length > 0, isResized: resized.includes(number) };
      const found = finder === null ? undefined : await readConfigs(finder, number, how);
      notes.push(...(found?.notes ?? []));
      warnings.push(...(found?.warnings ?? []));
    } catch (error) {
      if (!isOfTheDisk(error)) throw error;
    }
  }
  return { notes, warnings };
}

/** Type of the EFI system partition (UEFI specification). */
const EFI_SYSTEM = 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b';

const efiMoves = (number: number): Reason => ({
  code: 'efi-partition-moves',
  message: `the EFI system partition ${number} moves: boot entries of the firmware know it by number and GUID, which stay, but hold its old place too`,
  hint: 'if the firmware does not find its entry any more, choose \\EFI\\BOOT\\BOOTX64.EFI or the loader of the guest in its boot manager',
});

const unreadable = (number: number): Reason => ({
  code: 'boot-volume-encrypted',
  message: `partition ${number} is encrypted: a Windows in it may know volumes of this disk by their old places`,
  hint: 'check the drive letters in the guest after the move',
});
