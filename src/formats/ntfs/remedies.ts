import { damaged, type ErrorDetail, type VmreclaimError } from '../../core/errors.js';

/** The remedy for what contradicts the format: only Windows knows which side is right. */
export const CHKDSK_HINT = 'start the guest and run `chkdsk /f` on the volume';

/** What contradicts the format of a volume that Windows can open: Damaged, with the remedy unless there is a better one. */
export const damagedNtfs = (code: string, message: string, detail: ErrorDetail = {}): VmreclaimError =>
  damaged(code, message, { hint: CHKDSK_HINT, ...detail });
