import { damaged, refused } from '../../core/errors.js';
import type { Reader } from '../../device/types.js';
import type { Places } from '../places.js';

/** BIOS boot loaders count in sectors of this size; there is no BIOS boot from others. */
export const BOOT_SECTOR_BYTES = 512;

/**
 * How a loader's first sector names the second, and that one the others: a list of stretches that grows downwards from
 * the sector's end, ended by one of no length.
 */
export interface BlockListForm {
  /** Of the sector number in the first sector. */
  readonly pointerAt: number;
  readonly pointerBytes: 4 | 8;
  /** Of the list's first entry in the second sector; sector number, then u16 count. */
  readonly listAt: number;
  readonly entryBytes: 8 | 12;
}

/** Entries until the loader's own code begins. */
const ENTRIES_MAX = 20;

/** A sector number of the disk, to be written with the width that it has. */
export interface SectorPatch {
  /** Byte of the disk, before the change. */
  readonly at: number;
  readonly bytes: Uint8Array;
}

/** Where a loader's parts are, as its lists say: bytes of the disk before the change. */
export interface LoaderChain {
  readonly parts: readonly { readonly at: number; readonly length: number }[];
}

/** Follows the pointer and the list of a loader. Throws Damaged when they lead nowhere. */
export async function readChain(disk: Reader, first: Uint8Array, form: BlockListForm): Promise<LoaderChain> {
  const coreAt = readNumber(first, form.pointerAt, form.pointerBytes) * BOOT_SECTOR_BYTES;
  const core = await readSector(disk, coreAt);
  const parts = [{ at: coreAt, length: BOOT_SECTOR_BYTES }];
  for (let index = 0; index < ENTRIES_MAX; index++) {
    const entry = form.listAt - index * form.entryBytes;
    const count = readNumber(core, entry + form.pointerBytes, 2);
    if (count === 0) return { parts };
    const at = readNumber(core, entry, form.pointerBytes) * BOOT_SECTOR_BYTES;
    parts.push({ at, length: count * BOOT_SECTOR_BYTES });
  }
  throw damaged('boot-block-list', 'the block list of the boot loader does not end', { offset: coreAt });
}

/**
 * The sector numbers that change, at their places before the change. Throws Refused when a part of the loader is not
 * found again: the file system was resized and moved the file, or something else came to lie there.
 */
export async function moveChain(
  places: Places,
  { parts }: LoaderChain,
  firstAt: number,
  form: BlockListForm,
): Promise<SectorPatch[]> {
  const patches: SectorPatch[] = [];
  const coreAt = parts[0]?.at ?? 0;
  for (const [index, part] of parts.entries()) {
    if (!(await places.isKept(part))) throw lost();
    const to = places.moved(part);
    if (to === part.at) continue;
    const at = index === 0 ? firstAt + form.pointerAt : coreAt + form.listAt - (index - 1) * form.entryBytes;
    patches.push({ at, bytes: numberBytes(to / BOOT_SECTOR_BYTES, form.pointerBytes) });
  }
  return patches;
}

const lost = () =>
  refused('boot-loader-lost', 'the sectors of the boot loader do not move as a whole', {
    hint: 'reinstall the boot loader inside the guest so that it lies in front of the first partition (grub-install /dev/sda), then try again',
  });

async function readSector(disk: Reader, at: number): Promise<Uint8Array> {
  if (!Number.isSafeInteger(at) || at + BOOT_SECTOR_BYTES > disk.sizeBytes) {
    throw damaged('boot-block-list', 'the boot loader points behind the end of the disk', { actual: at });
  }
  return disk.readAt(at, BOOT_SECTOR_BYTES);
}

function readNumber(bytes: Uint8Array, at: number, width: 2 | 4 | 8): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (width === 2) return view.getUint16(at, true);
  return width === 4 ? view.getUint32(at, true) : Number(view.getBigUint64(at, true));
}

function numberBytes(value: number, width: 4 | 8): Uint8Array {
  const bytes = new Uint8Array(width);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, value % 2 ** 32, true);
  if (width === 8) view.setUint32(4, Math.floor(value / 2 ** 32), true);
  return bytes;
}
