import type { FileHandle } from 'node:fs/promises';
import { statfs } from 'node:fs/promises';
import type { NativeCalls } from './native.js';
import { isInExtents, type ShiftAbility, shiftAbilityOf } from './shift-file.js';

/** statfs(2), linux/magic.h. */
const EXT_MAGIC = 0xef53;
const XFS_MAGIC = 0x58465342;
const BTRFS_MAGIC = 0x9123683e;
/** linux/fs.h: the file is overwritten in place (chattr +C); btrfs shares its blocks only with another of the kind. */
const NOCOW_FL = 0x0080_0000;

/** What the file system can do with a file besides what all can. */
export interface FileAbilities {
  /** It says that files can share blocks; the answer of the call itself may still be no. */
  readonly sharesBlocks?: boolean;
  /** Of a file whose ranges can be shifted. */
  readonly shifts?: ShiftAbility;
}

/**
 * Asks the file system. Only ext4 and XFS are known to shift extents one after the other, which `nextShiftStep` relies on; on XFS with
 * shared blocks no shift is wanted: a copy that shares them is as fast there, and can be repeated. Other file systems than
 * XFS and btrfs share blocks too, but nothing was measured there.
 */
export async function fileAbilities(
  { fd }: FileHandle,
  { path, sizeBytes }: { readonly path: string; readonly sizeBytes: number },
  native: NativeCalls | undefined,
): Promise<FileAbilities> {
  if (native === undefined) return {};
  try {
    const { type, bsize } = await statfs(path);
    const shifts = () => ({ shifts: shiftAbilityOf(native, fd, sizeBytes, bsize) });
    if (type === EXT_MAGIC) return isInExtents(native.inodeFlags(fd)) ? shifts() : {};
    if (type === BTRFS_MAGIC) return { sharesBlocks: (native.inodeFlags(fd) & NOCOW_FL) === 0 };
    if (type !== XFS_MAGIC) return {};
    return native.sharesBlocksOnXfs(fd) ? { sharesBlocks: true } : shifts();
  } catch {
    // A question that is not understood: nothing is lost but speed.
    return {};
  }
}
