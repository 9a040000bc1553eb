import type { Reader } from '../../device/types.js';
import { tryRead } from '../read.js';
import { hasText } from '../signature.js';

/** The private header of a dynamic disk with an MBR is in its sector 6 (kernel block/partitions/ldm.h). */
const PRIVHEAD_AT = 6 * 512;
const PRIVHEAD = 'PRIVHEAD';

/**
 * True for a Windows dynamic disk (LDM) with an MBR. Its database in the last MiB of the disk holds absolute
 * sectors: nothing on such a disk may move and the disk must not be cut. Takes the whole disk, not a volume.
 */
export async function hasLdm(disk: Reader): Promise<boolean> {
  const header = await tryRead(disk, PRIVHEAD_AT, PRIVHEAD.length);
  return header !== undefined && hasText(header, 0, PRIVHEAD);
}
