import { asUtf8, toByteString } from '../../codec/lines.js';
import { isFamily, type Reason } from '../../core/errors.js';
import type { FileFinder } from '../../formats/volume-file.js';

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
/** An option of mount that takes a byte of a device. */
const MOUNT_OFFSET = /(^|,)offset=/;

/** What the text files of a Linux say by position, which nobody can translate. */
export async function configWarnings(finder: FileFinder, partition: number): Promise<Reason[]> {
  const warnings: Reason[] = [];
  for (const path of GRUB_CONFIGS) {
    const text = await readText(finder, path);
    if (text === undefined || !DISK_SECTORS.test(text)) continue;
    warnings.push(byPosition(path, partition, 'names sectors of the disk'));
  }
  const table = await readText(finder, ['etc', 'fstab']);
  if (table !== undefined && mountsByOffset(table)) {
    warnings.push(byPosition(['etc', 'fstab'], partition, 'mounts by an offset'));
  }
  return warnings;
}

/** UUIDs, labels and numbered devices all stay right: partitions keep their numbers. */
function mountsByOffset(table: string): boolean {
  return table.split('\n').some((line) => {
    const [device = '#', , , options = ''] = line.trim().split(/\s+/);
    return !device.startsWith('#') && MOUNT_OFFSET.test(options);
  });
}

const byPosition = (path: readonly string[], partition: number, how: string): Reason => ({
  code: 'position-in-config',
  message: `/${path.join('/')} on partition ${partition} ${how}: a move does not change it`,
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
