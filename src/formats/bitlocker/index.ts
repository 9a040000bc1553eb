import type { Reason } from '../../core/errors.js';
import { volumeFacts } from '../facts.js';
import { hasBytes, hasText } from '../signature.js';
import type { FilesystemFormat } from '../types.js';

/** BitLocker of fixed disks puts its name where NTFS has its own (libbde, BDE format specification). */
const OEM_AT = 3;
const OEM_NAME = '-FVE-FS-';
/** BitLocker To Go keeps a FAT32 boot sector for old systems and is known by a GUID. */
const TO_GO_NAME = 'MSWIN4.1';
const TO_GO_GUID_AT = 424;
/** 4967D63B-2E29-4AD8-8399-F6A339E3D001 as it is stored. */
const BITLOCKER_GUID = [
  0x3b, 0xd6, 0x67, 0x49, 0x29, 0x2e, 0xd8, 0x4a, 0x83, 0x99, 0xf6, 0xa3, 0x39, 0xe3, 0xd0, 0x01,
];

const BITLOCKER: Reason = {
  code: 'bitlocker',
  message:
    'the volume is encrypted with BitLocker: a changed disk may ask for the recovery key at the next start',
  hint: 'decrypt it in the guest first (manage-bde -off)',
};

/** BitLocker volumes: not moved, because the TPM may seal the key against the layout of the disk. */
export const bitlocker: FilesystemFormat = {
  id: 'bitlocker',
  probe: (head) =>
    hasText(head, OEM_AT, OEM_NAME) ||
    (hasText(head, OEM_AT, TO_GO_NAME) && hasBytes(head, TO_GO_GUID_AT, BITLOCKER_GUID)),
  inspect: async () =>
    volumeFacts({ kind: 'bitlocker', blockers: [BITLOCKER], toleratesLargerPartition: false }),
};
