import type { Reason } from '../core/errors.js';
import type { Reader } from '../device/types.js';
import { hasLdm } from '../formats/ldm/index.js';
import { hasMdAtEnd } from '../formats/md/index.js';
import type { Tables } from './tables.js';

const DYNAMIC_DISK: Reason = {
  code: 'dynamic-disk',
  message: 'this is a Windows dynamic disk: its volumes are described in a database of their own',
  hint: 'convert it to a basic disk in the guest first',
};
const STORAGE_SPACES: Reason = {
  code: 'storage-spaces',
  message: 'this disk belongs to a Windows storage pool',
  hint: 'remove it from the pool in the guest first',
};

const WHOLE_DISK_RAID: Reason = {
  code: 'md-member',
  message: 'the whole disk is a member of a Linux software RAID that is found by the end of the disk',
  hint: 'change its size inside the guest, with mdadm',
};

/** MBR type of a dynamic disk's partition. */
const MBR_LDM = 0x42;
/** GPT types of owners that keep positions elsewhere (Microsoft's partition type GUIDs). */
const FOREIGN_GPT_TYPES: ReadonlyMap<string, Reason> = new Map([
  ['5808c8aa-7e8f-42e0-85d2-e1e90434cfb3', DYNAMIC_DISK],
  ['af9b60a0-1431-4f62-bc68-3311714a69ad', DYNAMIC_DISK],
  ['e75caf8f-f680-4cee-afa3-b001e56efc2d', STORAGE_SPACES],
]);

/** Reasons why the whole disk is left alone because another volume manager rules it. */
export async function foreignReasons(disk: Reader, { kind, mbr, gpt }: Tables): Promise<Reason[]> {
  if (kind === 'gpt') {
    const found = gpt?.partitions.map(({ typeGuid }) => FOREIGN_GPT_TYPES.get(typeGuid)) ?? [];
    return [...new Set(found.filter((reason) => reason !== undefined))];
  }
  if (kind === 'none' && (await hasMdAtEnd(disk))) return [WHOLE_DISK_RAID];
  const dynamic = mbr?.partitions.some(({ type }) => type === MBR_LDM) === true || (await hasLdm(disk));
  return dynamic ? [DYNAMIC_DISK] : [];
}
