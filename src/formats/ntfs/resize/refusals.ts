import { refused, type VmreclaimError } from '../../../core/errors.js';

/** The refusal for a new end that leaves too little room. */
export const noSpace = (): VmreclaimError =>
  refused('ntfs-no-space', 'the NTFS volume has too little free space below the new end', {
    hint: 'choose a larger size, or delete files in the guest',
  });

/** The refusal for a record that has no room, whatever is done about it. */
export const recordFull = ({ number }: { readonly number: number }): VmreclaimError =>
  refused('ntfs-record-full', `FILE record ${number} has no room to tell where its clusters would go`, {
    actual: `record ${number}`,
    hint: 'defragment that file in the guest, or choose a larger size',
  });
