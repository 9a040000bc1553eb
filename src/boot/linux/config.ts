import { asUtf8, toByteString } from '../../codec/lines.js';
import { isFamily, type Reason } from '../../core/errors.js';
import type { FileFinder } from '../../formats/volume-file.js';
import type { BootNote } from '../types.js';

/** Larger ones are not what they are named. */
const CONFIG_BYTES_MAX = 1024 * 1024;

const GRUB_CONFIGS: readonly (readonly string[])[] = ['grub', 'grub2'].flatMap((folder) =>
  ['grub.cfg', 'menu.lst', 'grub.conf'].flatMap((file) => [
    ['boot', folder, file],
    [folder, file],
  ]),
);
/** A stretch of sectors of a whole disk. Behind a partition's name it would count from there, and `(hd0)+1` is the MBR. */
const DISK_SECTORS = /\(hd\d+\)[1-9]\d*\+\d+/;
/** The same in two lines: a whole disk as the root, and a stretch without a device. */
const DISK_AS_ROOT = /^\s*(?:set\s+)?root\s*[ =]\s*['"]?\(hd\d+\)/m;
const ROOT_SECTORS = /^\s*(?:chainloader|kernel|linux|initrd)\s+[1-9]\d*\+\d+/m;
/** Sectors inside a partition, or pages of a swap file: what a resize may move. */
const INNER_SECTORS = /\(hd\d+,[^)]*\)[1-9]\d*\+\d+|\bresume_offset=\d/;
/** An option that takes a place on a device. */
const OFFSET = /(^|,)offset=/;
/** Tables of devices, and the column of their options. */
const TABLES = [
  { kind: 'fstab', path: ['etc', 'fstab'], options: 3, how: 'mounts by an offset' },
  { kind: 'crypttab', path: ['etc', 'crypttab'], options: 3, how: 'opens a device by an offset' },
] as const;

/** What the text files of a Linux say of places. */
export interface ConfigFindings {
  /** Files by which the guest finds its volumes wherever they lie. */
  readonly notes: readonly BootNote[];
  /** What they say by position, which nobody can translate. */
  readonly warnings: readonly Reason[];
}

/** What becomes of the disk: partitions move, and the one with the files is resized. */
export interface ConfigChange {
  readonly moves: boolean;
  readonly isResized: boolean;
}

/** Reads the configuration of GRUB, fstab(5) and crypttab(5) in a volume. Throws Damaged. */
export async function readConfigs(
  finder: FileFinder,
  partition: number,
  change: ConfigChange,
): Promise<ConfigFindings> {
  const found: { notes: BootNote[]; warnings: Reason[] } = { notes: [], warnings: [] };
  const look = (kind: string, path: readonly string[], how: string | undefined): void => {
    if (how !== undefined) found.warnings.push(byPosition(path, partition, how));
    else if (change.moves) found.notes.push(stays(kind, path, partition));
  };
  for (const path of GRUB_CONFIGS) {
    const text = await readText(finder, path);
    if (text !== undefined) look('grub-config', path, positionsOf(text, change));
  }
  for (const { kind, path, options, how } of TABLES) {
    const table = await readText(finder, path);
    if (table === undefined || !change.moves) continue;
    const isByOffset = linesOf(table).some((fields) => OFFSET.test(fields[options] ?? ''));
    look(kind, path, isByOffset ? how : undefined);
  }
  return found;
}

function positionsOf(text: string, { moves, isResized }: ConfigChange): string | undefined {
  const ofDisk = DISK_SECTORS.test(text) || (DISK_AS_ROOT.test(text) && ROOT_SECTORS.test(text));
  if (moves && ofDisk) return 'names sectors of the disk';
  return isResized && INNER_SECTORS.test(text) ? 'names sectors inside a partition' : undefined;
}

const stays = (kind: string, path: readonly string[], partition: number): BootNote => ({
  kind,
  partition,
  message: `/${path.join('/')} names volumes by UUID, label or number: it stays right`,
});

/** Columns of the lines that are no comments. UUIDs, labels and numbered devices in them all stay right. */
function linesOf(table: string): string[][] {
  const lines = table.split('\n').map((line) => line.trim());
  return lines.filter((line) => line !== '' && !line.startsWith('#')).map((line) => line.split(/\s+/));
}

const byPosition = (path: readonly string[], partition: number, how: string): Reason => ({
  code: 'position-in-config',
  message: `/${path.join('/')} on partition ${partition} ${how}: that does not follow the change`,
  hint: 'look at the file inside the guest after the move, and name partitions by UUID',
});

/** The file as text; undefined when it is not there, too large, or a link. Throws Damaged. */
export async function readText(finder: FileFinder, path: readonly string[]): Promise<string | undefined> {
  try {
    const file = await finder.find(path);
    if (file === undefined || file.sizeBytes > CONFIG_BYTES_MAX) return undefined;
    const bytes = toByteString(await file.readAt(0, file.sizeBytes));
    return asUtf8(bytes) ?? bytes;
  } catch (error) {
    if (isFamily(error, 'unsupported')) return undefined;
    throw error;
  }
}
