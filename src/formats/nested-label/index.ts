import type { Reason } from '../../core/errors.js';
import { volumeFacts } from '../facts.js';
import { hasBytes } from '../signature.js';
import type { FilesystemFormat } from '../types.js';

/** BSD: in the second sector, twice (sys/disklabel.h, DISKMAGIC). */
const BSD_AT = [512, 512 + 132] as const;
const BSD_MAGIC = [0x57, 0x45, 0x56, 0x82];
/** Solaris x86: in the second sector (sys/vtoc.h, VTOC_SANE). */
const SOLARIS_AT = 512 + 12;
const SOLARIS_MAGIC = [0xee, 0xde, 0x0d, 0x60];

const NESTED: Reason = {
  code: 'nested-label',
  message:
    'the partition holds a BSD or Solaris disk label, whose slices may count from the start of the disk',
  hint: 'leave this partition where it is (exclude it by its number)',
};

/** Partition tables inside a partition: left alone. */
export const nestedLabel: FilesystemFormat = {
  id: 'nested-label',
  probe: (head) =>
    BSD_AT.every((at) => hasBytes(head, at, BSD_MAGIC)) || hasBytes(head, SOLARIS_AT, SOLARIS_MAGIC),
  inspect: async () =>
    volumeFacts({ kind: 'nested-label', blockers: [NESTED], toleratesLargerPartition: false }),
};
